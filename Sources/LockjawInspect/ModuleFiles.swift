import Glibc
import LockjawModel

/// Opens the files behind modules, each once, and only those that are what was mapped.
package final class ModuleFiles {
  /// Where paths are looked up.
  package enum Root: Hashable, Sendable {
    /// This machine's file system: for arenas and cores of dead processes.
    case host
    /// Through `/proc/PID/root`, so that a container's files are found; deleted ones through `/proc/PID/exe` and
    /// `/proc/PID/map_files` as far as the kernel permits.
    case process(LiveProcess)
  }

  private struct Key: Hashable {
    var path: String
    var buildID: String
    var inode: UInt64
  }
  private let root: Root
  /// Of a live process: where its root and executable are.
  private let directory: String
  private var opened: [Key: ELFFile?] = [:]
  /// Why a module's file is not used: one sentence a module, in the order they were asked for.
  package private(set) var diagnostics: [String] = []

  package init(root: Root = .host) {
    self.root = root
    directory = if case .process(let process) = root { process.liveDirectory } else { "" }
  }

  /// What stands before absolute paths where files of this process are looked for, the surest first.
  package var pathPrefixes: [String] {
    switch root {
    case .host: [""]
    case .process: ["\(directory)/root", ""]
    }
  }

  /// The file, or `nil` where it is missing, unreadable, damaged, or another build than the one that was mapped.
  package func file(for module: Module) -> ELFFile? {
    guard module.path.hasPrefix("/") else { return nil }
    let key = Key(path: module.path, buildID: module.buildID, inode: module.inode)
    if let known = opened[key] { return known }
    let found = open(module)
    opened[key] = .some(found)
    return found
  }

  private func open(_ module: Module) -> ELFFile? {
    var complaint: String?
    for path in candidates(module) {
      do throws(InspectError) {
        let file = try ELFFile(path: path)
        if let difference = difference(between: file, and: module) {
          complaint = complaint ?? difference
          continue
        }
        return file
      } catch {
        if case .system(_, _, let number) = error, number == ENOENT || number == EPERM || number == EACCES {
          if number != ENOENT { complaint = complaint ?? "\(module.fileName): \(error)" }
          continue
        }
        complaint = complaint ?? "\(module.fileName): \(error)"
      }
    }
    diagnostics.append(complaint ?? "\(module.fileName): \(module.pathWithoutMark) is not there any more.")
    return nil
  }

  /// The paths to try, the surest first.
  private func candidates(_ module: Module) -> [String] {
    let path = module.pathWithoutMark
    var result = [String]()
    switch root {
    case .host: result.append(path)
    case .process(let process):
      result.append("\(directory)/root\(path)")
      // The kernel keeps hold of a mapped file whose name is gone; its own name for it needs CAP_SYS_ADMIN or
      // CAP_CHECKPOINT_RESTORE, the executable's does not.
      if process.executablePath == module.path { result.append("\(directory)/exe") }
      let range = String(module.textStart.rawValue, radix: 16) + "-" + String(module.textEnd.rawValue, radix: 16)
      result.append("\(process.directory)/map_files/\(range)")
      // The process may have ended, or its root may be closed to us; whether this is the same file is checked.
      result.append(path)
    }
    if !module.buildID.isEmpty, let cache = DebugInfoCache.directory {
      result.append("\(cache)/\(module.buildID)/executable")
    }
    return result
  }

  /// A sentence where `file` is not what was mapped.
  private func difference(between file: ELFFile, and module: Module) -> String? {
    if !module.buildID.isEmpty, !file.buildID.isEmpty {
      if file.buildID == module.buildID { return nil }
      return
        "\(module.fileName): the file \(module.pathWithoutMark) has build-id \(file.buildID), but the process runs "
        + "\(module.buildID): it was replaced after the start, so its symbols are not used. Restart the program, or keep "
        + "the old file beside."
    }
    if module.inode != 0, module.inode == file.inode { return nil }
    if file.loadBias(of: module) == nil || module.inode != 0 {
      return
        "\(module.fileName): the file \(module.pathWithoutMark) is not the one that was mapped (it has no build-id, "
        + "and another inode): it was replaced after the start, so its symbols are not used."
    }
    return nil
  }
}

extension Module {
  /// The kernel's mark for a file without a name.
  private static let deletedMark = " (deleted)"

  package var pathWithoutMark: String {
    path.hasSuffix(Self.deletedMark) ? String(path.dropLast(Self.deletedMark.count)) : path
  }

  /// Last component of the path, without the kernel's " (deleted)".
  package var fileName: String {
    pathWithoutMark.split(separator: "/").last.map { String($0) } ?? pathWithoutMark
  }
}

/// Where the debuginfod client keeps what it has fetched (debuginfod_find_debuginfo(3)).
package enum DebugInfoCache {
  package static var directory: String? {
    func variable(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
    if let path = variable("DEBUGINFOD_CACHE_PATH") { return path }
    if let cache = variable("XDG_CACHE_HOME") { return cache + "/debuginfod_client" }
    return variable("HOME").map { $0 + "/.cache/debuginfod_client" }
  }
}
