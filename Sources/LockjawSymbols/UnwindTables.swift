import CLockjawNative
import LockjawInspect
import LockjawModel

/// Finds the unwind table of the module an address lies in: in the module's file, else in its loaded image.
final class UnwindTables {
  /// Remembered by module, also that there is none: every unknown address in it would ask again.
  private enum Found {
    case notLookedFor
    case table(lj_unwind_table)
    case none
  }
  private let modules: ModuleIndex
  private let files: ModuleFiles
  private var found: [Found]

  init(modules: [Module], files: ModuleFiles) {
    self.modules = ModuleIndex(modules)
    self.files = files
    found = Array(repeating: .notLookedFor, count: self.modules.modules.count)
  }

  /// - Parameter memory: read where the module's file cannot be had.
  func table(covering address: Address, memory: any MemoryReader) -> lj_unwind_table? {
    guard let index = modules.index(containing: address) else { return nil }
    switch found[index] {
    case .table(let table): return table
    case .none: return nil
    case .notLookedFor:
      let module = modules.modules[index]
      let table = segment(of: module, memory: memory).flatMap { segment, bias in
        Self.table(header: bias &+ segment.virtualAddress, size: segment.memorySize, of: module, memory: memory)
      }
      found[index] = table.map { .table($0) } ?? .none
      return table
    }
  }

  private func segment(of module: Module, memory: any MemoryReader) -> (ELFSegment, bias: UInt64)? {
    let type = ELFSegment.unwindTable
    if let file = files.file(for: module), let bias = file.loadBias(of: module),
      let segment = file.segments.first(where: { $0.type == type })
    {
      return (segment, bias)
    }
    // The file is gone or was replaced; what was loaded from it is still there, its headers included.
    guard let image = LoadedImage(at: module.start, memory: memory) else { return nil }
    return image.segments.first { $0.type == type }.map { ($0, image.bias) }
  }

  /// `.eh_frame_hdr`: version, three encodings, a pointer to `.eh_frame`, the number of entries, the entries.
  /// Only the form that every linker writes is understood: 4-byte numbers, entries relative to the header.
  private static func table(
    header: UInt64, size: UInt64, of module: Module, memory: any MemoryReader
  ) -> lj_unwind_table? {
    guard let bytes = memory.bytes(at: Address(header), count: 12), bytes[0] == 1 else { return nil }
    let (framePointer, countEncoding, tableEncoding) = (bytes[1], bytes[2], bytes[3])
    let isFourBytes: (UInt8) -> Bool = { $0 & 0x0F == 0x03 || $0 & 0x0F == 0x0B }
    guard isFourBytes(framePointer), countEncoding == 0x03, tableEncoding == 0x3B else { return nil }
    // As many as the segment has room for at most: the number is the file's, and is looped over.
    let count = bytes[8..<12].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard count > 0, size >= 12, count <= (size - 12) / 8 else { return nil }
    return lj_unwind_table(
      start: module.start.rawValue, end: module.end.rawValue, header: header, entries: header &+ 12, count: count)
  }
}
