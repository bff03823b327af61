import Glibc
import LockjawInspect
import LockjawModel

/// Finds a module's separate debug file: where distributions install them, where the debuginfod client keeps what
/// it fetched, and beside the module.
struct DebugFiles {
  /// Put before absolute paths: "" or a container's root.
  var roots: [String]
  /// Of the debuginfod client; `nil`: there is none.
  var cache: String?

  /// The debug file with this build-id. A file of another build is worse than none, so without a build-id there
  /// is no answer.
  func file(buildID: String, modulePath: String, debugLink: String?) -> ELFFile? {
    guard buildID.utf8.count > 2 else { return nil }
    for path in candidates(buildID: buildID, modulePath: modulePath, debugLink: debugLink) {
      guard access(path, R_OK) == 0, let file = try? ELFFile(path: path), file.buildID == buildID else { continue }
      return file
    }
    return nil
  }

  private func candidates(buildID: String, modulePath: String, debugLink: String?) -> [String] {
    let split = buildID.index(buildID.startIndex, offsetBy: 2)
    let relative = ".build-id/\(buildID[..<split])/\(buildID[split...]).debug"
    var result = roots.map { "\($0)/usr/lib/debug/\(relative)" }
    if let cache { result.append("\(cache)/\(buildID)/debuginfo") }
    // The link is a bare name; one with a slash could lead anywhere.
    if let debugLink, !debugLink.isEmpty, !debugLink.contains("/"), let slash = modulePath.lastIndex(of: "/") {
      let directory = modulePath[..<slash]
      for root in roots {
        result.append("\(root)\(directory)/\(debugLink)")
        result.append("\(root)\(directory)/.debug/\(debugLink)")
        result.append("\(root)/usr/lib/debug\(directory)/\(debugLink)")
      }
    }
    return result
  }
}
