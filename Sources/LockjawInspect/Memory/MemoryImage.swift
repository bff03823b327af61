import LockjawModel

/// A copy of bytes that were at `base`.
package struct MemoryImage: MemoryReader, Hashable {
  package let base: Address
  package let bytes: [UInt8]

  package init(base: Address, bytes: [UInt8]) {
    self.base = base
    self.bytes = bytes
  }

  /// The stack a wait left behind, from its stack pointer upwards.
  package init(_ wait: Wait) {
    self.init(base: Address(wait.context.sp), bytes: wait.stackTop)
  }

  /// One past the last byte; wraps to the top of the address space at most.
  package var end: Address { Address(base.rawValue &+ UInt64(bytes.count)) }

  package func read(_ address: Address, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard address >= base else { return 0 }
    let offset = address.rawValue - base.rawValue
    guard offset < UInt64(bytes.count) else { return 0 }
    let count = min(buffer.count, bytes.count - Int(offset))
    guard count > 0 else { return 0 }
    bytes.withUnsafeBytes { source in
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[Int(offset)..<Int(offset) + count]))
    }
    return count
  }

  package func nextByte(above address: Address) -> Address? { address < base && !bytes.isEmpty ? base : nil }
}
