import Glibc
import LockjawArena

/// Writes files that are complete the moment they can be seen: written aside in the same directory, then renamed.
package enum ReportFile {
  /// - Throws: `cannotWrite`; the old content of `path`, if any, is then untouched and nothing is left aside.
  package static func write(_ content: String, to path: String) throws(WatchError) {
    // /dev/stdout, pipes and terminals cannot be renamed over: they are written in place.
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      let fd = open(path, O_WRONLY | O_CLOEXEC)
      guard fd >= 0 else { throw .cannotWrite(path: path, errno: errno) }
      defer { close(fd) }
      guard writeAll(content, to: fd) else { throw .cannotWrite(path: path, errno: errno) }
      return
    }
    let failure = replace(AT_FDCWD, path, content)
    guard failure == 0 else { throw .cannotWrite(path: path, errno: failure) }
  }

  /// Writes a report into the directory of an arena, which may be another user's: root follows programs that go on as
  /// somebody else.
  ///
  /// Nothing is opened there that this did not make, and no link is followed: what lies in the report's place, a link, a
  /// pipe or a device, is replaced. The directory is the one that has the arena which was read, so that a link put in the
  /// directory's own place leads to no other.
  /// - Parameters:
  ///   - arena: its path; what comes before ".arena" and `ending` make the report's.
  ///   - file: the arena that was read.
  /// - Returns: the report's path.
  /// - Throws: `arenaReplaced`, `cannotWrite`.
  package static func write(
    _ content: String, beside arena: String, _ file: FileIdentity, ending: String
  ) throws(WatchError) -> String {
    let path = (arena.hasSuffix(".arena") ? String(arena.dropLast(6)) : arena) + ending
    let directory = open(
      ArenaDirectory.containing(arena).path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard directory >= 0 else { throw .cannotWrite(path: path, errno: errno) }
    defer { close(directory) }
    var status = stat()
    guard fstatat(directory, lastName(arena), &status, AT_SYMLINK_NOFOLLOW) == 0, FileIdentity(status) == file else {
      throw .arenaReplaced(path: arena)
    }
    let failure = replace(directory, lastName(path), content)
    guard failure == 0 else { throw .cannotWrite(path: path, errno: failure) }
    return path
  }

  private static func lastName(_ path: String) -> String {
    path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
  }

  /// - Parameter directory: `name` is relative to it.
  /// - Returns: 0 or an errno.
  private static func replace(_ directory: Int32, _ name: String, _ content: String) -> Int32 {
    let aside = "\(name).\(getpid()).partial"
    let fd = openat(directory, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard fd >= 0 else { return errno }
    var failure: Int32 = 0
    if !writeAll(content, to: fd) { failure = errno }
    if fsync(fd) != 0, failure == 0, errno != EINVAL { failure = errno }
    close(fd)
    if failure == 0, renameat(directory, aside, directory, name) != 0 { failure = errno }
    if failure != 0 { unlinkat(directory, aside, 0) }
    return failure
  }

  /// Writes everything or says that it could not (`errno` tells why).
  package static func writeAll(_ content: String, to fd: Int32) -> Bool {
    var content = content
    return content.withUTF8 { bytes in
      var written = 0
      while written < bytes.count {
        let count = Glibc.write(fd, bytes.baseAddress! + written, bytes.count - written)
        if count < 0 {
          if errno == EINTR { continue }
          if errno == EAGAIN {
            var waiting = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
            if poll(&waiting, 1, 1000) >= 0 { continue }
          }
          return false
        }
        written += count
      }
      return true
    }
  }
}
