extension Processor {
  /// The instruction's next byte.
  @inline(__always)
  mutating func byte(_ i: inout Instruction) -> UInt8 {
    guard i.length < Self.fetchLimit else {
      pending = .unknownInstruction
      return 0
    }
    let value = fetch[i.length]
    i.length += 1
    return value
  }

  /// A sign-extended constant of 1, 2, 4 or 8 bytes.
  @inline(__always)
  mutating func immediate(_ i: inout Instruction, _ width: Int) -> UInt64 {
    // `fetch` has a byte more than the longest instruction.
    guard i.length + width <= Self.fetchLimit else {
      pending = .unknownInstruction
      return 0
    }
    let bytes = UnsafeRawPointer(fetch + i.length)
    i.length += width
    switch width {
    case 8: return bytes.loadUnaligned(as: UInt64.self)
    case 4: return UInt64(bitPattern: Int64(bytes.loadUnaligned(as: Int32.self)))
    case 2: return UInt64(bitPattern: Int64(bytes.loadUnaligned(as: Int16.self)))
    default: return UInt64(bitPattern: Int64(bytes.loadUnaligned(as: Int8.self)))
    }
  }

  /// Reads ModRM, SIB and displacement.
  /// - Parameter trailing: bytes of constants that stand behind them: RIP-relative addresses count from the end.
  mutating func operands(_ i: inout Instruction, trailing: Int = 0) {
    let modRM = byte(&i)
    i.reg = Int(modRM >> 3 & 7) | (i.rex & 4 != 0 ? 8 : 0)
    let mode = modRM >> 6
    let low = Int(modRM & 7)
    if mode == 3 {
      i.isMemory = false
      i.rm = low | (i.rex & 1 != 0 ? 8 : 0)
      return
    }
    i.isMemory = true
    var address: UInt64 = 0
    var hasBase = true
    if low == 4 {
      let sib = byte(&i)
      let index = Int(sib >> 3 & 7) | (i.rex & 2 != 0 ? 8 : 0)
      let base = Int(sib & 7)
      if index != 4 { address = registers[index] << UInt64(sib >> 6) }
      if base == 5, mode == 0 {
        address = address &+ immediate(&i, 4)
        hasBase = false
        i.isStaticAddress = index == 4
      } else {
        address = address &+ registers[base | (i.rex & 1 != 0 ? 8 : 0)]
      }
    } else if low == 5, mode == 0 {
      address = immediate(&i, 4)
      address = address &+ rip &+ UInt64(i.length + trailing)
      hasBase = false
      i.isStaticAddress = true
    } else {
      address = registers[low | (i.rex & 1 != 0 ? 8 : 0)]
    }
    if hasBase, mode == 1 { address = address &+ immediate(&i, 1) }
    if hasBase, mode == 2 { address = address &+ immediate(&i, 4) }
    if i.hasAddressSizePrefix { address &= 0xFFFF_FFFF }
    i.address = address &+ i.segmentBase
  }

  // MARK: Registers

  @inline(__always)
  func register(_ number: Int, _ width: Int, _ i: Instruction) -> UInt64 {
    if width == 1, number >= 4, number < 8, i.rex == 0 { return registers[number - 4] >> 8 & 0xFF }
    return registers[number & 15] & Width.mask(width)
  }

  @inline(__always)
  func setRegister(_ number: Int, _ width: Int, _ value: UInt64, _ i: Instruction) {
    switch width {
    case 8: registers[number & 15] = value
    case 4: registers[number & 15] = value & 0xFFFF_FFFF
    case 2: registers[number & 15] = registers[number & 15] & ~0xFFFF | value & 0xFFFF
    default:
      if number >= 4, number < 8, i.rex == 0 {
        registers[number - 4] = registers[number - 4] & ~0xFF00 | (value & 0xFF) << 8
      } else {
        registers[number & 15] = registers[number & 15] & ~0xFF | value & 0xFF
      }
    }
  }

  // MARK: Memory

  @inline(__always)
  mutating func load(_ address: UInt64, _ width: Int) -> UInt64 {
    watch.mayReach(address) ? observed(.load, address, width) : raw(address, width)
  }

  @inline(__always)
  mutating func store(_ address: UInt64, _ width: Int, _ value: UInt64) {
    if watch.mayReach(address) { _ = observed(.store(value & Width.mask(width)), address, width) }
    rawStore(address, width, value)
  }

  /// What stands at an address before `update` changes it: the memory's word, or what the lock's meaning presents in its place.
  @inline(__always)
  mutating func old(_ address: UInt64, _ width: Int, before update: LockAccess) -> UInt64 {
    watch.mayReach(address) ? observed(update, address, width) : raw(address, width)
  }

  @inline(never)
  private mutating func observed(_ access: LockAccess, _ address: UInt64, _ width: Int) -> UInt64 {
    let word = watch.observe(
      access, at: address, width: width, word: raw(address, width), pc: rip, open: openFrames,
      calls: openCalls)
    return word & Width.mask(width)
  }

  @inline(__always)
  func raw(_ address: UInt64, _ width: Int) -> UInt64 {
    switch width {
    case 8: pages.load(address, as: UInt64.self) ?? memory.loadSlowly(address, as: UInt64.self)
    case 4: UInt64(pages.load(address, as: UInt32.self) ?? memory.loadSlowly(address, as: UInt32.self))
    case 2: UInt64(pages.load(address, as: UInt16.self) ?? memory.loadSlowly(address, as: UInt16.self))
    default: UInt64(pages.load(address, as: UInt8.self) ?? memory.loadSlowly(address, as: UInt8.self))
    }
  }

  @inline(__always)
  func rawStore(_ address: UInt64, _ width: Int, _ value: UInt64) {
    switch width {
    case 8: store(address, as: value)
    case 4: store(address, as: UInt32(truncatingIfNeeded: value))
    case 2: store(address, as: UInt16(truncatingIfNeeded: value))
    default: store(address, as: UInt8(truncatingIfNeeded: value))
    }
  }

  @inline(__always)
  private func store<T: FixedWidthInteger>(_ address: UInt64, as value: T) {
    if !pages.store(address, value) { memory.storeSlowly(address, value) }
  }

  /// The operand ModRM names, as a source.
  @inline(__always)
  mutating func source(_ i: Instruction, _ width: Int) -> UInt64 {
    i.isMemory ? load(i.address, width) : register(i.rm, width, i)
  }

  /// The operand ModRM names, overwritten.
  @inline(__always)
  mutating func setDestination(_ i: Instruction, _ width: Int, _ value: UInt64) {
    if i.isMemory { store(i.address, width, value) } else { setRegister(i.rm, width, value, i) }
  }

  /// The operand ModRM names, before `update` changes it; `finish` writes the result.
  @inline(__always)
  mutating func destination(_ i: Instruction, _ width: Int, before update: LockAccess) -> UInt64 {
    i.isMemory ? old(i.address, width, before: update) : register(i.rm, width, i)
  }

  @inline(__always)
  func finish(_ i: Instruction, _ width: Int, _ value: UInt64) {
    if i.isMemory { rawStore(i.address, width, value) } else { setRegister(i.rm, width, value, i) }
  }

  // MARK: Stack

  @inline(__always)
  mutating func push(_ value: UInt64, _ width: Int = 8) {
    registers[Self.rsp] = registers[Self.rsp] &- UInt64(width)
    rawStore(registers[Self.rsp], width, value)
  }

  @inline(__always)
  mutating func pop(_ width: Int = 8) -> UInt64 {
    let value = raw(registers[Self.rsp], width)
    registers[Self.rsp] = registers[Self.rsp] &+ UInt64(width)
    return value
  }

  // MARK: Vectors

  /// The 128-bit operand ModRM names.
  @inline(__always)
  mutating func vectorSource(_ i: Instruction) -> SIMD2<UInt64> {
    i.isMemory ? SIMD2(load(i.address, 8), load(i.address &+ 8, 8)) : vectors[i.rm & 15]
  }

  @inline(__always)
  mutating func setVectorDestination(_ i: Instruction, _ value: SIMD2<UInt64>) {
    if i.isMemory {
      store(i.address, 8, value[0])
      store(i.address &+ 8, 8, value[1])
    } else {
      vectors[i.rm & 15] = value
    }
  }
}
