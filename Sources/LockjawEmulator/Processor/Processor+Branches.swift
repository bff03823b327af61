/// Calls, returns and jumps, and what a run wants to know about them: has the frame returned, which of its own calls is
/// it in, is the function called one that is not run.
extension Processor {
  mutating func branch(_ i: inout Instruction) {
    switch i.opcode {
    case 0xC2:
      let extra = immediate(&i, 2) & 0xFFFF
      `return`(extra)
    case 0xC3: `return`(0)
    case 0xE8:
      let distance = immediate(&i, 4)
      let next = rip &+ UInt64(i.length)
      call(next &+ distance, returningTo: next)
    case 0xE9:
      let distance = immediate(&i, 4)
      jump(rip &+ UInt64(i.length) &+ distance)
    case 0xEB:
      let distance = immediate(&i, 1)
      jump(rip &+ UInt64(i.length) &+ distance)
    case 0xE3:  // JRCXZ
      let distance = immediate(&i, 1)
      if registers[Self.rcx] == 0 { go(to: rip &+ UInt64(i.length) &+ distance) }
    default: pending = .unknownInstruction
    }
  }

  mutating func conditionalJump(_ i: inout Instruction, _ opcode: UInt8, _ distance: UInt64) {
    var isTaken = flags.holds(opcode)
    if callCount == 0 {
      ownBranches += 1
      if ownBranches == flippedBranch { isTaken.toggle() }
    }
    if isTaken { go(to: rip &+ UInt64(i.length) &+ distance) }
  }

  mutating func indirectCall(_ i: Instruction) {
    call(target(i), returningTo: rip &+ UInt64(i.length))
  }

  mutating func indirectJump(_ i: Instruction) {
    jump(target(i))
  }

  /// Where an indirect branch leads. A slot that the loader has not bound yet would lead into the loader: whom it names
  /// is looked up instead.
  private mutating func target(_ i: Instruction) -> UInt64 {
    let value = source(i, 8)
    guard i.isMemory, i.isStaticAddress else { return value }
    return stubs.boundTarget(slot: i.address, value: value)
  }

  @inline(__always)
  private mutating func go(to target: UInt64) {
    hasBranched = true
    branchTarget = target
  }

  private mutating func jump(_ target: UInt64) {
    go(to: target)
    if stubFilter.mayContain(target), let stub = stubs.stub(at: target) { pending = .stub(stub) }
  }

  private mutating func call(_ target: UInt64, returningTo next: UInt64) {
    let isOwn = callCount == 0
    noteCall(returningTo: next)
    push(next)
    go(to: target)
    // A call that shows the frame to be circling ends the run before it is made.
    if pending != nil { return }
    if stubFilter.mayContain(target), let stub = stubs.stub(at: target) {
      pending = .stub(stub)
    } else if isOwn, stopsAtTopCalls {
      pending = .topCall
    }
  }

  private mutating func `return`(_ extra: UInt64) {
    let target = pop()
    registers[Self.rsp] = registers[Self.rsp] &+ extra
    go(to: target)
    noteReturn()
  }
}
