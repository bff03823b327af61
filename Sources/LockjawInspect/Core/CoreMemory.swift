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
  /// Of the core's file: the ranges of one that lies may together be any length.
  package var fileByteCount: Int { mapping.byteCount }

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
    let following = firstRegion(after: address.rawValue)
    guard following > 0 else { return 0 }
    let region = regions[following - 1]
    let within = address.rawValue - region.start
    guard within < region.count else { return 0 }
    let count = Int(min(UInt64(buffer.count), region.count - within))
    mapping.withBytes { bytes in
      let offset = Int(region.fileOffset + within)
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
    }
    return count
  }

  /// The first that begins above `address`.
  private func firstRegion(after address: UInt64) -> Int {
    var low = 0
    var high = regions.count
    while low < high {
      let middle = (low + high) / 2
      if regions[middle].start <= address { low = middle + 1 } else { high = middle }
    }
    return low
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
  /// The parts of a range that the core has, by rising address, each at most 1 MiB; no more of them than its file has
  /// bytes, whatever its headers say.
  package func pieces(from start: Address, byteCount: UInt64) -> [(address: Address, count: Int)] {
    let (end, overflow) = start.rawValue.addingReportingOverflow(byteCount)
    guard !overflow else { return [] }
    var result: [(address: Address, count: Int)] = []
    var left = UInt64(fileByteCount)
    for region in regions[max(firstRegion(after: start.rawValue) - 1, 0)...] {
      guard region.start < end else { break }
      guard region.start + region.count > start.rawValue else { continue }
      var at = max(region.start, start.rawValue)
      let last = min(region.start + region.count, end)
      while at < last, left > 0 {
        let count = min(last - at, 1 << 20, left)
        left -= count
        result.append((Address(at), Int(count)))
        at += count
      }
    }
    return result
  }
}
