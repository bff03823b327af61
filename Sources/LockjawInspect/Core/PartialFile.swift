import Glibc

/// A file that gets its name when it is complete; without `finish` nothing is left of it.
final class PartialFile {
  private let path: String
  private let aside: String
  private let fd: Int32
  private(set) var position: UInt64 = 0
  private var isFinished = false

  init(_ path: String) throws(InspectError) {
    self.path = path
    aside = "\(path).\(getpid()).partial"
    fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard fd >= 0 else { throw .system(call: "open", subject: aside, errno: errno) }
  }

  deinit {
    close(fd)
    if !isFinished { unlink(aside) }
  }

  func append(_ bytes: [UInt8]) throws(InspectError) {
    var failure: InspectError?
    bytes.withUnsafeBytes { raw in
      do throws(InspectError) { try append(raw[...]) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  func append(_ bytes: Slice<UnsafeRawBufferPointer>) throws(InspectError) {
    let buffer = UnsafeRawBufferPointer(rebasing: bytes)
    var done = 0
    while done < buffer.count, let base = buffer.baseAddress {
      let count = write(fd, base + done, buffer.count - done)
      if count < 0 {
        if errno == EINTR { continue }
        throw .system(call: "write", subject: path, errno: errno)
      }
      done += count
    }
    position += UInt64(buffer.count)
  }

  /// Leaves a hole.
  func skip(to offset: UInt64) throws(InspectError) {
    guard lseek(fd, off_t(offset), SEEK_SET) >= 0 else { throw .system(call: "lseek", subject: path, errno: errno) }
    position = offset
  }

  func finish() throws(InspectError) -> Int {
    guard ftruncate(fd, off_t(position)) == 0 else { throw .system(call: "ftruncate", subject: path, errno: errno) }
    guard rename(aside, path) == 0 else { throw .system(call: "rename", subject: path, errno: errno) }
    isFinished = true
    return Int(position)
  }
}
