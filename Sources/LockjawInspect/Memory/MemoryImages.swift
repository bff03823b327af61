import LockjawModel

/// Many images as one memory; the stacks of a thousand threads, say. Look-ups are logarithmic.
package struct MemoryImages: MemoryReader {
  /// By rising base.
  package let images: [MemoryImage]

  package init(_ images: [MemoryImage]) { self.images = images.sorted { $0.base < $1.base } }

  package func read(_ address: Address, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let index = firstIndex(above: address)
    return index > 0 ? images[index - 1].read(address, into: buffer) : 0
  }

  package func nextByte(above address: Address) -> Address? {
    let index = firstIndex(above: address)
    return index < images.count ? images[index].base : nil
  }

  /// Of the first image that begins above `address`.
  private func firstIndex(above address: Address) -> Int {
    var low = 0
    var high = images.count
    while low < high {
      let middle = (low + high) / 2
      if images[middle].base <= address { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
