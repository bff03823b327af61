import CLockjawNative
import LockjawModel

/// The bytes a core has, by the addresses they had.
///
/// What the core leaves out (`p_filesz` smaller than `p_memsz`: code, mostly) and what a truncated file lacks cannot
/// be read here: the next layer, the module's file, may have it. A hole of a sparse core reads as zeroes, which is
/// what was in memory.
package struct CoreMemory: MemoryReader {
  struct Region {
    var start: UInt64
    var count: UInt64
    var fileOffset: UInt64
  }
  /// By rising start; what overlaps an earlier one has been cut.
  let regions: [Region]
  private let mapping: CoreMapping

  init(_ segments: [ELFSegment], _ mapping: CoreMapping) {
    self.mapping = mapping
    var regions = [Region]()
    let loads = segments.filter { $0.type == ELFSegment.load }.sorted { $0.virtualAddress < $1.virtualAddress }
    var taken: UInt64 = 0
    for segment in loads {
      guard let end = segment.virtualEnd, segment.offset < UInt64(mapping.byteCount) else { continue }
      var count = min(segment.fileSize, UInt64(mapping.byteCount) - segment.offset, end - segment.virtualAddress)
      var (start, offset) = (segment.virtualAddress, segment.offset)
      if start < taken {
        let cut = min(taken - start, count)
        (start, offset, count) = (start + cut, offset + cut, count - cut)
      }
      guard count > 0 else { continue }
      regions.append(Region(start: start, count: count, fileOffset: offset))
      taken = start + count
    }
    self.regions = regions
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
    mapping.withBytes { bytes in
      let offset = Int(region.fileOffset + within)
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
    }
    return count
  }
}

/// A core's file, mapped; a page that vanishes because the file shrinks reads as zeroes.
///
/// Sendable: the mapping is read-only and lives as long as the object.
final class CoreMapping: @unchecked Sendable {
  private let base: UnsafeMutableRawPointer
  let byteCount: Int

  init(base: UnsafeMutableRawPointer, byteCount: Int) {
    self.base = base
    self.byteCount = byteCount
  }

  deinit { lj_guarded_unmap(base) }

  func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    lj_guard_thread()
    return body(UnsafeRawBufferPointer(start: base, count: byteCount))
  }
}

extension CoreMemory {
  /// The parts of a range that the core has, by rising address, each at most 1 MiB.
  package func pieces(from start: Address, byteCount: UInt64) -> [(address: Address, count: Int)] {
    let (end, overflow) = start.rawValue.addingReportingOverflow(byteCount)
    guard !overflow else { return [] }
    var result: [(address: Address, count: Int)] = []
    for region in regions where region.start < end && region.start + region.count > start.rawValue {
      var at = max(region.start, start.rawValue)
      let last = min(region.start + region.count, end)
      while at < last {
        let count = min(last - at, 1 << 20)
        result.append((Address(at), Int(count)))
        at += count
      }
    }
    return result
  }
}
