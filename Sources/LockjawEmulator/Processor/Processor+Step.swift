extension Processor {
  /// Carries out the instruction at `fetch` and sets `rip` behind it.
  mutating func step() {
    var i = Instruction()
    var opcode = byte(&i)
    // Prefixes in any order; REX counts only directly before the opcode.
    while true {
      switch opcode {
      case 0x40...0x4F:
        i.rex = opcode
        opcode = byte(&i)
        if isPrefix(opcode) {
          i.rex = 0
          continue
        }
      case 0x66: i.hasOperandSizePrefix = true
      case 0x67: i.hasAddressSizePrefix = true
      case 0xF0: i.isLocked = true
      case 0xF2, 0xF3: i.repeatPrefix = opcode
      case 0x64: i.segmentBase = fsBase
      case 0x65: i.segmentBase = 0
      case 0x26, 0x2E, 0x36, 0x3E: break  // ignored in 64-bit mode
      default: break
      }
      if opcode & 0xF0 == 0x40 || isPrefix(opcode) {
        opcode = byte(&i)
        if pending != nil { return }
        continue
      }
      break
    }
    i.opcode = opcode
    hasBranched = false
    if opcode == 0x0F {
      twoByte(&i)
    } else {
      oneByte(&i)
    }
    // Until here `rip` is the instruction's own address: what is noted about a lock carries it.
    rip = hasBranched ? branchTarget : rip &+ UInt64(i.length)
  }

  @inline(__always)
  private func isPrefix(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x64, 0x65, 0x26, 0x2E, 0x36, 0x3E: true
    case 0x40...0x4F: true
    default: false
    }
  }

  private mutating func oneByte(_ i: inout Instruction) {
    let opcode = i.opcode
    switch opcode {
    case 0x00...0x3F where opcode & 7 < 6: arithmeticByOpcode(&i)
    case 0x50...0x57: push(registers[Int(opcode & 7) | (i.rex & 1 != 0 ? 8 : 0)], i.stackWidth)
    case 0x58...0x5F:
      let value = pop(i.stackWidth)
      setRegister(Int(opcode & 7) | (i.rex & 1 != 0 ? 8 : 0), i.stackWidth, value, i)
    case 0x63:  // MOVSXD
      operands(&i)
      setRegister(i.reg, i.width, Width.signExtend(source(i, 4), 4), i)
    case 0x68: push(immediate(&i, i.hasOperandSizePrefix ? 2 : 4), i.stackWidth)
    case 0x6A: push(immediate(&i, 1), i.stackWidth)
    case 0x69, 0x6B: multiplyByImmediate(&i)
    case 0x70...0x7F: conditionalJump(&i, opcode, immediate(&i, 1))
    case 0x80, 0x81, 0x83: arithmeticByImmediate(&i)
    case 0x84, 0x85:
      operands(&i)
      let width = opcode & 1 == 0 ? 1 : i.width
      flags.setLogic(source(i, width) & register(i.reg, width, i), width)
    case 0x86, 0x87: exchange(&i)
    case 0x88, 0x89:
      operands(&i)
      let width = opcode & 1 == 0 ? 1 : i.width
      setDestination(i, width, register(i.reg, width, i))
    case 0x8A, 0x8B:
      operands(&i)
      let width = opcode & 1 == 0 ? 1 : i.width
      setRegister(i.reg, width, source(i, width), i)
    case 0x8D:
      operands(&i)
      // LEA ignores segments.
      setRegister(i.reg, i.width, i.address &- i.segmentBase, i)
    case 0x8F:
      let value = pop(i.stackWidth)
      operands(&i)
      setDestination(i, i.stackWidth, value)
    case 0x90...0x97:
      let number = Int(opcode & 7) | (i.rex & 1 != 0 ? 8 : 0)
      guard number != 0 else { break }  // NOP, PAUSE
      let (a, b) = (register(0, i.width, i), register(number, i.width, i))
      setRegister(0, i.width, b, i)
      setRegister(number, i.width, a, i)
    case 0x98:  // CBW, CWDE, CDQE
      setRegister(0, i.width, Width.signExtend(registers[0], i.width / 2), i)
    case 0x99:  // CWD, CDQ, CQO
      setRegister(2, i.width, registers[0] & Width.signBit(i.width) != 0 ? ~0 : 0, i)
    case 0x9C: push(flags.word)
    case 0x9D: flags.word = pop()
    case 0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF: string(&i)
    case 0xA8: flags.setLogic(registers[0] & immediate(&i, 1), 1)
    case 0xA9:
      let width = i.width
      flags.setLogic(registers[0] & immediate(&i, min(width, 4)), width)
    case 0xB0...0xB7:
      let value = immediate(&i, 1)
      setRegister(Int(opcode & 7) | (i.rex & 1 != 0 ? 8 : 0), 1, value, i)
    case 0xB8...0xBF:
      let value = immediate(&i, i.width)
      setRegister(Int(opcode & 7) | (i.rex & 1 != 0 ? 8 : 0), i.width, value, i)
    case 0xC0, 0xC1, 0xD0, 0xD1, 0xD2, 0xD3: shiftGroup(&i)
    case 0xC2, 0xC3, 0xCA, 0xE8, 0xE9, 0xEB, 0xE3: branch(&i)
    case 0xC6, 0xC7:
      let width = opcode & 1 == 0 ? 1 : i.width
      operands(&i, trailing: min(width, 4))
      let value = immediate(&i, min(width, 4))
      setDestination(i, width, value)
    case 0xC9:  // LEAVE
      registers[Self.rsp] = registers[Self.rbp]
      registers[Self.rbp] = pop()
    case 0xCC, 0xF4: pending = .trap
    case 0xF5: flags.carry.toggle()
    case 0xF6, 0xF7: unaryGroup(&i)
    case 0xF8: flags.carry = false
    case 0xF9: flags.carry = true
    case 0xFC: flags.direction = false
    case 0xFD: flags.direction = true
    case 0xFE, 0xFF: incrementGroup(&i)
    default: pending = .unknownInstruction
    }
  }
}
