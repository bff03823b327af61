import CLockjawNative
import Glibc
import LockjawArena

/// Lines of source files, for quoting.
package enum SourceFiles {
  /// The line, without its end and leading white space; `nil` where the file cannot be read or is not a plain file of
  /// reasonable size.
  package static func line(_ path: String, _ number: Int) -> String? {
    guard number > 0, let text = content(path) else { return nil }
    var lines = text.split(separator: "\n", maxSplits: number, omittingEmptySubsequences: false).makeIterator()
    var line: Substring?
    for _ in 0..<number { line = lines.next() }
    guard let line else { return nil }
    return String(line.drop { $0 == " " || $0 == "\t" })
  }

  private static func content(_ path: String) -> String? {
    // Debug information names it, whoever made that.
    let fd = lj_open_regular(path)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    var status = stat()
    guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= 8 << 20 else { return nil }
    let size = Int(status.st_size)
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      while count < size {
        let got = read(fd, buffer.baseAddress! + count, size - count)
        guard got > 0 else { return }
        count += got
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Copies an arena, which is sparse, and keeps it sparse.
enum SparseCopy {
  /// - Parameters:
  ///   - source: perhaps in a directory of another user, who may have put anything there meanwhile.
  ///   - file: the one that was read there, if one was.
  ///   - descriptor: it again, open, where it may have no name any more.
  /// - Throws: `arenaReplaced` where `source` is something else, `cannotWrite`.
  static func copy(
    _ source: String, _ file: FileIdentity?, open descriptor: Int32? = nil, to path: String
  ) throws(WatchError) {
    let from = descriptor.map { dup($0) } ?? open(source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
    guard from >= 0 else { throw .cannotWrite(path: path, errno: errno) }
    defer { close(from) }
    var status = stat()
    guard fstat(from, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      FileIdentity(status) == file ?? FileIdentity(status)
    else { throw .arenaReplaced(path: source) }
    let aside = "\(path).\(getpid()).partial"
    let to = open(aside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard to >= 0 else { throw .cannotWrite(path: path, errno: errno) }
    var failure = copyExtents(from, to)
    close(to)
    if failure == 0, rename(aside, path) != 0 { failure = errno }
    if failure != 0 {
      unlink(aside)
      throw .cannotWrite(path: path, errno: failure)
    }
  }

  private static func copyExtents(_ from: Int32, _ to: Int32) -> Int32 {
    var status = stat()
    guard fstat(from, &status) == 0, ftruncate(to, status.st_size) == 0 else { return errno }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var offset: off_t = 0
    while true {
      let begin = lj_next_data(from, Int64(offset))
      guard begin >= 0 else { return begin == -Int64(ENXIO) ? 0 : Int32(-begin) }
      let end = lj_next_hole(from, begin)
      guard end > begin else { return end < 0 ? Int32(-end) : EIO }
      offset = off_t(begin)
      while offset < off_t(end) {
        let got = pread(from, &buffer, min(buffer.count, Int(off_t(end) - offset)), offset)
        guard got > 0, pwrite(to, buffer, got, offset) == got else { return errno == 0 ? EIO : errno }
        offset += off_t(got)
      }
    }
  }
}
