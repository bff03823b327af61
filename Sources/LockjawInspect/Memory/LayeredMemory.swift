import LockjawModel

/// Several memories seen as one. The first that has a byte gives it; where it ends, the next goes on.
package struct LayeredMemory: MemoryReader {
  /// The most trusted first: a copy of one moment before memory that goes on changing.
  package let layers: [any MemoryReader]

  package init(_ layers: [any MemoryReader]) { self.layers = layers }

  package func read(_ address: Address, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let (next, overflow) = address.rawValue.addingReportingOverflow(UInt64(done))
      guard !overflow else { break }
      // A layer further down may have what the first one lacks; when none has a single byte, this is the end.
      var got = 0
      var room = rest
      for layer in layers {
        got = layer.read(Address(next), into: room)
        if got > 0 { break }
        // Only up to where this one goes on: a copy of a stack begins in the middle of a page, and the memory below it
        // would give the page's whole rest, as it is now.
        if let start = layer.nextByte(above: Address(next)), start.rawValue - next < UInt64(room.count) {
          room = UnsafeMutableRawBufferPointer(rebasing: room[..<Int(start.rawValue - next)])
        }
      }
      guard got > 0 else { break }
      done += got
    }
    return done
  }

  package func nextByte(above address: Address) -> Address? {
    layers.compactMap { $0.nextByte(above: address) }.min()
  }
}
