import CLockjawNative
import Glibc

/// What a compressed file or section holds, unpacked into a file that has no name and goes with this value.
///
/// Whoever made the stream decides how much comes out of it, so that is bounded twice: the length, and the part of it
/// that is not zero (pages of zeroes become holes and take no room).
final class UnpackedFile {
  struct Limits {
    var length: UInt64
    /// Bytes that take room.
    var content: UInt64

    /// Cores are long and mostly holes. Zeroes cost time, too: this many take some seconds.
    static let core = Limits(length: 16 << 30, content: 4 << 30)
    /// The largest symbol tables of stripped programs have a few megabytes.
    static let symbols = Limits(length: 256 << 20, content: 256 << 20)
  }

  let descriptor: Int32
  private(set) var byteCount: UInt64 = 0
  /// The stream ends before its own end: what is there is its beginning.
  private(set) var isCut = false
  /// Neither input nor output is held in larger pieces; a multiple of `hole`.
  private static let pieceBytes = 256 << 10
  private static let hole = 4096

  /// - Throws: `notUnpacked` for a stream that is damaged, too large, or of a format lockjaw does not read; `system`.
  convenience init(path: String, limits: Limits = .core) throws(InspectError) {
    let fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard fd >= 0 else { throw .system(call: "open", subject: path, errno: errno) }
    defer { close(fd) }
    guard let format = CompressionFormat(path: path) else {
      throw .notUnpacked(path: path, reason: "it is not compressed")
    }
    var limits = limits
    let target = try Self.temporaryFile(&limits)
    try self.init(into: target, format, limits, subject: path) { buffer throws(InspectError) in
      while true {
        let got = read(fd, buffer.baseAddress, buffer.count)
        if got >= 0 { return got }
        if errno != EINTR { throw .system(call: "read", subject: path, errno: errno) }
      }
    }
  }

  /// Of bytes that are in memory already, kept in memory: a section of the file `path`.
  convenience init(_ bytes: UnsafeRawBufferPointer, of path: String) throws(InspectError) {
    guard let format = CompressionFormat(bytes) else {
      throw .notUnpacked(path: path, reason: "it is not compressed")
    }
    let target = lj_memory_file("lockjaw-symbols")
    guard target >= 0 else { throw .system(call: "memfd_create", subject: path, errno: -target) }
    var rest = bytes[...]
    try self.init(into: target, format, .symbols, subject: path) { buffer in
      let count = min(buffer.count, rest.count)
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
      rest = rest.dropFirst(count)
      return count
    }
  }

  /// - Parameters:
  ///   - descriptor: belongs to this value from now on.
  ///   - fill: gives the next bytes of the stream; 0 at its end.
  private init(
    into descriptor: Int32, _ format: CompressionFormat, _ limits: Limits, subject: String,
    fill: (UnsafeMutableRawBufferPointer) throws(InspectError) -> Int
  ) throws(InspectError) {
    self.descriptor = descriptor
    let native: OpaquePointer?
    switch format {
    case .zstd: native = lj_unpacker_create(Int32(LJ_FORMAT_ZSTD))
    case .xz: native = lj_unpacker_create(Int32(LJ_FORMAT_XZ))
    case .foreign(let name, let command):
      throw .notUnpacked(
        path: subject, reason: "lockjaw does not read \(name). Unpack it with `\(command)` and give the result")
    }
    guard let native else { throw .system(call: "malloc", subject: subject, errno: ENOMEM) }
    defer { lj_unpacker_destroy(native) }
    let input = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceBytes, alignment: 4096)
    let output = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceBytes, alignment: 4096)
    defer {
      input.deallocate()
      output.deallocate()
    }
    guard let from = input.baseAddress, let into = output.baseAddress else { return }
    var (available, used, produced) = (0, 0, 0)
    var room = limits.content
    var isAtBoundary = false
    while true {
      if used == available {
        (available, used) = (try fill(input), 0)
        if available == 0 { break }
      }
      let status = Int(lj_unpacker_run(native, from, available, &used, into, output.count, &produced))
      isAtBoundary = status == LJ_UNPACK_COMPLETE
      switch status {
      case LJ_UNPACK_DAMAGED:
        throw .notUnpacked(path: subject, reason: "it is damaged, or was changed, about \(byteCount) bytes into it")
      case LJ_UNPACK_OVERSIZED:
        throw .notUnpacked(
          path: subject, reason: "it was packed with a dictionary of more than 128 MiB. Unpack it yourself")
      default: break
      }
      if produced == output.count {
        try keep(output[...], limits, &room, subject)
        produced = 0
      }
    }
    // What the library still holds back; a stream that was cut gives what it has.
    while true {
      let before = produced
      _ = lj_unpacker_run(native, from, 0, &used, into, output.count, &produced)
      guard produced > before else { break }
      if produced == output.count {
        try keep(output[...], limits, &room, subject)
        produced = 0
      }
    }
    try keep(output[..<produced], limits, &room, subject)
    guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
      throw .system(call: "ftruncate", subject: subject, errno: errno)
    }
    isCut = !isAtBoundary
  }

  deinit { close(descriptor) }

  /// Appends; whole pages of zeroes are left out.
  private func keep(
    _ bytes: Slice<UnsafeMutableRawBufferPointer>, _ limits: Limits, _ room: inout UInt64, _ subject: String
  ) throws(InspectError) {
    var rest = UnsafeRawBufferPointer(rebasing: bytes)[...]
    while !rest.isEmpty {
      let page = rest.prefix(Self.hole)
      rest = rest.dropFirst(Self.hole)
      guard byteCount + UInt64(page.count) <= limits.length else {
        throw .notUnpacked(
          path: subject,
          reason: "it unpacks to more than \(limits.length >> 20) MiB. Unpack it yourself if you trust it")
      }
      if !Self.isZero(page) {
        guard room >= UInt64(page.count) else {
          throw .notUnpacked(
            path: subject,
            reason: "it unpacks to more than \(limits.content >> 20) MiB that are not zero, for which there is no room")
        }
        room -= UInt64(page.count)
        try write(page, subject)
      }
      byteCount += UInt64(page.count)
    }
  }

  private func write(_ page: Slice<UnsafeRawBufferPointer>, _ subject: String) throws(InspectError) {
    let buffer = UnsafeRawBufferPointer(rebasing: page)
    var done = 0
    while done < buffer.count, let base = buffer.baseAddress {
      let count = pwrite(descriptor, base + done, buffer.count - done, off_t(byteCount) + off_t(done))
      if count < 0 {
        if errno == EINTR { continue }
        throw .system(call: "pwrite", subject: "the unpacked content of \(subject)", errno: errno)
      }
      done += count
    }
  }

  private static func isZero(_ page: Slice<UnsafeRawBufferPointer>) -> Bool {
    guard let base = UnsafeRawBufferPointer(rebasing: page).baseAddress, page.first == 0 else { return false }
    // Every byte equals the one before it, and the first is zero.
    return memcmp(base, base + 1, page.count - 1) == 0
  }

  /// On a disk where there is one: /tmp is memory on many machines. Half of what is free there is left to others.
  private static func temporaryFile(_ limits: inout Limits) throws(InspectError) -> Int32 {
    let own = getenv("TMPDIR").map { String(cString: $0) }
    var failure = ENOENT
    for directory in [own, "/var/tmp", "/tmp"].compactMap({ $0 }) where directory.hasPrefix("/") {
      var template = Array("\(directory)/lockjaw-core-XXXXXX".utf8CString)
      let fd = mkstemp(&template)
      guard fd >= 0 else {
        failure = errno
        continue
      }
      _ = fcntl(fd, F_SETFD, FD_CLOEXEC)
      unlink(template)
      var space = statvfs()
      if fstatvfs(fd, &space) == 0 {
        limits.content = min(limits.content, half(ofBlocks: UInt64(space.f_bavail), bytesEach: UInt64(space.f_frsize)))
      }
      return fd
    }
    throw .system(call: "mkstemp", subject: "a temporary file (set TMPDIR to a directory with room)", errno: failure)
  }

  /// Some file systems report more free blocks than have a number of bytes.
  static func half(ofBlocks count: UInt64, bytesEach: UInt64) -> UInt64 {
    let (bytes, overflow) = count.multipliedReportingOverflow(by: bytesEach)
    return overflow ? .max / 2 : bytes / 2
  }
}
