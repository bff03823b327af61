/// Integer arithmetic and logic: the eight operations of opcodes 00…3F and group 1, increments, negation, multiplication,
/// division.
extension Processor {
  /// Which of the eight: ADD OR ADC SBB AND SUB XOR CMP.
  @inline(__always)
  private mutating func compute(_ operation: UInt8, _ a: UInt64, _ b: UInt64, _ width: Int) -> UInt64 {
    switch operation & 7 {
    case 0: return add(a, b, false, width)
    case 1:
      flags.setLogic(a | b, width)
      return a | b
    case 2: return add(a, b, flags.carry, width)
    case 3: return subtract(a, b, flags.carry, width)
    case 4:
      flags.setLogic(a & b, width)
      return a & b
    case 6:
      flags.setLogic(a ^ b, width)
      return a ^ b
    default: return subtract(a, b, false, width)
    }
  }

  @inline(__always)
  mutating func add(_ a: UInt64, _ b: UInt64, _ carry: Bool, _ width: Int) -> UInt64 {
    let mask = Width.mask(width)
    let (a, b) = (a & mask, b & mask)
    let sum = a &+ b &+ (carry ? 1 : 0)
    let result = sum & mask
    flags.carry = carry ? result <= a : result < a
    flags.overflow = (a ^ result) & (b ^ result) & Width.signBit(width) != 0
    flags.adjust = (a ^ b ^ result) & 0x10 != 0
    flags.setResult(result, width)
    return result
  }

  @inline(__always)
  mutating func subtract(_ a: UInt64, _ b: UInt64, _ borrow: Bool, _ width: Int) -> UInt64 {
    let mask = Width.mask(width)
    let (a, b) = (a & mask, b & mask)
    let result = (a &- b &- (borrow ? 1 : 0)) & mask
    flags.carry = borrow ? a <= b : a < b
    flags.overflow = (a ^ b) & (a ^ result) & Width.signBit(width) != 0
    flags.adjust = (a ^ b ^ result) & 0x10 != 0
    flags.setResult(result, width)
    return result
  }

  /// What such an operation would do to a lock's word.
  @inline(__always)
  private func access(_ operation: UInt8, _ value: UInt64, _ width: Int) -> LockAccess {
    switch operation & 7 {
    case 0: .add(Int64(bitPattern: Width.signExtend(value, width)))
    case 5: .add(0 &- Int64(bitPattern: Width.signExtend(value, width)))
    case 4: .and(value & Width.mask(width))
    case 1: .or(value & Width.mask(width))
    case 7: .load
    default: .other
    }
  }

  mutating func arithmeticByOpcode(_ i: inout Instruction) {
    let operation = i.opcode >> 3 & 7
    let width = i.opcode & 1 == 0 ? 1 : i.width
    switch i.opcode & 7 {
    case 0, 1:
      operands(&i)
      apply(operation, i, register(i.reg, width, i), width)
    case 2, 3:
      operands(&i)
      let result = compute(operation, register(i.reg, width, i), source(i, width), width)
      if operation != 7 { setRegister(i.reg, width, result, i) }
    default:
      let value = immediate(&i, min(width, 4))
      let result = compute(operation, register(0, width, i), value, width)
      if operation != 7 { setRegister(0, width, result, i) }
    }
  }

  mutating func arithmeticByImmediate(_ i: inout Instruction) {
    let width = i.opcode == 0x80 ? 1 : i.width
    let constant = i.opcode == 0x81 ? min(width, 4) : 1
    operands(&i, trailing: constant)
    let value = immediate(&i, constant)
    apply(UInt8(i.reg & 7), i, value, width)
  }

  @inline(__always)
  private mutating func apply(_ operation: UInt8, _ i: Instruction, _ value: UInt64, _ width: Int) {
    let before = destination(i, width, before: access(operation, value, width))
    let result = compute(operation, before, value, width)
    if operation & 7 != 7 { finish(i, width, result) }
  }

  /// F6, F7: TEST NOT NEG MUL IMUL DIV IDIV.
  mutating func unaryGroup(_ i: inout Instruction) {
    let width = i.opcode & 1 == 0 ? 1 : i.width
    // Whether a constant follows stands in ModRM itself.
    let isTest = i.length < Self.fetchLimit && fetch[i.length] >> 3 & 7 < 2
    operands(&i, trailing: isTest ? min(width, 4) : 0)
    switch i.reg & 7 {
    case 0, 1:
      let value = immediate(&i, min(width, 4))
      flags.setLogic(source(i, width) & value, width)
    case 2: finish(i, width, ~destination(i, width, before: .other))
    case 3:
      let before = destination(i, width, before: .other)
      finish(i, width, subtract(0, before, false, width))
    case 4: multiplyWide(source(i, width), width, i)
    case 5: multiplyWideSigned(source(i, width), width, i)
    case 6: divide(source(i, width), width, i)
    default: divideSigned(source(i, width), width, i)
    }
  }

  /// FE, FF: INC DEC, and of FF: CALL, JMP, PUSH.
  mutating func incrementGroup(_ i: inout Instruction) {
    let width = i.opcode == 0xFE ? 1 : i.width
    operands(&i)
    let carry = flags.carry
    switch i.reg & 7 {
    case 0:
      finish(i, width, add(destination(i, width, before: .add(1)), 1, false, width))
      flags.carry = carry
    case 1:
      finish(i, width, subtract(destination(i, width, before: .add(-1)), 1, false, width))
      flags.carry = carry
    case 2 where i.opcode == 0xFF: indirectCall(i)
    case 4 where i.opcode == 0xFF: indirectJump(i)
    case 6 where i.opcode == 0xFF: push(source(i, i.stackWidth), i.stackWidth)
    default: pending = .unknownInstruction
    }
  }

  // MARK: Multiplication and division

  mutating func multiplyByImmediate(_ i: inout Instruction) {
    let width = i.width
    let constant = i.opcode == 0x6B ? 1 : min(width, 4)
    operands(&i, trailing: constant)
    let value = immediate(&i, constant)
    setRegister(i.reg, width, multiplySigned(source(i, width), value, width), i)
  }

  /// IMUL with a destination of the operands' width.
  mutating func multiplySigned(_ a: UInt64, _ b: UInt64, _ width: Int) -> UInt64 {
    let x = Int64(bitPattern: Width.signExtend(a, width))
    let y = Int64(bitPattern: Width.signExtend(b, width))
    let (high, low) = x.multipliedFullWidth(by: y)
    let result = UInt64(low) & Width.mask(width)
    let fits = Width.signExtend(result, width) == low && high == (Int64(bitPattern: UInt64(low)) < 0 ? -1 : 0)
    flags.setResult(result, width)
    flags.adjust = false
    (flags.carry, flags.overflow) = (!fits, !fits)
    return result
  }

  private mutating func multiplyWide(_ value: UInt64, _ width: Int, _ i: Instruction) {
    let (high, low) = register(0, width, i).multipliedFullWidth(by: value)
    setWideProduct(high, low, width, i)
    let upper = width == 8 ? high : low >> UInt64(8 * width)
    (flags.carry, flags.overflow) = (upper != 0, upper != 0)
  }

  private mutating func multiplyWideSigned(_ value: UInt64, _ width: Int, _ i: Instruction) {
    let a = Int64(bitPattern: Width.signExtend(register(0, width, i), width))
    let (high, low) = a.multipliedFullWidth(by: Int64(bitPattern: Width.signExtend(value, width)))
    setWideProduct(UInt64(bitPattern: high), UInt64(low), width, i)
    let kept = Width.signExtend(UInt64(low), width)
    let fits = kept == UInt64(low) && UInt64(bitPattern: high) == (kept >> 63 == 1 ? ~0 : 0)
    (flags.carry, flags.overflow) = (!fits, !fits)
  }

  private mutating func setWideProduct(_ high: UInt64, _ low: UInt64, _ width: Int, _ i: Instruction) {
    flags.setResult(low, width)
    flags.adjust = false
    if width == 1 {
      setRegister(0, 2, low, i)
    } else {
      setRegister(0, width, low, i)
      setRegister(2, width, width == 8 ? high : low >> UInt64(8 * width), i)
    }
  }

  private mutating func divide(_ divisor: UInt64, _ width: Int, _ i: Instruction) {
    guard divisor != 0 else { return stop(.trap) }
    if width == 8 {
      guard registers[2] < divisor else { return stop(.trap) }
      let (quotient, remainder) = divisor.dividingFullWidth((registers[2], registers[0]))
      (registers[0], registers[2]) = (quotient, remainder)
      return
    }
    let dividend =
      width == 1 ? registers[0] & 0xFFFF : register(2, width, i) << UInt64(8 * width) | register(0, width, i)
    guard dividend / divisor <= Width.mask(width) else { return stop(.trap) }
    setQuotient(dividend / divisor, dividend % divisor, width, i)
  }

  private mutating func divideSigned(_ value: UInt64, _ width: Int, _ i: Instruction) {
    let divisor = Int64(bitPattern: Width.signExtend(value, width))
    guard divisor != 0 else { return stop(.trap) }
    let dividend: Int64
    if width == 8 {
      // A dividend that needs more than 64 bits is not met in compiled code.
      dividend = Int64(bitPattern: registers[0])
      guard registers[2] == (dividend < 0 ? ~0 : 0) else { return stop(.unknownInstruction) }
    } else if width == 1 {
      dividend = Int64(bitPattern: Width.signExtend(registers[0], 2))
    } else {
      let wide = register(2, width, i) << UInt64(8 * width) | register(0, width, i)
      dividend = Int64(bitPattern: Width.signExtend(wide, 2 * width))
    }
    let (quotient, overflow) = dividend.dividedReportingOverflow(by: divisor)
    guard !overflow, Int64(bitPattern: Width.signExtend(UInt64(bitPattern: quotient), width)) == quotient else {
      return stop(.trap)
    }
    setQuotient(UInt64(bitPattern: quotient), UInt64(bitPattern: dividend % divisor), width, i)
  }

  private func setQuotient(_ quotient: UInt64, _ remainder: UInt64, _ width: Int, _ i: Instruction) {
    if width == 1 {
      setRegister(0, 2, quotient & 0xFF | (remainder & 0xFF) << 8, i)
    } else {
      setRegister(0, width, quotient, i)
      setRegister(2, width, remainder, i)
    }
  }
}
