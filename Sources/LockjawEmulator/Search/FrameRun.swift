import LockjawInspect
import LockjawModel

/// Runs one frame on a copy, in the two ways that tell what it holds: through the landing pad that the unwinder would
/// take, or forward from the address its callee returns to.
struct FrameRun: ~Copyable {
  /// A frame whose callee has not returned.
  struct Frame: Hashable {
    var returnAddress: UInt64
    var stackPointer: UInt64
    /// rbx rbp r12 r13 r14 r15
    var preserved: [UInt64]
    /// The stack pointer when the frame will have returned; `.max` where that is not known.
    var end: UInt64
    var fsBase: UInt64
  }

  enum Outcome: Hashable {
    /// Ran to its end: what it did to the locks is all that it does.
    case complete
    /// The same, but a call on the way was given up, and with it whatever else it would have done.
    case incomplete
    /// Ended before: what it did is true, what it did not do says nothing.
    case cut(Processor.Stop)
  }

  /// From HOLDERS.md, rule 5: what a callee may take before it is given up.
  private static let padCallLimit = 5_000
  private static let forwardCallLimit = 4_000
  /// Instructions of a run.
  enum Limit: Int {
    case first = 24_000
    /// Of the attempts after the first: the frame is known to circle.
    case further = 8_000
    /// The same code has circled in other threads, whatever was tried.
    case hopeless = 2_500
  }
  /// Calls that are given up before the run is.
  private static let abandonedLimit = 200

  private var processor: Processor
  private let tables: ExceptionTables
  private var heap: UInt64 = 0
  /// What the clocks of this run show.
  private var seconds: UInt64 = 0
  /// The frame is already being unwound.
  private var isInPad = false
  /// A call took too long, or did what the processor cannot do.
  private var hasGivenUp = false

  init(memory: any MemoryReader, stubs: Stubs, tables: ExceptionTables) {
    processor = Processor(memory: GuestMemory(memory), stubs: stubs)
    self.tables = tables
  }

  /// What the last run did to the locks, in order.
  var events: [LockWatch.Event] { processor.watch.events }
  /// Conditional branches of the frame itself that the last run came to.
  var ownBranches: Int { processor.ownBranches }
  /// Instructions of the last run.
  var instructions: Int { processor.executed }

  // MARK: The ways

  /// As if the callee had thrown: control goes to the landing pad.
  mutating func landingPad(_ pad: UInt64, of frame: Frame, watching locks: [LockSemantics]) -> Outcome {
    begin(frame, at: pad, locks, callLimit: Self.padCallLimit)
    isInPad = true
    processor.endsCircling = false
    processor.registers[Processor.rax] = GuestMemory.scratch.lowerBound
    return drive()
  }

  /// As if the callee had returned `result`.
  /// - Parameters:
  ///   - flippedBranch: the frame's own conditional branch, counted from 1, that goes the other way; 0: none.
  ///   - patience: how many times as long as usual the frame and its calls may take.
  mutating func forward(
    _ frame: Frame, result: UInt64, flippedBranch: Int = 0, limit: Limit, patience: Int = 1,
    watching locks: [LockSemantics]
  ) -> Outcome {
    begin(frame, at: frame.returnAddress, locks, callLimit: Self.forwardCallLimit * patience)
    processor.instructionLimit = limit.rawValue * patience
    processor.registers[Processor.rax] = result
    processor.flippedBranch = flippedBranch
    return drive()
  }

  /// As if the callee had returned, up to the first call that has a landing pad, and from there as if that had thrown.
  mutating func forwardToPad(_ frame: Frame, watching locks: [LockSemantics]) -> Outcome {
    begin(frame, at: frame.returnAddress, locks, callLimit: Self.forwardCallLimit)
    processor.instructionLimit = Limit.further.rawValue
    processor.stopsAtTopCalls = true
    return drive()
  }

  /// What a run through the returns of adjoining frames did.
  struct Chain {
    /// For each frame that was run to its end; once a call was given up, none is complete: what that call would have left
    /// is missing in all that follows.
    var passed: [(events: [LockWatch.Event], end: Outcome)] = []
    /// The frame after those, where it was begun and did not come to its end.
    var unfinished: [LockWatch.Event]?
  }

  /// As if the wait of the innermost of `frames` had come to its end, and on through the frames that called it: each finds
  /// what its callee really gives it, a guard for the lock that was awaited among it.
  /// - Parameters:
  ///   - frames: adjoining, innermost first.
  ///   - futex: the word that is slept on, which reads as zero: free, or woken.
  ///   - patience: how many times as long as usual the frames and their calls may take.
  ///   - flippedBranches: by the frame's place in `frames`, its own conditional branch, counted from 1, that goes the other
  ///     way.
  mutating func unwindForward(
    _ frames: ArraySlice<Frame>, futex: UInt64?, result: UInt64, flippedBranches: [Int: Int] = [:],
    patience: Int = 1, watching locks: [LockSemantics]
  ) -> Chain {
    var chain = Chain()
    guard var index = frames.indices.first else { return chain }
    begin(frames[index], at: frames[index].returnAddress, locks, callLimit: Self.forwardCallLimit * patience)
    processor.instructionLimit = Self.chainedFrameLimit * patience
    processor.registers[Processor.rax] = result
    if let futex { processor.rawStore(futex, 4, 0) }
    var seen = 0
    while true {
      processor.flippedBranch = flippedBranches[index - frames.startIndex] ?? 0
      let outcome = drive()
      let events = Array(processor.watch.events[seen...])
      guard [.complete, .incomplete].contains(outcome) else {
        chain.unfinished = events
        return chain
      }
      chain.passed.append((events, outcome))
      seen = processor.watch.events.count
      index += 1
      guard index < frames.endIndex, processor.rip == frames[index].returnAddress,
        processor.registers[Processor.rsp] == frames[index].stackPointer
      else { return chain }
      processor.continueInCaller(endingAt: frames[index].end)
      processor.instructionLimit = processor.executed + Self.chainedFrameLimit * patience
    }
  }

  /// What the caller of `frame` finds when the frame returns: the calls on the way to its `ret` are passed over, since each
  /// leaves the stack pointer and the preserved registers as they were, and so does every way through the function.
  /// - Parameter flippedBranch: the frame's own conditional branch, counted from 1, that goes the other way; 0: none.
  /// - Returns: a frame whose own end is not known; `nil` where this way does not lead to a return.
  mutating func caller(of frame: Frame, flippedBranch: Int) -> Frame? {
    begin(frame, at: frame.returnAddress, [], callLimit: Self.forwardCallLimit)
    processor.frameEnd = .max
    processor.instructionLimit = Limit.hopeless.rawValue
    processor.flippedBranch = flippedBranch
    processor.stopsAtTopCalls = true
    var passedOver = 0
    while true {
      switch processor.run() {
      case .returned:
        let preserved = [3, 5, 12, 13, 14, 15].map { processor.registers[$0] }
        return Frame(
          returnAddress: processor.rip, stackPointer: processor.registers[Processor.rsp], preserved: preserved,
          end: .max, fsBase: frame.fsBase)
      // Such a call has no return to go on from.
      case .stub(.end), .stub(.resumeUnwinding): return nil
      case .topCall, .stub:
        passedOver += 1
        guard passedOver < Self.abandonedLimit else { return nil }
        // One that is jumped to returns for the frame.
        if !processor.abandonCall(result: 0) { processor.returnFromStub(0) }
      case .systemCall: processor.registers[Processor.rax] = 0
      default: return nil
      }
    }
  }

  /// A frame that has not come to its end by then circles; what it holds it has mostly shown.
  private static let chainedFrameLimit = 20_000

  private mutating func begin(_ frame: Frame, at start: UInt64, _ locks: [LockSemantics], callLimit: Int) {
    processor.reset(watching: locks)
    isInPad = false
    hasGivenUp = false
    heap = GuestMemory.scratch.lowerBound + 0x1000
    seconds = 1_000_000
    for (register, value) in zip([3, 5, 12, 13, 14, 15], frame.preserved) { processor.registers[register] = value }
    processor.registers[Processor.rsp] = frame.stackPointer
    processor.fsBase = frame.fsBase
    processor.frameEnd = frame.end
    processor.rip = start
    processor.callLimit = callLimit
    processor.instructionLimit = Limit.first.rawValue
  }

  /// Runs on through everything that is done in a function's place.
  private mutating func drive() -> Outcome {
    var abandoned = 0
    while true {
      let stop = processor.run()
      switch stop {
      case .returned: return hasGivenUp ? .incomplete : .complete
      case .stub(.resumeUnwinding):
        // Of the frame itself, or of a function it calls, which then has no end of its own.
        if isOwnCall { return hasGivenUp ? .incomplete : .complete }
        return .cut(stop)
      case .stub(.end), .trap:
        guard let back = processor.topReturn, abandoned < Self.abandonedLimit else { return .cut(stop) }
        abandoned += 1
        // A callee has thrown, or would have ended the process. As unwinding goes on in the frame, so does the run.
        if !isInPad, case .at(let pad) = tables.landingPad(returnAddress: back) {
          isInPad = true
          goToPad(pad)
        } else if !processor.abandonCall(result: 0, leavesGap: true) {
          return .cut(stop)
        }
      case .stub(let stub): substitute(stub)
      case .systemCall: processor.registers[Processor.rax] = 0
      case .topCall:
        if let back = processor.topReturn, case .at(let pad) = tables.landingPad(returnAddress: back) {
          goToPad(pad)
          processor.stopsAtTopCalls = false
        }
      case .callLimit, .unknownInstruction, .leftCode:
        guard abandoned < Self.abandonedLimit, processor.abandonCall(result: 0, leavesGap: true) else {
          return .cut(stop)
        }
        abandoned += 1
        hasGivenUp = true
      case .instructionLimit, .unmappedMemory, .circling: return .cut(stop)
      }
    }
  }

  private mutating func goToPad(_ pad: UInt64) {
    while processor.abandonCall(result: GuestMemory.scratch.lowerBound) {}
    processor.registers[Processor.rdx] = 0
    processor.endsCircling = false
    processor.rip = pad
  }

  /// The function that was just reached was called by the frame itself.
  private var isOwnCall: Bool { processor.callCount <= 1 }

  // MARK: Functions that are not run

  private mutating func substitute(_ stub: Stub) {
    func argument(_ number: Int) -> UInt64 { processor.registers[[7, 6, 2, 1][number]] }
    var result: UInt64 = 0
    switch stub {
    case .resumeUnwinding, .end, .skip: break
    case .beginCatch: result = argument(0)
    case .allocate: result = allocate(argument(0))
    case .allocateZeroed: result = allocate(argument(0) &* argument(1))
    case .reallocate:
      result = allocate(argument(1))
      // How large the old block was is the allocator's secret; what lies behind it does no harm in the new one.
      if argument(0) != 0 { copy(from: argument(0), to: result, min(argument(1), 4096)) }
    case .allocateAligned: result = allocate(argument(1))
    case .storeAllocated: processor.rawStore(argument(0), 8, allocate(argument(2)))
    case .copy:
      copy(from: argument(1), to: argument(0), argument(2))
      result = argument(0)
    case .fill:
      fill(argument(0), UInt8(truncatingIfNeeded: argument(1)), argument(2))
      result = argument(0)
    case .compare: result = compare(argument(0), argument(1), argument(2))
    case .length: result = length(argument(0))
    case .clock:
      // A valid time: what was in that memory before may be none. It passes, as in the sleeps that are not run: who waits
      // until then comes to an end.
      seconds += 10
      processor.rawStore(argument(1), 8, seconds)
      processor.rawStore(argument(1) &+ 8, 8, 0)
    case .systemCall: noteSystemCall()
    case .lock(let operation):
      // A call that a callee makes belongs to the frame's own call.
      note(operation, argument(0))
    case .conditionWait:
      // Whoever waits on a condition has its mutex.
      note(.release(.exclusive), argument(1))
    }
    processor.returnFromStub(result)
  }

  private mutating func note(_ operation: LockOperation, _ address: UInt64) {
    guard let lock = processor.watch.lock(at: address), !processor.watch.locks[lock].isWatchedInMemory else { return }
    let back = processor.raw(processor.registers[Processor.rsp], 8)
    processor.watch.note(
      operation, lock: lock, pc: back, isReturnAddress: true, open: processor.openFrames,
      calls: processor.openCalls)
  }

  /// futex(2): of the operations only those that hand the lock itself over say something.
  private mutating func noteSystemCall() {
    guard processor.registers[Processor.rdi] == 202,
      let lock = processor.watch.lock(at: processor.registers[Processor.rsi])
    else { return }
    let operation = processor.registers[Processor.rdx] & 0x7F
    let back = processor.raw(processor.registers[Processor.rsp], 8)
    let meaning: LockOperation
    switch operation {
    case 7: meaning = .release(.exclusive)  // UNLOCK_PI
    case 6, 13: meaning = .acquire(.exclusive)  // LOCK_PI, LOCK_PI2
    default: return
    }
    processor.watch.note(
      meaning, lock: lock, pc: back, isReturnAddress: true, open: processor.openFrames,
      calls: processor.openCalls)
  }

  /// Memory that no process has and that begins zeroed. When it is used up, the same again: the run is on its own copy.
  private mutating func allocate(_ count: UInt64) -> UInt64 {
    let wanted = (min(count, 1 << 16) &+ 31) & ~15
    if heap &+ wanted > GuestMemory.scratch.upperBound { heap = GuestMemory.scratch.lowerBound + 0x1000 }
    defer { heap = heap &+ wanted }
    return heap
  }

  /// Longer blocks are cut: a wild count must not hold the run up.
  private static let longestBlock: UInt64 = 1 << 16

  private mutating func copy(from: UInt64, to: UInt64, _ count: UInt64) {
    let count = min(count, Self.longestBlock)
    // Backwards where they overlap that way, as memmove.
    if to &- from < count {
      var at = count
      while at > 0 {
        at -= 1
        processor.rawStore(to &+ at, 1, processor.raw(from &+ at, 1))
      }
      return
    }
    var at: UInt64 = 0
    while at < count {
      let width = count - at >= 8 ? 8 : 1
      processor.rawStore(to &+ at, width, processor.raw(from &+ at, width))
      at += UInt64(width)
    }
  }

  private mutating func fill(_ to: UInt64, _ byte: UInt8, _ count: UInt64) {
    for at in 0..<min(count, Self.longestBlock) { processor.rawStore(to &+ at, 1, UInt64(byte)) }
  }

  private func compare(_ a: UInt64, _ b: UInt64, _ count: UInt64) -> UInt64 {
    for at in 0..<min(count, Self.longestBlock) {
      let (x, y) = (processor.raw(a &+ at, 1), processor.raw(b &+ at, 1))
      if x != y { return x &- y }
    }
    return 0
  }

  private func length(_ text: UInt64) -> UInt64 {
    for at in 0..<Self.longestBlock where processor.raw(text &+ at, 1) == 0 { return at }
    return Self.longestBlock
  }
}
