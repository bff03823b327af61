import CLockjawABI
import Glibc
import LockjawArena
import LockjawInspect
import LockjawModel

/// Finds the arena of a core's process.
package enum CoreArena {
  /// The copy inside the core, where a minicore has one; else the file that the process had mapped, if it is still
  /// there and still that process'. `nil` where there is none.
  package static func find(_ core: CoreFile) -> ArenaReader? {
    guard let mapped = core.mappedFile(suffix: ".arena") else { return nil }
    let pid = core.snapshot().identity.pid
    if let copy = inside(core, mapped), copy.header.identity.pid == pid { return copy }
    guard let file = try? ArenaReader(path: mapped.path), file.header.identity.pid == pid else { return nil }
    return file
  }

  private static let fileBytesOffset = UInt64(
    MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.file_bytes) ?? 0)

  /// Readers want a file, so the core's bytes are put into one that has no name; a sparse one, as the original.
  ///
  /// A process maps its arena in chunks; how long the file is, its header says.
  private static func inside(_ core: CoreFile, _ mapped: CoreFile.MappedFile) -> ArenaReader? {
    guard let head = mapped.parts.first(where: { $0.offset == 0 }),
      let byteCount = core.memory.load(UInt64.self, at: Address(head.start.rawValue &+ fileBytesOffset)),
      byteCount >= 8192, byteCount <= 1 << 32
    else { return nil }
    var template = Array("/tmp/lockjaw-arena-XXXXXX".utf8CString)
    let fd = mkstemp(&template)
    guard fd >= 0 else { return nil }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      close(fd)
      unlink(path)
    }
    guard ftruncate(fd, off_t(byteCount)) == 0 else { return nil }
    // A core has a byte of its own for each; one that lies has the same bytes for many addresses.
    var left = core.memory.fileByteCount
    for part in mapped.parts {
      for piece in core.memory.pieces(from: part.start, byteCount: part.byteCount) {
        left -= piece.count
        guard left >= 0, let bytes = core.memory.bytes(at: piece.address, count: piece.count) else { return nil }
        let offset = part.offset &+ (piece.address.rawValue - part.start.rawValue)
        guard offset <= byteCount, pwrite(fd, bytes, bytes.count, off_t(offset)) == bytes.count else { return nil }
      }
    }
    return try? ArenaReader(path: path)
  }
}
