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

    init(_ module: Module) {
      path = module.path
      buildID = module.buildID
      inode = module.inode
    }
  }

  /// Why a module's file is not used.
  package struct Absence: Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
      case missing
      /// The kernel says that it was removed while it was mapped.
      case deleted
      /// What is there is not what was mapped.
      case replaced
      case unreadable
    }
    package var reason: Reason
    package var sentence: String
  }
  private let root: Root
  /// Of a live process: where its root and executable are.
  private let directory: String
  private var opened: [Key: ELFFile?] = [:]
  private var absences: [Key: Absence] = [:]

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
    let key = Key(module)
    if let known = opened[key] { return known }
    let found = open(module)
    opened[key] = .some(found)
    return found
  }

  /// Why `file(for:)` has given nothing for this module; `nil` also where nobody has asked.
  package func absence(of module: Module) -> Absence? { absences[Key(module)] }

  private func open(_ module: Module) -> ELFFile? {
    var complaint: Absence?
    for path in candidates(module) {
      do throws(InspectError) {
        let file = try ELFFile(path: path)
        if let difference = difference(between: file, and: module) {
          complaint = complaint ?? Absence(reason: .replaced, sentence: difference)
          continue
        }
        return file
      } catch {
        if case .system(_, _, let number) = error, number == ENOENT || number == EPERM || number == EACCES {
          if number != ENOENT { complaint = complaint ?? unreadable(module, error) }
          continue
        }
        complaint = complaint ?? unreadable(module, error)
      }
    }
    absences[Key(module)] =
      complaint
      ?? Absence(
        reason: module.isMarkedDeleted ? .deleted : .missing,
        sentence: "\(module.fileName): \(module.pathWithoutMark) "
          + (module.isMarkedDeleted ? "was deleted after the start." : "is not there."))
    return nil
  }

  private func unreadable(_ module: Module, _ error: InspectError) -> Absence {
    Absence(reason: .unreadable, sentence: "\(module.fileName): \(error)")
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

  package var isMarkedDeleted: Bool { path.hasSuffix(Self.deletedMark) }

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
    guard let home = variable("HOME") else { return nil }
    // Where it was before the client followed the XDG directories; still used where it is there.
    let former = home + "/.debuginfod_client_cache"
    return access(former, F_OK) == 0 ? former : home + "/.cache/debuginfod_client"
  }
}
