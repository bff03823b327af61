import LockjawInspect

/// A small x86-64 processor over copied memory: integer code, branches, strings, and the SSE2 that compilers use to move
/// and compare. No system calls, no floating-point environment, no VEX or EVEX: what it does not know ends the run.
///
/// Rules of this room. The code and the data are hostile: every number wraps, every memory access goes through
/// `GuestMemory`, and each of the limits ends a run. A run that cannot go on says why (`Stop`) and never guesses.
struct Processor: ~Copyable {
  /// Why `run` came back.
  enum Stop: Hashable {
    /// As many instructions as `instructionLimit` allows.
    case instructionLimit
    /// The innermost of `calls` took longer than it may.
    case callLimit
    /// More unmapped memory than a sane run touches.
    case unmappedMemory
    /// An instruction this processor does not know.
    case unknownInstruction
    /// Control reached memory that is not code of a module.
    case leftCode
    /// UD2, INT3, HLT, division by zero.
    case trap
    case systemCall
    /// Control reached `Stubs`' function: `rip` is its address, the return address on top of the stack.
    case stub(Stub)
    /// The frame under examination has returned.
    case returned
    /// The frame calls something; `rip` is at the called function. Only where `stopsAtTopCalls`.
    case topCall
    /// The frame has come to one of its own calls again and again: a loop that what is in the copy does not end.
    case circling
  }

  /// A call that the run has made: what to restore when the callee is given up.
  struct Call {
    var returnAddress: UInt64
    /// Before the return address was pushed.
    var stackPointer: UInt64
    var rbx, rbp, r12, r13, r14, r15: UInt64
    /// Where it puts a result that registers have no room for, if it has one: the first argument (System V ABI, x86-64), or
    /// rax (Swift).
    var results: SIMD2<UInt64>
    /// The count of instructions at which it has taken too long.
    var deadline: Int
    /// How often it has been given more, because something that it called was given up.
    var extensions = 0

    static let none = Call(
      returnAddress: 0, stackPointer: 0, rbx: 0, rbp: 0, r12: 0, r13: 0, r14: 0, r15: 0, results: .zero, deadline: .max)
  }

  // Registers, by the numbers instructions use: rax rcx rdx rbx rsp rbp rsi rdi r8…r15.
  static let rax = 0, rcx = 1, rdx = 2, rbx = 3, rsp = 4, rbp = 5, rsi = 6, rdi = 7
  /// Sixteen of each; owned by `storage`.
  let registers: UnsafeMutablePointer<UInt64>
  let vectors: UnsafeMutablePointer<SIMD2<UInt64>>
  private let storage: Storage
  var rip: UInt64 = 0
  var flags = Flags()
  var fsBase: UInt64 = 0

  let memory: GuestMemory
  /// The memory's quick way.
  let pages: RecentPages
  /// Which calls are not run.
  let stubs: Stubs
  /// The stubs' quick way.
  let stubFilter: StubFilter
  /// What the run has done to the locks that are watched.
  var watch: LockWatch

  /// Instructions so far.
  var executed = 0
  var instructionLimit = 60_000
  /// What a call of the frame itself may take; one within it four fifths of that, and so on. The innermost is given up
  /// first: a function that takes a guard along and loses itself in something else must still come to its end, where it
  /// drops it. Code that was not optimised calls ten functions deep to unlock, and each needs room.
  var callLimit = 5_000
  static let extraTime = 300
  static let extensionLimit = 3
  /// Calls deeper than this are part of their caller.
  static let depthLimit = 10
  /// Of `callLimit`, by depth, in thousandths.
  private static let share = [1000, 800, 640, 512, 410, 328, 262, 210, 168, 134]
  static let unmappedLimit = 64
  private var nextCheck = 0

  /// A `ret` that leaves the stack pointer at or above this one ends the frame under examination. `.max`: where the frame
  /// ends is not known, and its own `ret` ends it.
  var frameEnd: UInt64 = .max
  /// Calls that have not returned, the frame's own first: `callCount` of them, owned by `storage`.
  private let calls: UnsafeMutablePointer<Call>
  private(set) var callCount = 0
  /// Where the frame's own call returns to; `nil` while the frame itself runs.
  var topReturn: UInt64? { callCount > 0 ? calls[0].returnAddress : nil }
  /// The same, all of them; valid until the next call or return.
  var openCalls: UnsafeBufferPointer<Call> { UnsafeBufferPointer(start: calls, count: callCount) }
  /// How often the frame has come to each of its own calls.
  private var circles = CircleWatch()
  /// A landing pad does not circle, however much it drops.
  var endsCircling = true
  var stopsAtTopCalls = false
  /// Conditional branches of the frame itself, so far; the one whose number is `flippedBranch` goes the other way.
  var ownBranches = 0
  var flippedBranch = 0

  /// Set inside an instruction, reported behind it.
  var pending: Stop?
  /// The instruction that is carried out goes on elsewhere.
  var hasBranched = false
  var branchTarget: UInt64 = 0

  // Where the current code page is, so that not every instruction looks it up.
  private var codePage: UInt64 = 1
  private var codeBytes: UnsafePointer<UInt8>
  /// The current instruction's bytes, at least `fetchLimit` of them readable.
  var fetch: UnsafePointer<UInt8>
  static let fetchLimit = 15

  private final class Storage {
    let registers = UnsafeMutablePointer<UInt64>.allocate(capacity: 16)
    let vectors = UnsafeMutablePointer<SIMD2<UInt64>>.allocate(capacity: 16)
    /// Bytes of an instruction that crosses a page.
    let crossing = UnsafeMutablePointer<UInt8>.allocate(capacity: 16)
    let calls = UnsafeMutablePointer<Call>.allocate(capacity: depthLimit)
    init() {
      calls.initialize(repeating: .none, count: depthLimit)
      registers.initialize(repeating: 0, count: 16)
      vectors.initialize(repeating: .zero, count: 16)
      crossing.initialize(repeating: 0, count: 16)
    }
    deinit {
      registers.deallocate()
      vectors.deallocate()
      crossing.deallocate()
      calls.deallocate()
    }
  }

  init(memory: GuestMemory, stubs: Stubs) {
    self.memory = memory
    pages = memory.recent
    self.stubs = stubs
    stubFilter = stubs.filter
    watch = LockWatch([])
    storage = Storage()
    registers = storage.registers
    vectors = storage.vectors
    calls = storage.calls
    codeBytes = UnsafePointer(storage.crossing)
    fetch = UnsafePointer(storage.crossing)
  }

  /// Back to a state in which nothing has run. Registers are zero.
  mutating func reset(watching locks: [LockSemantics]) {
    memory.beginRun()
    registers.update(repeating: 0, count: 16)
    vectors.update(repeating: .zero, count: 16)
    flags = Flags()
    watch.reset(locks)
    executed = 0
    callCount = 0
    circles = CircleWatch()
    endsCircling = true
    stopsAtTopCalls = false
    ownBranches = 0
    flippedBranch = 0
    pending = nil
    frameEnd = .max
    codePage = 1
  }

  /// Ends the run behind this instruction.
  @inline(__always)
  mutating func stop(_ reason: Stop) { pending = reason }

  /// Goes on from `rip` until something stops it. After `stub`, `systemCall`, `topCall`, `callLimit` it can be called again.
  mutating func run() -> Stop {
    // The frame has returned from a function that is not run: it had jumped there.
    if let stop = pending {
      pending = nil
      return stop
    }
    scheduleCheck()
    while true {
      if executed >= nextCheck {
        if executed >= instructionLimit { return .instructionLimit }
        if callCount > 0, executed >= calls[callCount - 1].deadline { return .callLimit }
        scheduleCheck()
      }
      executed &+= 1
      guard fetchCode() else { return .leftCode }
      step()
      if let stop = pending {
        pending = nil
        return stop
      }
      if pages.unmappedAccesses.pointee > Self.unmappedLimit { return .unmappedMemory }
    }
  }

  private mutating func scheduleCheck() {
    // The innermost deadline is not the earliest only where its callers have little left; then it is met soon after.
    nextCheck = min(instructionLimit, innermostDeadline)
  }

  /// Points `fetch` at the bytes of the instruction at `rip`; false where that is no code.
  @inline(__always)
  private mutating func fetchCode() -> Bool {
    let page = rip & ~4095
    let offset = Int(truncatingIfNeeded: rip & 4095)
    if page == codePage, offset <= GuestMemory.pageBytes - 16 {
      fetch = codeBytes + offset
      return true
    }
    return fetchCodeSlowly(page, offset)
  }

  @inline(never)
  private mutating func fetchCodeSlowly(_ page: UInt64, _ offset: Int) -> Bool {
    guard stubs.isCode(rip), let bytes = memory.wholePage(page) else { return false }
    (codePage, codeBytes) = (page, bytes)
    if offset <= GuestMemory.pageBytes - 16 {
      fetch = bytes + offset
      return true
    }
    let here = GuestMemory.pageBytes - offset
    let next = memory.wholePage(page &+ 4096)
    for index in 0..<16 {
      storage.crossing[index] = index < here ? bytes[offset + index] : next.map { $0[index - here] } ?? 0xF4
    }
    fetch = UnsafePointer(storage.crossing)
    return true
  }

  private var innermostDeadline: Int { callCount > 0 ? calls[callCount - 1].deadline : .max }

  /// Notes a call; deeper ones than `depthLimit` go unnoted.
  mutating func noteCall(returningTo next: UInt64) {
    guard callCount < Self.depthLimit else { return }
    if callCount == 0, endsCircling, circles.isCircling(next, executed) { pending = .circling }
    let outer = innermostDeadline
    calls[callCount] = Call(
      returnAddress: next, stackPointer: registers[Self.rsp], rbx: registers[Self.rbx], rbp: registers[Self.rbp],
      r12: registers[12], r13: registers[13], r14: registers[14], r15: registers[15],
      results: SIMD2(registers[Self.rdi], registers[Self.rax]),
      deadline: min(executed &+ callLimit * Self.share[callCount] / 1000, outer))
    callCount += 1
    scheduleCheck()
  }

  /// The stack pointer tells whose return it was: a callee's, the frame's.
  mutating func noteReturn() {
    let sp = registers[Self.rsp]
    let isOwn = callCount == 0
    while callCount > 0, sp >= calls[callCount - 1].stackPointer {
      callCount -= 1
      scheduleCheck()
    }
    if watch.disturbance.hasGap { watch.disturbance.noteReturn(openCalls: callCount) }
    if sp >= frameEnd || (isOwn && frameEnd == .max) { pending = .returned }
  }

  /// Goes on in the frame that has just been returned to.
  mutating func continueInCaller(endingAt end: UInt64) {
    frameEnd = end
    callCount = 0
    ownBranches = 0
    circles = CircleWatch()
    scheduleCheck()
  }

  /// The frames of the functions that run: that under examination, and those below it.
  var openFrames: Range<UInt64> { registers[Self.rsp]..<max(registers[Self.rsp], frameEnd) }

  /// Gives up the innermost call that is noted: back behind it, with `result` in rax and the registers that a callee keeps.
  /// - Parameter leavesGap: the caller goes on as if the call had returned.
  mutating func abandonCall(result: UInt64, leavesGap: Bool = false) -> Bool {
    // One that goes on calling what takes too long is given up itself.
    for index in 0..<callCount where executed >= calls[index].deadline && calls[index].extensions >= Self.extensionLimit
    {
      callCount = index + 1
      break
    }
    guard callCount > 0 else { return false }
    callCount -= 1
    let call = calls[callCount]
    rip = call.returnAddress
    registers[Self.rsp] = call.stackPointer
    registers[Self.rbx] = call.rbx
    registers[Self.rbp] = call.rbp
    (registers[12], registers[13]) = (call.r12, call.r13)
    (registers[14], registers[15]) = (call.r14, call.r15)
    registers[Self.rax] = result
    if leavesGap {
      // The second half of a small result.
      registers[Self.rdx] = 0
      watch.disturbance.noteGivenUpCall(openCalls: callCount, results: call.results)
    }
    // Its callers get the little that dropping a guard takes, or they would be given up at once.
    for index in 0..<callCount where calls[index].deadline < executed &+ Self.extraTime {
      calls[index].deadline = executed &+ Self.extraTime
      calls[index].extensions += 1
    }
    return true
  }

  /// Returns from a stub: as `ret` in it would.
  mutating func returnFromStub(_ result: UInt64) {
    registers[Self.rax] = result
    let target = memory.load(registers[Self.rsp], as: UInt64.self)
    registers[Self.rsp] = registers[Self.rsp] &+ 8
    rip = target
    pending = nil
    noteReturn()
  }
}
