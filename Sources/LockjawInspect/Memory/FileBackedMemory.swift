import LockjawModel

/// Bytes of modules that never change after loading (code, unwind tables, constants), from their files: what is left
/// of them when the process is gone.
package struct FileBackedMemory: MemoryReader {
  private struct Region {
    var start: UInt64
    var count: UInt64
    var fileOffset: UInt64
    var file: ELFFile
  }
  /// By rising start; they do not overlap.
  private let regions: [Region]

  /// Opens the files of all `modules` that can be had.
  package init(modules: [Module], files: ModuleFiles) {
    self.init(modules.compactMap { module in files.file(for: module).map { (module, $0) } })
  }

  package init(_ modules: [(module: Module, file: ELFFile)]) {
    var regions = [Region]()
    for (module, file) in modules {
      guard let bias = file.loadBias(of: module) else { continue }
      // A segment that is writable is not what the file says any more; neither are relocated constants, which lie
      // in such a segment too.
      for segment in file.segments where segment.type == ELFSegment.load && !segment.isWritable {
        guard segment.offset < UInt64(file.byteCount) else { continue }
        regions.append(
          Region(
            start: bias &+ segment.virtualAddress,
            count: min(segment.fileSize, UInt64(file.byteCount) - segment.offset), fileOffset: segment.offset,
            file: file))
      }
    }
    self.regions = regions.sorted { $0.start < $1.start }
  }

  package func read(_ address: Address, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    var low = 0
    var high = regions.count
    while low < high {
      let middle = (low + high) / 2
      if regions[middle].start <= address.rawValue { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return 0 }
    let region = regions[low - 1]
    let within = address.rawValue - region.start
    guard within < region.count else { return 0 }
    let count = Int(min(UInt64(buffer.count), region.count - within))
    let offset = Int(region.fileOffset + within)
    region.file.withBytes { bytes in
      guard count > 0, offset + count <= bytes.count else { return }
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
    }
    return count
  }
}
