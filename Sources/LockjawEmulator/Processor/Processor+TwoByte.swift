/// Opcodes that begin with 0F: conditional moves and jumps, bit instructions, extensions; the rest is vectors.
extension Processor {
  mutating func twoByte(_ i: inout Instruction) {
    i.opcode = byte(&i)
    switch i.opcode {
    case 0x05: pending = .systemCall
    case 0x0B, 0xB9, 0xFF: pending = .trap
    case 0x0D, 0x18...0x1F: operands(&i)  // PREFETCH, ENDBR, NOP with an operand
    case 0x31:  // RDTSC: any number does
      setRegister(0, 4, UInt64(executed), i)
      setRegister(2, 4, 1, i)
    case 0x40...0x4F:
      operands(&i)
      let value = source(i, i.width)
      // A condition that does not hold still clears the upper half of a 32-bit destination.
      setRegister(i.reg, i.width, flags.holds(i.opcode) ? value : register(i.reg, i.width, i), i)
    case 0x80...0x8F: conditionalJump(&i, i.opcode, immediate(&i, 4))
    case 0x90...0x9F:
      operands(&i)
      setDestination(i, 1, flags.holds(i.opcode) ? 1 : 0)
    case 0xA2: identify()
    case 0xA3, 0xAB, 0xB3, 0xBB, 0xBA: bitTest(&i)
    case 0xA4, 0xA5, 0xAC, 0xAD: doubleShift(&i)
    case 0xAE: fence(&i)
    case 0xAF:
      operands(&i)
      setRegister(i.reg, i.width, multiplySigned(register(i.reg, i.width, i), source(i, i.width), i.width), i)
    case 0xB0, 0xB1: compareExchange(&i)
    case 0xB6, 0xB7, 0xBE, 0xBF:
      operands(&i)
      let width = i.opcode & 1 == 0 ? 1 : 2
      let value = source(i, width)
      setRegister(i.reg, i.width, i.opcode < 0xB8 ? value : Width.signExtend(value, width), i)
    case 0xB8 where i.repeatPrefix == 0xF3:  // POPCNT
      operands(&i)
      let value = source(i, i.width)
      flags.setLogic(1, i.width)
      flags.zero = value == 0
      flags.parity = false
      setRegister(i.reg, i.width, UInt64(value.nonzeroBitCount), i)
    case 0xBC, 0xBD: scanBits(&i)
    case 0xC0, 0xC1: exchangeAdd(&i)
    case 0xC3:  // MOVNTI
      operands(&i)
      setDestination(i, i.width, register(i.reg, i.width, i))
    case 0xC7: compareExchangeWide(&i)
    case 0xC8...0xCF:  // BSWAP
      let number = Int(i.opcode & 7) | (i.rex & 1 != 0 ? 8 : 0)
      let value = registers[number].byteSwapped
      setRegister(number, i.width, i.width == 8 ? value : value >> 32, i)
    default: vector(&i)
    }
  }

  /// BSF, BSR; with F3 TZCNT, LZCNT.
  private mutating func scanBits(_ i: inout Instruction) {
    operands(&i)
    let width = i.width
    let value = source(i, width)
    let isForward = i.opcode == 0xBC
    let bits = 8 * width
    let leading = value.leadingZeroBitCount - (64 - bits)
    if i.repeatPrefix == 0xF3 {
      let count = value == 0 ? bits : isForward ? value.trailingZeroBitCount : leading
      flags.carry = value == 0
      flags.zero = count == 0
      setRegister(i.reg, width, UInt64(count), i)
      return
    }
    flags.zero = value == 0
    // Of zero the result is undefined; processors leave the register as it is, but for the upper half of a 32-bit one.
    guard value != 0 else { return setRegister(i.reg, width, register(i.reg, width, i), i) }
    setRegister(i.reg, width, UInt64(isForward ? value.trailingZeroBitCount : bits - 1 - leading), i)
  }

  /// LFENCE, MFENCE, SFENCE, LDMXCSR, STMXCSR.
  private mutating func fence(_ i: inout Instruction) {
    operands(&i)
    guard i.isMemory else { return }
    switch i.reg & 7 {
    case 2: _ = source(i, 4)
    case 3: setDestination(i, 4, 0x1F80)  // MXCSR as a thread begins with it
    default: pending = .unknownInstruction
    }
  }

  /// CMPXCHG8B, CMPXCHG16B.
  private mutating func compareExchangeWide(_ i: inout Instruction) {
    operands(&i)
    guard i.isMemory, i.reg & 7 == 1 else { return stop(.unknownInstruction) }
    let width = i.rex & 8 != 0 ? 8 : 4
    let low = old(i.address, width, before: .other)
    let high = old(i.address &+ UInt64(width), width, before: .other)
    flags.zero = low == register(0, width, i) && high == register(2, width, i)
    if flags.zero {
      rawStore(i.address, width, register(3, width, i))
      rawStore(i.address &+ UInt64(width), width, register(1, width, i))
    } else {
      setRegister(0, width, low, i)
      setRegister(2, width, high, i)
    }
  }

  /// CPUID of a plain x86-64: whoever asks takes the way without extensions.
  private mutating func identify() {
    let leaf = registers[0] & 0xFFFF_FFFF
    for number in [0, 1, 2, 3] { registers[number] = 0 }
    if leaf == 0 { registers[0] = 1 }
    // FPU, TSC, CX8, CMOV, MMX, FXSR, SSE, SSE2.
    if leaf == 1 { registers[2] = 0x0780_8111 }
  }
}
