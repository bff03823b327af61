import Glibc

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
    let aside = "\(path).\(getpid()).partial"
    let fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard fd >= 0 else { throw .cannotWrite(path: path, errno: errno) }
    var failure: Int32 = 0
    if !writeAll(content, to: fd) { failure = errno }
    if fsync(fd) != 0, failure == 0, errno != EINVAL { failure = errno }
    close(fd)
    if failure == 0, rename(aside, path) != 0 { failure = errno }
    if failure != 0 {
      unlink(aside)
      throw .cannotWrite(path: path, errno: failure)
    }
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
