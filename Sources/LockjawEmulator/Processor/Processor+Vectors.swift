/// SSE and SSE2 as compilers use them outside of arithmetic: moves, bit logic, integer compares and shuffles, and scalar
/// doubles. MMX, x87, VEX and EVEX are not known.
extension Processor {
  mutating func vector(_ i: inout Instruction) {
    switch i.opcode {
    case 0x10, 0x11: moveUnaligned(&i)
    case 0x12, 0x13, 0x16, 0x17: moveHalf(&i)
    case 0x14: unpack(&i, SIMD2<UInt64>.self, isHigh: false)
    case 0x15: unpack(&i, SIMD2<UInt64>.self, isHigh: true)
    case 0x28, 0x6F: moveLoad(&i)
    case 0x29, 0x2B, 0x7F, 0xE7: moveStore(&i)
    case 0x2A, 0x2C, 0x2D, 0x2E, 0x2F, 0x51, 0x58, 0x59, 0x5A, 0x5C, 0x5D, 0x5E, 0x5F: scalar(&i)
    case 0x50: moveSignsOfFloats(&i)
    case 0x54...0x57, 0xDB, 0xDF, 0xEB, 0xEF: bitLogic(&i)
    case 0x60...0x62, 0x6C: unpackByOpcode(&i, isHigh: false)
    case 0x68...0x6A, 0x6D: unpackByOpcode(&i, isHigh: true)
    case 0x63, 0x67, 0x6B: pack(&i)
    case 0x6E: moveFromInteger(&i)
    case 0x7E: moveToInteger(&i)
    case 0x70: shuffle(&i)
    case 0xC4: insertWord(&i)
    case 0xC5: extractWord(&i)
    case 0xC6: shuffleFloats(&i)
    case 0xD6: moveQuadword(&i)
    case 0xD7: moveMask(&i)
    case 0x71...0x73: shiftByConstant(&i)
    case 0xD1...0xD3, 0xE1, 0xE2, 0xF1...0xF3: shiftByRegister(&i)
    case 0x38, 0x3A: pending = .unknownInstruction  // SSSE3, SSE4: not in the baseline
    default: laneArithmetic(&i)
    }
  }

  /// Only forms with 128-bit registers are known: without 66 most of these opcodes mean MMX.
  @inline(__always)
  private mutating func requires66(_ i: Instruction) -> Bool {
    if i.variant == .p66 { return true }
    pending = .unknownInstruction
    return false
  }

  // MARK: Moves

  /// MOVUPS, MOVUPD whole; MOVSS, MOVSD the low part, which clears the rest when it comes from memory.
  private mutating func moveUnaligned(_ i: inout Instruction) {
    operands(&i)
    let isLoad = i.opcode == 0x10
    switch i.variant {
    case .plain, .p66:
      if isLoad { vectors[i.reg & 15] = vectorSource(i) } else { setVectorDestination(i, vectors[i.reg & 15]) }
    case .f3, .f2:
      let width = i.variant == .f3 ? 4 : 8
      if isLoad {
        if i.isMemory {
          vectors[i.reg & 15] = SIMD2(load(i.address, width), 0)
        } else {
          mergeLow(i.reg, vectors[i.rm & 15][0], width)
        }
      } else if i.isMemory {
        store(i.address, width, vectors[i.reg & 15][0])
      } else {
        mergeLow(i.rm, vectors[i.reg & 15][0], width)
      }
    }
  }

  @inline(__always)
  func mergeLow(_ number: Int, _ value: UInt64, _ width: Int) {
    let mask = Width.mask(width)
    vectors[number & 15][0] = vectors[number & 15][0] & ~mask | value & mask
  }

  /// MOVLPS, MOVHPS and their register forms MOVHLPS, MOVLHPS.
  private mutating func moveHalf(_ i: inout Instruction) {
    operands(&i)
    guard i.repeatPrefix == 0 else { return stop(.unknownInstruction) }
    let lane = i.opcode >= 0x16 ? 1 : 0
    if i.opcode & 1 == 1 {
      guard i.isMemory else { return stop(.unknownInstruction) }
      store(i.address, 8, vectors[i.reg & 15][lane])
    } else {
      vectors[i.reg & 15][lane] = i.isMemory ? load(i.address, 8) : vectors[i.rm & 15][1 - lane]
    }
  }

  private mutating func moveLoad(_ i: inout Instruction) {
    operands(&i)
    // 0F 6F without a prefix is MMX.
    guard i.opcode == 0x28 || i.variant != .plain, i.variant != .f2 else { return stop(.unknownInstruction) }
    vectors[i.reg & 15] = vectorSource(i)
  }

  private mutating func moveStore(_ i: inout Instruction) {
    operands(&i)
    guard i.opcode < 0x30 || i.variant != .plain, i.variant != .f2 else { return stop(.unknownInstruction) }
    setVectorDestination(i, vectors[i.reg & 15])
  }

  /// MOVD, MOVQ to a vector register.
  private mutating func moveFromInteger(_ i: inout Instruction) {
    operands(&i)
    guard requires66(i) else { return }
    vectors[i.reg & 15] = SIMD2(source(i, i.rex & 8 != 0 ? 8 : 4), 0)
  }

  /// MOVD, MOVQ from a vector register; F3: MOVQ between vector registers.
  private mutating func moveToInteger(_ i: inout Instruction) {
    operands(&i)
    switch i.variant {
    case .f3: vectors[i.reg & 15] = SIMD2(i.isMemory ? load(i.address, 8) : vectors[i.rm & 15][0], 0)
    case .p66: setDestination(i, i.rex & 8 != 0 ? 8 : 4, vectors[i.reg & 15][0])
    default: pending = .unknownInstruction
    }
  }

  /// 66 0F D6: MOVQ store.
  private mutating func moveQuadword(_ i: inout Instruction) {
    operands(&i)
    guard requires66(i) else { return }
    if i.isMemory {
      store(i.address, 8, vectors[i.reg & 15][0])
    } else {
      vectors[i.rm & 15] = SIMD2(vectors[i.reg & 15][0], 0)
    }
  }

  /// PMOVMSKB.
  private mutating func moveMask(_ i: inout Instruction) {
    operands(&i)
    guard requires66(i), !i.isMemory else { return stop(.unknownInstruction) }
    let bytes = unsafeBitCast(vectors[i.rm & 15], to: SIMD16<UInt8>.self)
    var mask: UInt64 = 0
    for lane in 0..<16 where bytes[lane] >= 0x80 { mask |= 1 << UInt64(lane) }
    setRegister(i.reg, 8, mask, i)
  }

  /// MOVMSKPS, MOVMSKPD.
  private mutating func moveSignsOfFloats(_ i: inout Instruction) {
    operands(&i)
    guard !i.isMemory, i.repeatPrefix == 0 else { return stop(.unknownInstruction) }
    let value = vectors[i.rm & 15]
    let (lower, upper) = (value[0] >> 63, value[1] >> 63)
    var mask = lower | (upper << 1)
    if i.variant == .plain {
      mask = (value[0] >> 31 & 1) | (lower << 1) | ((value[1] >> 31 & 1) << 2) | (upper << 3)
    }
    setRegister(i.reg, 8, mask, i)
  }

  private mutating func insertWord(_ i: inout Instruction) {
    operands(&i, trailing: 1)
    let lane = Int(immediate(&i, 1) & 7)
    guard requires66(i) else { return }
    var words = unsafeBitCast(vectors[i.reg & 15], to: SIMD8<UInt16>.self)
    words[lane] = UInt16(truncatingIfNeeded: source(i, i.isMemory ? 2 : 4))
    vectors[i.reg & 15] = unsafeBitCast(words, to: SIMD2<UInt64>.self)
  }

  private mutating func extractWord(_ i: inout Instruction) {
    operands(&i, trailing: 1)
    let lane = Int(immediate(&i, 1) & 7)
    guard requires66(i), !i.isMemory else { return stop(.unknownInstruction) }
    setRegister(i.reg, 8, UInt64(unsafeBitCast(vectors[i.rm & 15], to: SIMD8<UInt16>.self)[lane]), i)
  }

  // MARK: Logic

  private mutating func bitLogic(_ i: inout Instruction) {
    operands(&i)
    guard i.repeatPrefix == 0, i.opcode < 0x60 || i.variant == .p66 else { return stop(.unknownInstruction) }
    let (a, b) = (vectors[i.reg & 15], vectorSource(i))
    vectors[i.reg & 15] =
      switch i.opcode {
      case 0x54, 0xDB: a & b
      case 0x55, 0xDF: ~a & b
      case 0x56, 0xEB: a | b
      default: a ^ b
      }
  }
}
