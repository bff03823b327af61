import LockjawModel

/// Memory of a target: a live process, a core, an arena's stack copy, or a test's dictionary. All that the rooms
/// below see of where bytes come from.
package protocol MemoryReader: Sendable {
  /// Copies bytes starting at `address` into `buffer` and returns how many could be had: a prefix, possibly empty,
  /// never more than `buffer.count`. Never throws and never faults; what cannot be read is simply short.
  func read(_ address: Address, into buffer: UnsafeMutableRawBufferPointer) -> Int
  /// Where it goes on above `address`, of which it has nothing; `nil` where it does not, or does not know.
  func nextByte(above address: Address) -> Address?
}

extension MemoryReader {
  package func nextByte(above address: Address) -> Address? { nil }
}

extension MemoryReader {
  /// `count` bytes at `address`, or `nil` where not all of them can be read.
  package func bytes(at address: Address, count: Int) -> [UInt8]? {
    guard count >= 0 else { return nil }
    var result = [UInt8](repeating: 0, count: count)
    let got = result.withUnsafeMutableBytes { read(address, into: $0) }
    return got == count ? result : nil
  }

  /// A little-endian integer at `address`, unaligned allowed.
  package func load<T: FixedWidthInteger>(_ type: T.Type, at address: Address) -> T? {
    var value = T.zero
    let got = withUnsafeMutableBytes(of: &value) { read(address, into: $0) }
    return got == MemoryLayout<T>.size ? T(littleEndian: value) : nil
  }
}
