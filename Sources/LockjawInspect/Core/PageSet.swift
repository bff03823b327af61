import LockjawModel

/// Pages of an address space that a minicore shall have.
struct PageSet {
  static let pageBytes: UInt64 = 4096
  /// Page numbers.
  private var pages: Set<UInt64> = []

  var byteCount: UInt64 { UInt64(pages.count) * Self.pageBytes }

  /// Every page that `count` bytes at `address` touch. Nothing for a range that wraps around the address space.
  mutating func insert(_ address: Address, count: UInt64) {
    guard count > 0 else { return }
    let (last, overflow) = address.rawValue.addingReportingOverflow(count - 1)
    guard !overflow else { return }
    for page in address.rawValue / Self.pageBytes...last / Self.pageBytes { pages.insert(page) }
  }

  /// Neighbouring pages as one range each, by rising address, cut to `entry`.
  func runs(in entry: MemoryMapEntry, sorted: [UInt64]) -> [Range<UInt64>] {
    let first = entry.start / Self.pageBytes
    let end = entry.end / Self.pageBytes
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < first { low = middle + 1 } else { high = middle }
    }
    var runs: [Range<UInt64>] = []
    while low < sorted.count, sorted[low] < end {
      var last = low
      while last + 1 < sorted.count, sorted[last + 1] == sorted[last] + 1, sorted[last + 1] < end { last += 1 }
      runs.append(sorted[low] * Self.pageBytes..<(sorted[last] + 1) * Self.pageBytes)
      low = last + 1
    }
    return runs
  }

  var sorted: [UInt64] { pages.sorted() }
}
