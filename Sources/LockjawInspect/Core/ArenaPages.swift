import CLockjawNative
import Glibc

/// What of a process' arena is in use, out of its file: reading the mapping itself would allocate those that
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
  /// A cache line: pieces begin at multiples of it.
  static let lineBytes = 64
  /// A new piece costs a program header of 56 bytes.
  private static let longestZeroes = 256
  private static let chunkBytes = 1 << 20

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

  /// A slot is two pages of which a thread with few locks uses some hundred bytes: runs of zeroes are left out, since a
  /// reader finds zeroes where a core has nothing.
  private func addUsed(_ entry: MemoryMapEntry, from start: UInt64, count: Int) {
    var open: Piece?
    var zeroes = 0
    var at = 0
    while at < count {
      let chunk = bytes(at: start + UInt64(at), count: min(Self.chunkBytes, count - at))
      for line in stride(from: 0, to: chunk.count, by: Self.lineBytes) {
        let length = min(Self.lineBytes, chunk.count - line)
        let offset = start + UInt64(at + line)
        if chunk[line..<line + length].allSatisfy({ $0 == 0 }) {
          zeroes += length
          continue
        }
        if var piece = open, zeroes < Self.longestZeroes {
          piece.count += zeroes + length
          open = piece
        } else {
          if let open { pieces.append(open) }
          open = Piece(address: entry.start + (offset - entry.offset), offset: offset, count: length)
        }
        zeroes = 0
      }
      at += chunk.count
    }
    if let open { pieces.append(open) }
  }

  /// As many as are asked for: zeroes where the file has become shorter since it was laid out, or cannot be read. A part of
  /// a core has the length that its header says.
  func bytes(at offset: UInt64, count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      let got = max(pread(fd, buffer.baseAddress, count, off_t(offset)), 0)
      buffer[got...].initialize(repeating: 0)
      initialized = count
    }
  }
}
