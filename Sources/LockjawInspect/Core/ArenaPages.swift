import CLockjawNative
import Glibc

/// The pages of a process' arena that are in use, out of its file: reading the mapping itself would allocate those that
/// are not.
final class ArenaPages {
  struct Piece {
    /// Address in the process.
    var address: UInt64
    var offset: UInt64
    var count: Int
  }
  let path: String
  private(set) var pieces: [Piece] = []
  private let fd: Int32
  private static let pageBytes = 4096

  /// `nil` where the process has no arena mapped, or its file is gone.
  init?(_ map: MemoryMap, _ process: LiveProcess) {
    let entries = map.entries.filter { $0.path.hasSuffix(".arena") && $0.path.hasPrefix("/") }
    guard let first = entries.first else { return nil }
    path = first.path
    var fd = open("\(process.liveDirectory)/root\(path)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    if fd < 0 { fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) }
    guard fd >= 0 else { return nil }
    self.fd = fd
    var status = stat()
    guard fstat(fd, &status) == 0, UInt64(status.st_ino) == first.inode else { return nil }
    for entry in entries where entry.path == path { findPieces(entry) }
  }

  deinit { close(fd) }

  private func findPieces(_ entry: MemoryMapEntry) {
    let end = entry.offset + (entry.end - entry.start)
    var at = Int64(entry.offset)
    while true {
      let begin = lj_next_data(fd, at)
      guard begin >= 0, UInt64(begin) < end else { return }
      let stop = lj_next_hole(fd, begin)
      guard stop > begin else { return }
      let count = min(UInt64(stop), end) - UInt64(begin)
      addUsed(entry, from: UInt64(begin), count: Int(count))
      at = stop
    }
  }

  /// Pages are allocated some at a time; those still all zero say nothing.
  private func addUsed(_ entry: MemoryMapEntry, from start: UInt64, count: Int) {
    var open: Piece?
    for at in stride(from: 0, to: count, by: Self.pageBytes) {
      let offset = start + UInt64(at)
      let length = min(Self.pageBytes, count - at)
      if bytes(at: offset, count: length).contains(where: { $0 != 0 }) {
        if open == nil { open = Piece(address: entry.start + (offset - entry.offset), offset: offset, count: 0) }
        open?.count += length
      } else if let piece = open {
        pieces.append(piece)
        open = nil
      }
    }
    if let piece = open { pieces.append(piece) }
  }

  func bytes(at offset: UInt64, count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      let got = pread(fd, buffer.baseAddress, count, off_t(offset))
      initialized = max(got, 0)
    }
  }
}
