/// The arithmetic flags of one moment, and how results set them (Intel SDM volume 1, 3.4.3).
struct Flags: Equatable {
  var carry = false
  var parity = false
  var adjust = false
  var zero = false
  var sign = false
  var overflow = false
  /// String instructions go downwards.
  var direction = false

  /// Sign, zero and parity of a result of `width` bytes.
  @inline(__always)
  mutating func setResult(_ value: UInt64, _ width: Int) {
    let masked = value & Width.mask(width)
    zero = masked == 0
    sign = masked & Width.signBit(width) != 0
    parity = UInt8(truncatingIfNeeded: masked).nonzeroBitCount & 1 == 0
  }

  /// As after AND, OR, XOR, TEST.
  @inline(__always)
  mutating func setLogic(_ value: UInt64, _ width: Int) {
    carry = false
    overflow = false
    adjust = false
    setResult(value, width)
  }

  /// The condition in the low four bits of Jcc, SETcc and CMOVcc.
  @inline(__always)
  func holds(_ condition: UInt8) -> Bool {
    let result: Bool
    switch condition >> 1 & 7 {
    case 0: result = overflow
    case 1: result = carry
    case 2: result = zero
    case 3: result = carry || zero
    case 4: result = sign
    case 5: result = parity
    case 6: result = sign != overflow
    default: result = zero || sign != overflow
    }
    return result != (condition & 1 == 1)
  }

  /// RFLAGS as PUSHF stores it.
  var word: UInt64 {
    get {
      var bits: UInt64 = 0x202
      if carry { bits |= 1 }
      if parity { bits |= 4 }
      if adjust { bits |= 0x10 }
      if zero { bits |= 0x40 }
      if sign { bits |= 0x80 }
      if direction { bits |= 0x400 }
      if overflow { bits |= 0x800 }
      return bits
    }
    set {
      carry = newValue & 1 != 0
      parity = newValue & 4 != 0
      adjust = newValue & 0x10 != 0
      zero = newValue & 0x40 != 0
      sign = newValue & 0x80 != 0
      direction = newValue & 0x400 != 0
      overflow = newValue & 0x800 != 0
    }
  }
}

/// Operand sizes in bytes: 1, 2, 4, 8.
enum Width {
  @inline(__always) static func mask(_ width: Int) -> UInt64 { ~0 >> UInt64(64 - 8 * width) }
  @inline(__always) static func signBit(_ width: Int) -> UInt64 { 1 << UInt64(8 * width - 1) }
  /// The value's sign spread over 64 bits.
  @inline(__always) static func signExtend(_ value: UInt64, _ width: Int) -> UInt64 {
    let shift = UInt64(64 - 8 * width)
    return UInt64(bitPattern: Int64(bitPattern: value << shift) >> Int64(shift))
  }
}
