import Glibc
import LockjawArena
import LockjawInspect
import LockjawModel

/// Finds the arena of a running process.
package enum ArenaSearch {
  /// The file the process has mapped, whatever directory it was told to use; else its entry in the standard one.
  package static func path(of process: LiveProcess) -> String? {
    if let mapped = mappedArena(process.pid) { return mapped }
    let own = ArenaDirectory.standard().entries() + userDirectory(of: process).entries()
    return own.last { $0.identity == process.identity }?.path
  }

  private static func userDirectory(of process: LiveProcess) -> ArenaDirectory {
    ArenaDirectory(path: "/dev/shm/lockjaw-\(process.userID ?? getuid())")
  }

  /// `/proc/PID/maps` names it; a file that has been removed since ends in " (deleted)" and is no use.
  private static func mappedArena(_ pid: Int32) -> String? {
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
      if let name = path.split(separator: "/").last, ArenaDirectory.parse(String(name), in: "") != nil { return path }
    }
    return nil
  }

  /// Whether the process that wrote an arena still runs.
  package static func isAlive(_ identity: ProcessIdentity) -> Bool {
    guard let process = try? LiveProcess(pid: identity.pid) else { return false }
    return identity.startTicks == 0 || process.identity.startTicks == identity.startTicks
  }
}
