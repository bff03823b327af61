/// One instruction while it is decoded and carried out: prefixes, opcode, and the operand that ModRM names (Intel SDM
/// volume 2, chapter 2).
struct Instruction {
  /// 0xF2 or 0xF3 where one of them stands before the opcode, else 0.
  var repeatPrefix: UInt8 = 0
  var hasOperandSizePrefix = false
  var hasAddressSizePrefix = false
  var isLocked = false
  /// Base of the segment an override names.
  var segmentBase: UInt64 = 0
  var rex: UInt8 = 0
  var opcode: UInt8 = 0

  /// The register operand, REX.R included.
  var reg = 0
  /// The other register operand, REX.B included, where `isMemory` is false.
  var rm = 0
  var isMemory = false
  /// Effective address where `isMemory`.
  var address: UInt64 = 0
  /// The address is a constant of the code: RIP-relative or absolute.
  var isStaticAddress = false

  /// Bytes taken so far.
  var length = 0

  /// Width of an operand that is neither a byte nor fixed.
  @inline(__always) var width: Int { rex & 8 != 0 ? 8 : hasOperandSizePrefix ? 2 : 4 }
  /// Of PUSH, POP, near branches: 64 bits unless there is a 0x66.
  @inline(__always) var stackWidth: Int { hasOperandSizePrefix ? 2 : 8 }
  /// Which of the four variants of an SSE instruction: no prefix, 66, F3, F2.
  @inline(__always) var variant: Variant {
    repeatPrefix == 0xF3 ? .f3 : repeatPrefix == 0xF2 ? .f2 : hasOperandSizePrefix ? .p66 : .plain
  }
  enum Variant { case plain, p66, f3, f2 }
}
