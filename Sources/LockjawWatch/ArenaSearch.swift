import Glibc
import LockjawArena
import LockjawInspect
import LockjawModel

/// Finds the arena of a running process.
package enum ArenaSearch {
  /// The file the process has mapped, whatever directory it was told to use; else its entry in the standard one.
  package static func path(of process: LiveProcess) -> String? {
    if let mapped = mappedArena(process.pid), let path = mapped.reachable(of: process.pid) { return path }
    let own = ArenaDirectory.standard().entries() + userDirectory(of: process).entries()
    return own.last { $0.identity == process.identity }?.path
  }

  private static func userDirectory(of process: LiveProcess) -> ArenaDirectory {
    ArenaDirectory(path: "/dev/shm/lockjaw-\(process.userID ?? getuid())")
  }

  /// Whose an arena is.
  package enum Writer: Hashable, Sendable {
    case process(LiveProcess)
    /// Nobody who could be its writer is there any more.
    case gone
    /// This process may be its writer, and does not show what it maps; a sentence why.
    case hidden(pid: Int32, reason: String)
  }

  /// The process that writes to an arena, by the number that it has here.
  ///
  /// An arena's name has the number that its process calls itself. In another pid namespace (a container,
  /// `unshare --pid`) that is another one than here, and here it may be somebody else's: so who calls itself so must also
  /// have begun then, or have the arena mapped.
  ///
  /// - Parameter others: what `LiveProcess.inOtherPidNamespaces` says; asked for only where it is needed.
  package static func writer(
    of entry: ArenaDirectory.Entry,
    among others: () -> [(process: LiveProcess, ownNumber: Int32)] = LiveProcess.inOtherPidNamespaces
  ) -> Writer {
    if let process = try? LiveProcess(pid: entry.identity.pid), process.identity == entry.identity,
      process.ownNumber == entry.identity.pid
    {
      return .process(process)
    }
    let name = entry.path.split(separator: "/").last
    var hidden: Writer?
    for (process, ownNumber) in others() where ownNumber == entry.identity.pid {
      if let mapped = mappedArena(process.pid) {
        if mapped.path.split(separator: "/").last == name { return .process(process) }
      } else if let reason = process.refusal {
        hidden = .hidden(pid: process.pid, reason: reason)
      }
    }
    return hidden ?? .gone
  }

  /// An arena as `/proc/PID/maps` has it: named as its process sees it.
  private struct Mapped {
    var path: String
    var inode: UInt64

    /// Where this file is for us. A process in a mount namespace of its own (a container) has another `/dev/shm`, in which a
    /// file of ours may have the same name: then it is found through the process' own root. A file system may show an inode
    /// under another number than the kernel's list (overlayfs does); then the name has to do.
    func reachable(of pid: Int32) -> String? {
      let places = [path, "/proc/\(pid)/root\(path)"]
      return places.first(where: isAt) ?? places.first { access($0, F_OK) == 0 }
    }

    private func isAt(_ place: String) -> Bool {
      var status = stat()
      return lstat(place, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && status.st_ino == inode
    }
  }

  /// A file that has been removed since ends in " (deleted)" and is no use.
  private static func mappedArena(_ pid: Int32) -> Mapped? {
    guard let stream = fopen("/proc/\(pid)/maps", "re") else { return nil }
    defer { fclose(stream) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, stream) > 0 {
      guard let line else { break }
      let text = String(cString: line)
      guard text.hasSuffix(".arena\n"), let slash = text.firstIndex(of: "/") else { continue }
      let path = String(text[slash...].dropLast())
      guard let name = path.split(separator: "/").last, ArenaDirectory.parse(String(name), in: "") != nil else {
        continue
      }
      // address, rights, offset, device, inode, path
      let fields = text[..<slash].split(separator: " ")
      return Mapped(path: path, inode: fields.count == 5 ? UInt64(fields[4]) ?? 0 : 0)
    }
    return nil
  }

  /// Whether the process that wrote an arena still runs.
  package static func isAlive(_ identity: ProcessIdentity) -> Bool {
    guard let process = try? LiveProcess(pid: identity.pid) else { return false }
    return identity.startTicks == 0 || process.identity.startTicks == identity.startTicks
  }
}
