/// MOVS CMPS STOS LODS SCAS, alone or repeated. A repeated one counts as an instruction for every 64 bytes, so that no
/// count in rcx can hold a run up.
extension Processor {
  private static let longestRepeat: UInt64 = 1 << 16

  mutating func string(_ i: inout Instruction) {
    let width = i.opcode & 1 == 0 ? 1 : i.width
    let step = flags.direction ? 0 &- UInt64(width) : UInt64(width)
    guard i.repeatPrefix != 0 else { return once(i, width, step) }
    guard registers[Self.rcx] <= Self.longestRepeat else { return stop(.unknownInstruction) }
    let compares = i.opcode & 0xF6 == 0xA6  // A6 A7 AE AF
    let wanted = i.repeatPrefix == 0xF3
    var rounds = 0
    while registers[Self.rcx] != 0 {
      once(i, width, step)
      registers[Self.rcx] = registers[Self.rcx] &- 1
      rounds += width
      if pages.unmappedAccesses.pointee > Self.unmappedLimit { break }
      if compares, flags.zero != wanted { break }
    }
    executed &+= rounds >> 6
  }

  private mutating func once(_ i: Instruction, _ width: Int, _ step: UInt64) {
    let (from, to) = (registers[Self.rsi] &+ i.segmentBase, registers[Self.rdi])
    switch i.opcode & 0xFE {
    case 0xA4:
      store(to, width, load(from, width))
      registers[Self.rsi] = registers[Self.rsi] &+ step
      registers[Self.rdi] = to &+ step
    case 0xA6:
      _ = subtract(load(from, width), load(to, width), false, width)
      registers[Self.rsi] = registers[Self.rsi] &+ step
      registers[Self.rdi] = to &+ step
    case 0xAA:
      store(to, width, register(0, width, i))
      registers[Self.rdi] = to &+ step
    case 0xAC:
      setRegister(0, width, load(from, width), i)
      registers[Self.rsi] = registers[Self.rsi] &+ step
    default:
      _ = subtract(register(0, width, i), load(to, width), false, width)
      registers[Self.rdi] = to &+ step
    }
  }
}
