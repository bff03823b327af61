import Glibc
import LockjawArena

/// Tells when arenas appear in a directory.
///
/// Arenas are renamed into place complete, so a name seen is an arena readable.
///
/// Root's command may go on as another user (setpriv, su, a server with a user of its own): it may not write into root's
/// directory then, and the shim takes that user's standard one. So root watches those, too.
final class ArenaWatch {
  let directory: ArenaDirectory
  /// Becomes readable when something was renamed into the directory.
  let descriptor: Int32
  private let others: OtherUsersDirectories?
  private var known: Set<String> = []

  /// - Throws: `arenaDirectoryUnusable` where the directory is missing or cannot be watched.
  init(_ directory: ArenaDirectory) throws(WatchError) {
    self.directory = directory
    others = geteuid() == 0 ? OtherUsersDirectories(except: directory) : nil
    descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
    guard descriptor >= 0 else { throw .systemCall("inotify_init1", errno: errno) }
    guard inotify_add_watch(descriptor, directory.path, UInt32(IN_MOVED_TO) | UInt32(IN_CREATE)) >= 0 else {
      throw .arenaDirectoryUnusable(path: directory.path, reason: sentence(errno))
    }
    // What was there before is somebody else's.
    others?.watch(descriptor)
    known = Set(entries().map(\.path))
  }

  private func entries() -> [ArenaDirectory.Entry] { directory.entries() + (others?.entries() ?? []) }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Arenas that have appeared since the last call.
  func newArenas() -> [ArenaDirectory.Entry] {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while read(descriptor, &buffer, buffer.count) > 0 {}
    // The events only say that it is worth looking: names come from the directory, so an overflow loses nothing.
    others?.watch(descriptor)
    let entries = entries()
    let fresh = entries.filter { !known.contains($0.path) }
    known = Set(entries.map(\.path))
    return fresh
  }

  /// Creates the directory as the shim would, and refuses what the shim would refuse.
  static func prepare(_ directory: ArenaDirectory) throws(WatchError) {
    if mkdir(directory.path, 0o700) != 0, errno != EEXIST {
      throw .arenaDirectoryUnusable(path: directory.path, reason: sentence(errno))
    }
    if let reason = directory.refusal { throw .arenaDirectoryUnusable(path: directory.path, reason: reason) }
  }
}
