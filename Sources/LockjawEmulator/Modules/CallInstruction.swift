import LockjawInspect
import LockjawModel

/// A CALL in a program's code, found by where it returns to.
struct CallInstruction: Hashable {
  /// `nil` for an indirect one.
  var target: UInt64?

  /// - Returns: `nil` where the bytes before `returnAddress` are no call. Some bytes are one by chance.
  init?(before returnAddress: UInt64, memory: any MemoryReader) {
    let longest: UInt64 = 8
    guard returnAddress > longest,
      let bytes = memory.bytes(at: Address(returnAddress - longest), count: Int(longest))
    else { return nil }
    // E8, and the distance.
    if bytes[3] == 0xE8 {
      let distance = bytes[4...].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      target = returnAddress &+ UInt64(bitPattern: Int64(Int32(bitPattern: distance)))
      return
    }
    // FF /2: a register or memory; a prefix before it does not matter here.
    for length in 2...7 where bytes[8 - length] == 0xFF {
      let form = bytes[9 - length]
      guard form >> 3 & 7 == 2 else { continue }
      let (mode, operand) = (form >> 6, form & 7)
      // As long as its ModRM byte says, with a SIB byte and a displacement.
      var expected = 2 + (mode == 1 ? 1 : mode == 2 ? 4 : 0)
      if mode != 3, operand == 4 {
        expected += 1
        if mode == 0, length > 2, bytes[10 - length] & 7 == 5 { expected += 4 }
      }
      if mode == 0, operand == 5 { expected += 4 }
      if expected == length { return }
    }
    return nil
  }
}
