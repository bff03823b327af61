import Glibc
import LockjawArena
import LockjawInspect

/// The standard arena directories of users other than the one that watches: `/dev/shm/lockjaw-UID`.
///
/// Their content is another user's word. A file there counts only for a process of that very user, so that nobody can have
/// another's process followed, and ended, in the name of his own.
final class OtherUsersDirectories {
  private static let parent = "/dev/shm"
  private static let prefix = "lockjaw-"
  private let own: String
  private var watched: Set<String> = []
  private var isParentWatched = false

  init(except own: ArenaDirectory) { self.own = own.path }

  /// Adds what is not watched yet to an inotify descriptor: the directories, and where new ones appear. What cannot be
  /// watched is left out.
  func watch(_ descriptor: Int32) {
    // The parent first: a directory that is made in between is announced.
    if !isParentWatched {
      isParentWatched = inotify_add_watch(descriptor, Self.parent, UInt32(IN_CREATE) | UInt32(IN_ONLYDIR)) >= 0
    }
    for directory in directories() where !watched.contains(directory.path) {
      let events = UInt32(IN_MOVED_TO) | UInt32(IN_CREATE) | UInt32(IN_ONLYDIR) | UInt32(IN_DONT_FOLLOW)
      if inotify_add_watch(descriptor, directory.path, events) >= 0 { watched.insert(directory.path) }
    }
  }

  /// Arenas of running processes whose user is the directory's.
  func entries() -> [ArenaDirectory.Entry] {
    directories().flatMap { directory in
      ArenaDirectory(path: directory.path).entries().filter { entry in
        (try? LiveProcess(pid: entry.identity.pid))?.userID == directory.userID
      }
    }
  }

  private func directories() -> [(path: String, userID: UInt32)] {
    guard let stream = opendir(Self.parent) else { return [] }
    defer { closedir(stream) }
    var found: [(path: String, userID: UInt32)] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard name.hasPrefix(Self.prefix), let userID = UInt32(name.dropFirst(Self.prefix.count)) else { continue }
      let path = "\(Self.parent)/\(name)"
      var status = stat()
      guard path != own, lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == userID,
        status.st_mode & 0o022 == 0
      else { continue }
      found.append((path, userID))
    }
    return found
  }
}
