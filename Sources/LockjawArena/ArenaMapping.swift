import CLockjawABI
import CLockjawNative
import Glibc

func errnoSentence(_ code: Int32) -> String { String(cString: strerror(code)) }

/// A mapped arena file and the right to read it.
///
/// The file belongs to another process, which may truncate it at any moment: the pages are mapped under the
/// SIGBUS guard, so a page that vanishes reads as zeros and `faultCount` tells. All loads are bounds-checked
/// against the size the file had when it was mapped and return zero outside.
struct ArenaMapping: ~Copyable {
  private let base: UnsafeMutableRawPointer
  let byteCount: Int
  /// The collector's page is mapped writable.
  let isWritable: Bool
  let file: FileIdentity

  /// - Parameter writable: also map the collector's page for writing; falls back to read-only where the file
  ///   system does not allow it.
  init(path: String, writable: Bool) throws(ArenaError) {
    var fd: Int32 = -1
    var writes = false
    if writable {
      fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      writes = fd >= 0
    }
    if fd < 0 { fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) }
    guard fd >= 0 else { throw .cannotOpen(path: path, errno: errno) }
    defer { close(fd) }
    var status = stat()
    guard fstat(fd, &status) == 0 else { throw .cannotOpen(path: path, errno: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notAnArena(path: path) }
    let size = Int(status.st_size)
    guard size >= 2 * LJ_PAGE else {
      var magic: UInt64 = 0
      guard pread(fd, &magic, 8, 0) < 8 || magic == ArenaHeader.magic else { throw .notAnArena(path: path) }
      throw .truncated(path: path, has: UInt64(max(size, 0)), needs: 2 * UInt64(LJ_PAGE))
    }
    // 4 GiB is ten times what the largest format-1 arena spans; more is not worth mapping.
    guard size <= 1 << 32 else { throw .inconsistent(path: path, field: "file size") }
    guard let mapped = lj_guarded_map(fd, size, writes ? LJ_COLLECTOR_OFFSET : -1) else {
      throw .cannotOpen(path: path, errno: errno)
    }
    base = mapped
    byteCount = size
    isWritable = writes
    file = FileIdentity(status)
  }

  deinit { lj_guarded_unmap(base) }

  /// Pages that vanished under us since the mapping was made.
  borrowing func faultCount() -> UInt64 { lj_guarded_faults(base) }

  /// The address of `count` bytes at `offset`, or `nil` where they are not all inside.
  borrowing func pointer(_ offset: Int, _ count: Int) -> UnsafeRawPointer? {
    guard offset >= 0, count >= 0, offset <= byteCount - count else { return nil }
    return UnsafeRawPointer(base + offset)
  }

  borrowing func loadAcquire32(_ offset: Int) -> UInt32 {
    guard offset & 3 == 0, let at = pointer(offset, 4) else { return 0 }
    return lj_load_acquire32(at)
  }

  borrowing func loadAcquire64(_ offset: Int) -> UInt64 {
    guard offset & 7 == 0, let at = pointer(offset, 8) else { return 0 }
    return lj_load_acquire64(at)
  }

  /// A plain copy of a C struct of the format; what races with it is settled by the caller's sequence check.
  borrowing func load<T: BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T? {
    pointer(offset, MemoryLayout<T>.size)?.loadUnaligned(as: T.self)
  }

  borrowing func bytes(at offset: Int, count: Int) -> [UInt8] {
    guard let at = pointer(offset, count) else { return [] }
    return [UInt8](UnsafeRawBufferPointer(start: at, count: count))
  }

  /// The collector's page, for its atomics; `nil` in a read-only mapping.
  borrowing func collectorWord(_ fieldOffset: Int) -> UnsafeMutableRawPointer? {
    guard isWritable, fieldOffset >= 0, fieldOffset + 8 <= LJ_PAGE else { return nil }
    return base + LJ_COLLECTOR_OFFSET + fieldOffset
  }
}

/// Text up to the first NUL, with what is not UTF-8 replaced.
func text(_ bytes: some Sequence<UInt8>) -> String {
  String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
}

/// The bytes of a fixed C array, which Swift sees as a tuple.
func tupleBytes<T>(_ tuple: T) -> [UInt8] { withUnsafeBytes(of: tuple) { [UInt8]($0) } }
