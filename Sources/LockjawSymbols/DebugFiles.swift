import Glibc
import LockjawInspect
import LockjawModel

/// Finds a module's separate debug file: where distributions install them, where the debuginfod client keeps what
/// it fetched, beside the module; and, where one is configured, on a server.
struct DebugFiles {
  /// Put before absolute paths: "" or a container's root.
  var roots: [String]
  /// Of the debuginfod client; `nil`: there is none.
  var cache: String?
  var server: DebugServer?

  /// The debug file with this build-id. A file of another build is worse than none, so without a build-id there
  /// is no answer.
  /// - Parameter mayAsk: a server may be asked where no file is here.
  func file(buildID: String, modulePath: String, debugLink: String?, mayAsk: Bool = false) -> ELFFile? {
    guard Self.isUsable(buildID) else { return nil }
    let paths = installed(buildID) + beside(modulePath, debugLink)
    return first(of: paths, buildID) ?? (mayAsk ? fetched(buildID) : nil)
  }

  /// The file that several debug files share, as `dwz` makes it and `.gnu_debugaltlink` names it.
  /// - Parameters:
  ///   - name: absolute, or relative to the directory of the file that refers to it.
  ///   - path: of that file.
  func alternate(buildID: String, name: String, path: String) -> ELFFile? {
    guard Self.isUsable(buildID) else { return nil }
    var paths = installed(buildID)
    if name.hasPrefix("/") {
      paths += roots.map { $0 + name }
    } else if let slash = path.lastIndex(of: "/") {
      paths.append(path[...slash] + name)
    }
    return first(of: paths, buildID) ?? fetched(buildID)
  }

  /// It becomes a part of paths, whatever a core or an arena says it is.
  private static func isUsable(_ buildID: String) -> Bool {
    (3...128).contains(buildID.utf8.count) && buildID.allSatisfy(\.isHexDigit)
  }

  /// A loop, not a lazy map: that asks for the element twice, and a file below `/proc/PID/root` is gone the second time when its
  /// process has ended in between.
  private func first(of paths: [String], _ buildID: String) -> ELFFile? {
    for path in paths {
      if let file = open(path, buildID) { return file }
    }
    return nil
  }

  private func open(_ path: String, _ buildID: String) -> ELFFile? {
    guard access(path, R_OK) == 0, let file = try? ELFFile(path: path), file.buildID == buildID else { return nil }
    return file
  }

  private func fetched(_ buildID: String) -> ELFFile? {
    guard let server, let cache, server.fetch(buildID: buildID) else { return nil }
    return open("\(cache)/\(buildID)/debuginfo", buildID)
  }

  private func installed(_ buildID: String) -> [String] {
    let split = buildID.index(buildID.startIndex, offsetBy: 2)
    let relative = ".build-id/\(buildID[..<split])/\(buildID[split...]).debug"
    return roots.map { "\($0)/usr/lib/debug/\(relative)" } + (cache.map { ["\($0)/\(buildID)/debuginfo"] } ?? [])
  }

  private func beside(_ modulePath: String, _ debugLink: String?) -> [String] {
    var result: [String] = []
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
