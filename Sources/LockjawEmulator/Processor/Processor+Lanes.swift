/// Vector instructions that work lane by lane: compares, additions, shuffles, unpacking, packing, shifts.
extension Processor {
  @inline(__always)
  private func lanes<V>(_ value: SIMD2<UInt64>, _ type: V.Type) -> V { unsafeBitCast(value, to: type) }
  @inline(__always)
  private func whole<V>(_ value: V) -> SIMD2<UInt64> { unsafeBitCast(value, to: SIMD2<UInt64>.self) }

  /// The destination's lanes replaced by `body` of both operands' lanes.
  @inline(__always)
  private mutating func combine<V>(_ i: Instruction, _ type: V.Type, _ body: (V, V) -> V) {
    let source = vectorSource(i)
    vectors[i.reg & 15] = whole(body(lanes(vectors[i.reg & 15], type), lanes(source, type)))
  }

  mutating func laneArithmetic(_ i: inout Instruction) {
    operands(&i)
    guard i.variant == .p66 else { return stop(.unknownInstruction) }
    switch i.opcode {
    case 0x64: combine(i, SIMD16<Int8>.self) { Self.ones($0 .> $1) }
    case 0x65: combine(i, SIMD8<Int16>.self) { Self.ones($0 .> $1) }
    case 0x66: combine(i, SIMD4<Int32>.self) { Self.ones($0 .> $1) }
    case 0x74: combine(i, SIMD16<Int8>.self) { Self.ones($0 .== $1) }
    case 0x75: combine(i, SIMD8<Int16>.self) { Self.ones($0 .== $1) }
    case 0x76: combine(i, SIMD4<Int32>.self) { Self.ones($0 .== $1) }
    case 0xD4: combine(i, SIMD2<UInt64>.self) { $0 &+ $1 }
    case 0xD5: combine(i, SIMD8<UInt16>.self) { $0 &* $1 }
    case 0xD8: combine(i, SIMD16<UInt8>.self) { ($0 .> $1).select($0 &- $1) }
    case 0xDA: combine(i, SIMD16<UInt8>.self) { $0.replacing(with: $1, where: $1 .< $0) }
    case 0xDE: combine(i, SIMD16<UInt8>.self) { $0.replacing(with: $1, where: $1 .> $0) }
    case 0xEA: combine(i, SIMD8<Int16>.self) { $0.replacing(with: $1, where: $1 .< $0) }
    case 0xEE: combine(i, SIMD8<Int16>.self) { $0.replacing(with: $1, where: $1 .> $0) }
    case 0xF4: combine(i, SIMD2<UInt64>.self) { ($0 & 0xFFFF_FFFF) &* ($1 & 0xFFFF_FFFF) }
    case 0xF8: combine(i, SIMD16<UInt8>.self) { $0 &- $1 }
    case 0xF9: combine(i, SIMD8<UInt16>.self) { $0 &- $1 }
    case 0xFA: combine(i, SIMD4<UInt32>.self) { $0 &- $1 }
    case 0xFB: combine(i, SIMD2<UInt64>.self) { $0 &- $1 }
    case 0xFC: combine(i, SIMD16<UInt8>.self) { $0 &+ $1 }
    case 0xFD: combine(i, SIMD8<UInt16>.self) { $0 &+ $1 }
    case 0xFE: combine(i, SIMD4<UInt32>.self) { $0 &+ $1 }
    default: pending = .unknownInstruction
    }
  }

  // A compare's lanes: all bits set where it holds.
  private static func ones<V: SIMD>(_ mask: SIMDMask<V.MaskStorage>) -> V
  where V.Scalar: SignedInteger & FixedWidthInteger {
    V.zero.replacing(with: -1, where: mask)
  }

  // MARK: Shuffles

  /// PSHUFD; F2 PSHUFLW, F3 PSHUFHW.
  mutating func shuffle(_ i: inout Instruction) {
    operands(&i, trailing: 1)
    let order = Int(immediate(&i, 1) & 0xFF)
    let source = vectorSource(i)
    if i.variant == .p66 {
      let from = lanes(source, SIMD4<UInt32>.self)
      var to = from
      for lane in 0..<4 { to[lane] = from[order >> (2 * lane) & 3] }
      vectors[i.reg & 15] = whole(to)
    } else if i.variant != .plain {
      let from = lanes(source, SIMD8<UInt16>.self)
      let base = i.variant == .f3 ? 4 : 0
      var to = from
      for lane in 0..<4 { to[base + lane] = from[base + (order >> (2 * lane) & 3)] }
      vectors[i.reg & 15] = whole(to)
    } else {
      pending = .unknownInstruction
    }
  }

  /// SHUFPS, SHUFPD.
  mutating func shuffleFloats(_ i: inout Instruction) {
    operands(&i, trailing: 1)
    let order = Int(immediate(&i, 1) & 0xFF)
    let (a, b) = (vectors[i.reg & 15], vectorSource(i))
    if i.variant == .plain {
      let (x, y) = (lanes(a, SIMD4<UInt32>.self), lanes(b, SIMD4<UInt32>.self))
      vectors[i.reg & 15] = whole(
        SIMD4<UInt32>(x[order & 3], x[order >> 2 & 3], y[order >> 4 & 3], y[order >> 6 & 3]))
    } else if i.variant == .p66 {
      vectors[i.reg & 15] = SIMD2(a[order & 1], b[order >> 1 & 1])
    } else {
      pending = .unknownInstruction
    }
  }

  mutating func unpackByOpcode(_ i: inout Instruction, isHigh: Bool) {
    guard i.variant == .p66 else { return stop(.unknownInstruction) }
    switch i.opcode & 0xF {
    case 0x0, 0x8: unpack(&i, SIMD16<UInt8>.self, isHigh: isHigh)
    case 0x1, 0x9: unpack(&i, SIMD8<UInt16>.self, isHigh: isHigh)
    case 0x2, 0xA: unpack(&i, SIMD4<UInt32>.self, isHigh: isHigh)
    default: unpack(&i, SIMD2<UInt64>.self, isHigh: isHigh)
    }
  }

  /// Lanes of the low or high halves of both operands, alternating.
  mutating func unpack<V: SIMD>(_ i: inout Instruction, _ type: V.Type, isHigh: Bool) {
    operands(&i)
    // UNPCKLPS has no prefix but 32-bit lanes.
    if i.opcode & 0xFE == 0x14, i.variant == .plain {
      let source = vectorSource(i)
      let (a, b) = (lanes(vectors[i.reg & 15], SIMD4<UInt32>.self), lanes(source, SIMD4<UInt32>.self))
      let base = isHigh ? 2 : 0
      vectors[i.reg & 15] = whole(SIMD4<UInt32>(a[base], b[base], a[base + 1], b[base + 1]))
      return
    }
    combine(i, type) { a, b in
      var result = a
      let base = isHigh ? V.scalarCountStatic / 2 : 0
      for lane in 0..<V.scalarCountStatic {
        result[lane] = lane & 1 == 0 ? a[base + lane / 2] : b[base + lane / 2]
      }
      return result
    }
  }

  /// PACKSSWB, PACKUSWB, PACKSSDW.
  mutating func pack(_ i: inout Instruction) {
    operands(&i)
    guard i.variant == .p66 else { return stop(.unknownInstruction) }
    let (a, b) = (vectors[i.reg & 15], vectorSource(i))
    if i.opcode == 0x6B {
      let (x, y) = (lanes(a, SIMD4<Int32>.self), lanes(b, SIMD4<Int32>.self))
      var result = SIMD8<Int16>.zero
      for lane in 0..<4 {
        result[lane] = Int16(clamping: x[lane])
        result[4 + lane] = Int16(clamping: y[lane])
      }
      vectors[i.reg & 15] = whole(result)
      return
    }
    let (x, y) = (lanes(a, SIMD8<Int16>.self), lanes(b, SIMD8<Int16>.self))
    var result = SIMD16<UInt8>.zero
    for lane in 0..<8 {
      let (low, high) = (x[lane], y[lane])
      result[lane] = i.opcode == 0x67 ? UInt8(clamping: low) : UInt8(bitPattern: Int8(clamping: low))
      result[8 + lane] = i.opcode == 0x67 ? UInt8(clamping: high) : UInt8(bitPattern: Int8(clamping: high))
    }
    vectors[i.reg & 15] = whole(result)
  }

  // MARK: Shifts

  /// 0F 71, 72, 73: words, doublewords, quadwords; and whole registers by bytes.
  mutating func shiftByConstant(_ i: inout Instruction) {
    operands(&i, trailing: 1)
    let count = immediate(&i, 1) & 0xFF
    guard i.variant == .p66, !i.isMemory else { return stop(.unknownInstruction) }
    let number = i.rm & 15
    switch (i.opcode, i.reg & 7) {
    case (0x73, 3), (0x73, 7): vectors[number] = shiftBytes(vectors[number], left: i.reg & 7 == 7, Int(min(count, 16)))
    case (_, 2), (_, 4), (_, 6):
      let width = i.opcode == 0x71 ? 2 : i.opcode == 0x72 ? 4 : 8
      vectors[number] = shiftLanes(vectors[number], width, i.reg & 7, count)
    default: pending = .unknownInstruction
    }
  }

  mutating func shiftByRegister(_ i: inout Instruction) {
    operands(&i)
    guard i.variant == .p66 else { return stop(.unknownInstruction) }
    let count = vectorSource(i)[0]
    let width = i.opcode & 3 == 1 ? 2 : i.opcode & 3 == 2 ? 4 : 8
    let operation = i.opcode < 0xE0 ? 2 : i.opcode < 0xF0 ? 4 : 6
    vectors[i.reg & 15] = shiftLanes(vectors[i.reg & 15], width, operation, count)
  }

  /// - Parameter operation: 2 logical right, 4 arithmetic right, 6 left.
  private func shiftLanes(_ value: SIMD2<UInt64>, _ width: Int, _ operation: Int, _ count: UInt64) -> SIMD2<UInt64> {
    let bits = UInt64(8 * width)
    var result = SIMD2<UInt64>.zero
    for half in 0..<2 {
      for lane in 0..<(8 / width) {
        let place = UInt64(lane) * bits
        let element = value[half] >> place & Width.mask(width)
        let shifted: UInt64
        switch operation {
        case 2: shifted = count < bits ? element >> count : 0
        case 6: shifted = count < bits ? element << count : 0
        default:
          shifted = UInt64(
            bitPattern: Int64(bitPattern: Width.signExtend(element, width)) >> Int64(min(count, bits - 1)))
        }
        result[half] |= (shifted & Width.mask(width)) << place
      }
    }
    return result
  }

  private func shiftBytes(_ value: SIMD2<UInt64>, left: Bool, _ count: Int) -> SIMD2<UInt64> {
    let from = lanes(value, SIMD16<UInt8>.self)
    var to = SIMD16<UInt8>.zero
    for lane in 0..<16 {
      let source = left ? lane - count : lane + count
      if source >= 0, source < 16 { to[lane] = from[source] }
    }
    return whole(to)
  }
}

extension SIMD {
  /// How many lanes, as the type has it.
  @inline(__always)
  fileprivate static var scalarCountStatic: Int { Self().scalarCount }
}

extension SIMDMask where Storage == SIMD16<Int8> {
  /// `value` where the mask holds, zero elsewhere.
  fileprivate func select(_ value: SIMD16<UInt8>) -> SIMD16<UInt8> {
    SIMD16<UInt8>.zero.replacing(with: value, where: self)
  }
}
