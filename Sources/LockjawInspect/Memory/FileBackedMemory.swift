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
        regions.append(Self.mapped(segment, of: file, bias: bias))
      }
    }
    self.regions = Self.withoutOverlaps(regions.sorted { $0.start < $1.start })
  }

  /// What the kernel maps of a segment: whole pages, with what lies beside the segment in the file. Whoever reads pages
  /// (the emulator) finds them complete, also where no process is left to have the rest.
  private static func mapped(_ segment: ELFSegment, of file: ELFFile, bias: UInt64) -> Region {
    let start = bias &+ segment.virtualAddress
    let inFile = UInt64(file.byteCount) - segment.offset
    let count = min(segment.fileSize, inFile)
    // Only where address and offset agree within a page can the page be mapped; anything else is taken as it stands.
    guard start % pageBytes == segment.offset % pageBytes, segment.memorySize <= segment.fileSize else {
      return Region(start: start, count: count, fileOffset: segment.offset, file: file)
    }
    let before = start % pageBytes
    let after = (pageBytes - (start &+ count) % pageBytes) % pageBytes
    return Region(
      start: start - before, count: min(count + after, inFile) + before, fileOffset: segment.offset - before, file: file
    )
  }

  /// A page that two segments share goes to the later one, whose mapping replaced it.
  private static func withoutOverlaps(_ sorted: [Region]) -> [Region] {
    var regions = sorted
    for index in regions.indices.dropLast() {
      regions[index].count = min(regions[index].count, regions[index + 1].start - regions[index].start)
    }
    return regions
  }

  private static let pageBytes: UInt64 = 4096

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
