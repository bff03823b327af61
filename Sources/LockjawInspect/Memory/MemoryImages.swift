import LockjawModel

/// Many images as one memory; the stacks of a thousand threads, say. Look-ups are logarithmic.
package struct MemoryImages: MemoryReader {
  /// By rising base.
  package let images: [MemoryImage]

  package init(_ images: [MemoryImage]) { self.images = images.sorted { $0.base < $1.base } }

  package func read(_ address: Address, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    var low = 0
    var high = images.count
    while low < high {
      let middle = (low + high) / 2
      if images[middle].base <= address { low = middle + 1 } else { high = middle }
    }
    return low > 0 ? images[low - 1].read(address, into: buffer) : 0
  }
}
