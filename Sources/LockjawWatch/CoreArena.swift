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
    if let copy = inside(core, mapped.start, mapped.byteCount), copy.header.identity.pid == pid { return copy }
    guard let file = try? ArenaReader(path: mapped.path), file.header.identity.pid == pid else { return nil }
    return file
  }

  /// Readers want a file, so the core's bytes are put into one that has no name; a sparse one, as the original.
  private static func inside(_ core: CoreFile, _ start: Address, _ byteCount: UInt64) -> ArenaReader? {
    guard byteCount >= 8192, byteCount <= 1 << 32, core.memory.bytes(at: start, count: 64) != nil else { return nil }
    var template = Array("/tmp/lockjaw-arena-XXXXXX".utf8CString)
    let fd = mkstemp(&template)
    guard fd >= 0 else { return nil }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      close(fd)
      unlink(path)
    }
    guard ftruncate(fd, off_t(byteCount)) == 0 else { return nil }
    for piece in core.memory.pieces(from: start, byteCount: byteCount) {
      guard let bytes = core.memory.bytes(at: piece.address, count: piece.count) else { return nil }
      let offset = off_t(piece.address.rawValue - start.rawValue)
      guard pwrite(fd, bytes, bytes.count, offset) == bytes.count else { return nil }
    }
    return try? ArenaReader(path: path)
  }
}
