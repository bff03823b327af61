/// Scalar floating point, so that code which counts seconds or load factors between two lock operations can be passed.
/// Rounding is to nearest, as threads begin; NaN payloads are not kept exactly.
extension Processor {
  mutating func scalar(_ i: inout Instruction) {
    operands(&i)
    switch (i.opcode, i.variant) {
    case (0x2A, .f3), (0x2A, .f2): fromInteger(i)
    case (0x2C, .f3), (0x2C, .f2), (0x2D, .f3), (0x2D, .f2): toInteger(i)
    case (0x2E, .plain), (0x2F, .plain): compare(Double(single(i)), Double(float(vectors[i.reg & 15][0])))
    case (0x2E, .p66), (0x2F, .p66): compare(double(i), Double(bitPattern: vectors[i.reg & 15][0]))
    case (0x5A, .f2): mergeLow(i.reg, UInt64(Float(double(i)).bitPattern), 4)
    case (0x5A, .f3): mergeLow(i.reg, Double(single(i)).bitPattern, 8)
    case (0x51...0x5F, .f2):
      let b = double(i)
      let a = Double(bitPattern: vectors[i.reg & 15][0])
      mergeLow(i.reg, arithmetic(i.opcode, a, b).bitPattern, 8)
    case (0x51...0x5F, .f3):
      let b = single(i)
      let a = float(vectors[i.reg & 15][0])
      mergeLow(i.reg, UInt64(arithmetic(i.opcode, a, b).bitPattern), 4)
    default: pending = .unknownInstruction
    }
  }

  private func float(_ bits: UInt64) -> Float { Float(bitPattern: UInt32(truncatingIfNeeded: bits)) }

  private mutating func double(_ i: Instruction) -> Double {
    Double(bitPattern: i.isMemory ? load(i.address, 8) : vectors[i.rm & 15][0])
  }

  private mutating func single(_ i: Instruction) -> Float {
    float(i.isMemory ? load(i.address, 4) : vectors[i.rm & 15][0])
  }

  private func arithmetic<T: BinaryFloatingPoint>(_ opcode: UInt8, _ a: T, _ b: T) -> T {
    switch opcode {
    case 0x51: b.squareRoot()
    case 0x58: a + b
    case 0x59: a * b
    case 0x5C: a - b
    case 0x5D: a < b ? a : b
    case 0x5E: a / b
    default: a > b ? a : b
    }
  }

  private mutating func fromInteger(_ i: Instruction) {
    let width = i.rex & 8 != 0 ? 8 : 4
    let value = Int64(bitPattern: Width.signExtend(source(i, width), width))
    if i.variant == .f2 {
      mergeLow(i.reg, Double(value).bitPattern, 8)
    } else {
      mergeLow(i.reg, UInt64(Float(value).bitPattern), 4)
    }
  }

  private mutating func toInteger(_ i: Instruction) {
    let width = i.rex & 8 != 0 ? 8 : 4
    var value = i.variant == .f2 ? double(i) : Double(single(i))
    value.round(i.opcode == 0x2C ? .towardZero : .toNearestOrEven)
    let limit: Double = width == 8 ? 0x1p63 : 0x1p31
    // What does not fit, NaN included, becomes the "integer indefinite".
    let result = value >= -limit && value < limit ? UInt64(bitPattern: Int64(value)) : Width.signBit(width)
    setRegister(i.reg, width, result, i)
  }

  private mutating func compare(_ b: Double, _ a: Double) {
    flags.setLogic(1, 8)
    let isUnordered = a.isNaN || b.isNaN
    flags.zero = isUnordered || a == b
    flags.parity = isUnordered
    flags.carry = isUnordered || a < b
  }
}
