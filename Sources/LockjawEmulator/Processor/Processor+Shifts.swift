/// Shifts, rotations, exchange.
extension Processor {
  /// C0, C1, D0…D3: ROL ROR RCL RCR SHL SHR SAL SAR.
  mutating func shiftGroup(_ i: inout Instruction) {
    let width = i.opcode & 1 == 0 ? 1 : i.width
    let isConstant = i.opcode < 0xD0
    operands(&i, trailing: isConstant ? 1 : 0)
    let amount = isConstant ? immediate(&i, 1) : i.opcode < 0xD2 ? 1 : registers[Self.rcx]
    let count = Int(amount & (width == 8 ? 63 : 31))
    let operation = i.reg & 7
    let before = destination(i, width, before: .other)
    guard count > 0 else {
      // Nothing is shifted, but the upper half of a 32-bit register is cleared all the same.
      if !i.isMemory { finish(i, width, before) }
      return
    }
    let result =
      switch operation {
      case 0, 1: rotate(before, left: operation == 0, count, width)
      case 2, 3: rotateThroughCarry(before, left: operation == 2, count, width)
      default: shift(before, operation, count, width)
      }
    finish(i, width, result)
  }

  private mutating func shift(_ value: UInt64, _ operation: Int, _ count: Int, _ width: Int) -> UInt64 {
    let bits = 8 * width
    var result: UInt64
    switch operation {
    case 5:
      result = count < bits ? value >> UInt64(count) : 0
      flags.carry = count <= bits && value >> UInt64(count - 1) & 1 == 1
      flags.overflow = value & Width.signBit(width) != 0
    case 7:
      let signed = Int64(bitPattern: Width.signExtend(value, width))
      result = UInt64(bitPattern: signed >> Int64(min(count, 63)))
      flags.carry = signed >> Int64(min(count - 1, 63)) & 1 == 1
      flags.overflow = false
    default:
      result = count < bits ? value << UInt64(count) : 0
      flags.carry = count <= bits && value >> UInt64(bits - count) & 1 == 1
      flags.overflow = (result & Width.signBit(width) != 0) != flags.carry
    }
    result &= Width.mask(width)
    flags.adjust = false
    flags.setResult(result, width)
    return result
  }

  private mutating func rotate(_ value: UInt64, left: Bool, _ count: Int, _ width: Int) -> UInt64 {
    let bits = 8 * width
    let by = UInt64(count % bits)
    let rest = UInt64(bits) - by
    var result = value
    if by > 0 { result = left ? value << by | value >> rest : value >> by | value << rest }
    result &= Width.mask(width)
    let top = result & Width.signBit(width) != 0
    if left {
      flags.carry = result & 1 == 1
      flags.overflow = top != flags.carry
    } else {
      flags.carry = top
      flags.overflow = top != (result & Width.signBit(width) >> 1 != 0)
    }
    return result
  }

  private mutating func rotateThroughCarry(_ value: UInt64, left: Bool, _ count: Int, _ width: Int) -> UInt64 {
    let bits = 8 * width
    var result = value
    // One bit longer than the operand, so a full turn is `bits + 1`.
    let turns = count % (bits + 1)
    for _ in 0..<turns {
      let carry: UInt64 = flags.carry ? 1 : 0
      if left {
        flags.carry = result & Width.signBit(width) != 0
        result = (result << 1 | carry) & Width.mask(width)
      } else {
        flags.carry = result & 1 == 1
        result = result >> 1 | carry << UInt64(bits - 1)
      }
    }
    let top = result & Width.signBit(width) != 0
    flags.overflow = left ? top != flags.carry : top != (result & Width.signBit(width) >> 1 != 0)
    return result
  }

  /// 0F A4, A5, AC, AD: SHLD, SHRD.
  mutating func doubleShift(_ i: inout Instruction) {
    let isConstant = i.opcode & 1 == 0
    let width = i.width
    operands(&i, trailing: isConstant ? 1 : 0)
    let amount = isConstant ? immediate(&i, 1) : registers[Self.rcx]
    let count = amount & (width == 8 ? 63 : 31)
    let bits = UInt64(8 * width)
    guard count > 0, count < bits else {
      if !i.isMemory { finish(i, width, register(i.rm, width, i)) }
      return
    }
    let (a, b) = (destination(i, width, before: .other), register(i.reg, width, i))
    let isLeft = i.opcode < 0xA8
    let result = (isLeft ? a << count | b >> (bits - count) : a >> count | b << (bits - count)) & Width.mask(width)
    flags.setResult(result, width)
    flags.carry = (isLeft ? a >> (bits - count) : a >> (count - 1)) & 1 == 1
    flags.overflow = (a ^ result) & Width.signBit(width) != 0
    flags.adjust = false
    finish(i, width, result)
  }

  /// 86, 87: XCHG. With memory it is atomic even without a prefix: how many locks are released.
  mutating func exchange(_ i: inout Instruction) {
    let width = i.opcode == 0x86 ? 1 : i.width
    operands(&i)
    let new = register(i.reg, width, i)
    let before = destination(i, width, before: .exchange(new))
    finish(i, width, new)
    setRegister(i.reg, width, before, i)
  }

  /// 0F B0, B1: CMPXCHG.
  mutating func compareExchange(_ i: inout Instruction) {
    let width = i.opcode == 0xB0 ? 1 : i.width
    operands(&i)
    let (expected, new) = (register(0, width, i), register(i.reg, width, i))
    let before = destination(i, width, before: .compareExchange(expected: expected, new: new))
    _ = subtract(expected, before, false, width)
    if flags.zero {
      finish(i, width, new)
    } else {
      // A register is written back too, which clears the upper half of a 32-bit one.
      if !i.isMemory { finish(i, width, before) }
      setRegister(0, width, before, i)
    }
  }

  /// 0F C0, C1: XADD.
  mutating func exchangeAdd(_ i: inout Instruction) {
    let width = i.opcode == 0xC0 ? 1 : i.width
    operands(&i)
    let value = register(i.reg, width, i)
    let before = destination(i, width, before: .add(Int64(bitPattern: Width.signExtend(value, width))))
    let result = add(before, value, false, width)
    // The register first: where both operands are one register, the sum stays.
    setRegister(i.reg, width, before, i)
    finish(i, width, result)
  }

  /// 0F A3, AB, B3, BB with a register's bit number, 0F BA with a constant: BT BTS BTR BTC.
  mutating func bitTest(_ i: inout Instruction) {
    let width = i.width
    let bits = UInt64(8 * width)
    let isConstant = i.opcode == 0xBA
    operands(&i, trailing: isConstant ? 1 : 0)
    let operation = isConstant ? i.reg & 7 : Int(i.opcode >> 3 & 3) + 4
    guard operation >= 4 else { return stop(.unknownInstruction) }
    var number: UInt64
    if isConstant {
      number = immediate(&i, 1) & (bits - 1)
    } else {
      let signed = Width.signExtend(register(i.reg, width, i), width)
      number = signed & (bits - 1)
      // A bit number beyond the operand reaches into memory around it.
      if i.isMemory {
        let words = Int64(bitPattern: signed) >> Int64(width == 8 ? 6 : width == 4 ? 5 : 4)
        i.address = i.address &+ UInt64(bitPattern: words &* Int64(width))
      }
    }
    let bit = UInt64(1) << number
    switch operation {
    case 4: flags.carry = source(i, width) & bit != 0
    case 5:
      let before = destination(i, width, before: .or(bit))
      flags.carry = before & bit != 0
      finish(i, width, before | bit)
    case 6:
      let before = destination(i, width, before: .and(~bit & Width.mask(width)))
      flags.carry = before & bit != 0
      finish(i, width, before & ~bit)
    default:
      let before = destination(i, width, before: .other)
      flags.carry = before & bit != 0
      finish(i, width, before ^ bit)
    }
  }
}
