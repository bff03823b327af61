import Glibc

/// A file that gets its name when it is complete; without `finish` nothing is left of it. Packed by zstd where asked.
final class PartialFile {
  private let path: String
  private let aside: String
  private let fd: Int32
  /// In what a reader will see; unpacked, that is.
  private(set) var position: UInt64 = 0
  private var isFinished = false
  private let packing: Packing?
  private var packedBytes = 0

  /// - Parameter packedFrom: how many bytes will be appended or skipped in all; `nil`: they are written as they are.
  init(_ path: String, packedFrom totalBytes: UInt64? = nil) throws(InspectError) {
    self.path = path
    packing = totalBytes.flatMap { Packing(totalBytes: $0) }
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
    if packing == nil { try write(buffer) } else { try pack(buffer, isLast: false) }
    position += UInt64(buffer.count)
  }

  private func pack(_ buffer: UnsafeRawBufferPointer, isLast: Bool) throws(InspectError) {
    let isPacked = try packing?.pack(buffer, isLast: isLast) { piece throws(InspectError) in
      try write(piece)
      packedBytes += piece.count
    }
    guard isPacked ?? true else { throw .system(call: "ZSTD_compressStream2", subject: path, errno: EINVAL) }
  }

  private func write(_ buffer: UnsafeRawBufferPointer) throws(InspectError) {
    var done = 0
    while done < buffer.count, let base = buffer.baseAddress {
      let count = Glibc.write(fd, base + done, buffer.count - done)
      if count < 0 {
        if errno == EINTR { continue }
        throw .system(call: "write", subject: path, errno: errno)
      }
      done += count
    }
  }

  /// Leaves a hole, which reads as zeroes.
  func skip(to offset: UInt64) throws(InspectError) {
    if packing != nil {
      let zeroes = [UInt8](repeating: 0, count: 4096)
      while position < offset { try append(Array(zeroes.prefix(Int(min(offset - position, 4096))))) }
      return
    }
    guard lseek(fd, off_t(offset), SEEK_SET) >= 0 else { throw .system(call: "lseek", subject: path, errno: errno) }
    position = offset
  }

  /// - Returns: how many bytes the file has.
  func finish() throws(InspectError) -> Int {
    if packing != nil {
      try pack(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true)
      guard rename(aside, path) == 0 else { throw .system(call: "rename", subject: path, errno: errno) }
      isFinished = true
      return packedBytes
    }
    guard ftruncate(fd, off_t(position)) == 0 else { throw .system(call: "ftruncate", subject: path, errno: errno) }
    guard rename(aside, path) == 0 else { throw .system(call: "rename", subject: path, errno: errno) }
    isFinished = true
    return Int(position)
  }
}
