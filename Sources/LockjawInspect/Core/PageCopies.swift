import CLockjawNative
import LockjawModel

/// Many ranges of a process' memory, copied in few system calls.
final class PageCopies {
  /// Of each range, where its bytes are and how many there were.
  private(set) var offsets: [Int] = []
  private(set) var counts: [Int] = []
  private let storage: UnsafeMutableRawBufferPointer

  /// - Parameters:
  ///   - ranges: by rising address; they do not overlap.
  ///   - overlay: bytes of an earlier moment, which replace those of now: the stacks of a snapshot, say. Later ones replace
  ///     earlier ones.
  init(_ ranges: [Range<UInt64>], from task: Int32, overlay: [MemoryImage]) {
    let total = ranges.reduce(0) { $0 + Int($1.upperBound - $1.lowerBound) }
    storage = .allocate(byteCount: max(total, 1), alignment: 4096)
    guard let base = storage.baseAddress else { return }
    var offset = 0
    var natives: [lj_range] = []
    for range in ranges {
      let count = Int(range.upperBound - range.lowerBound)
      natives.append(lj_range(address: range.lowerBound, destination: base + offset, bytes: count, copied: 0))
      offsets.append(offset)
      offset += count
    }
    natives.withUnsafeMutableBufferPointer { buffer in
      if let first = buffer.baseAddress { _ = lj_copy_ranges(task, first, buffer.count) }
    }
    counts = natives.map(\.copied)
    for image in overlay { lay(image, over: ranges, at: base) }
  }

  deinit { storage.deallocate() }

  func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws(InspectError) -> R) throws(InspectError) -> R {
    try body(UnsafeRawBufferPointer(storage))
  }

  private func lay(_ image: MemoryImage, over ranges: [Range<UInt64>], at base: UnsafeMutableRawPointer) {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound <= image.base.rawValue { low = middle + 1 } else { high = middle }
    }
    while low < ranges.count, ranges[low].lowerBound < image.end.rawValue {
      let start = max(ranges[low].lowerBound, image.base.rawValue)
      let end = min(ranges[low].lowerBound + UInt64(counts[low]), image.end.rawValue)
      if start < end {
        let into = UnsafeMutableRawBufferPointer(
          start: base + offsets[low] + Int(start - ranges[low].lowerBound), count: Int(end - start))
        _ = image.read(Address(start), into: into)
      }
      low += 1
    }
  }
}
