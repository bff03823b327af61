import LockjawArena
import LockjawGraph
import LockjawInspect
import LockjawModel

extension Examination.Glance {
  /// The same moment with futex waits taken for what they are: waits for locks of Rust, parking_lot, Swift, abseil,
  /// musl or libstdc++, whose acquires no shim sees.
  ///
  /// Costs a stack for each such wait, so it is done once they have lasted.
  /// - Parameters:
  ///   - age: seconds a wait must have lasted.
  ///   - snapshot: registers of threads whose waits nobody recorded.
  package func interpreting(
    _ target: any Target, arena: ArenaReader?, snapshot: Snapshot? = nil, olderThan age: Double
  ) -> Examination.Glance {
    func isDue(_ thread: ThreadState, after age: Double) -> Bool {
      guard let wait = thread.wait, wait.futex != nil, wait.type == .futex || wait.type == .piFutex else {
        return false
      }
      return !wait.since.isKnown || now.seconds(since: wait.since) >= age
    }
    guard threads.contains(where: { isDue($0, after: age) }) else { return self }
    // Those who wait for the same lock came one after another: the younger belong into the same report.
    let younger = age / 10
    let interpreter = WaitInterpreter(target, arena: arena, snapshot: snapshot)
    var words = words
    var grounds = grounds
    var guesses = guesses
    let threads = threads.map { thread in
      guard isDue(thread, after: younger), let reading = interpreter.reading(of: thread) else { return thread }
      var thread = thread
      thread.wait?.type = reading.type
      thread.wait?.mode = reading.mode
      if let lock = reading.lock { thread.wait?.object = lock }
      if let joined = reading.joined { thread.wait?.companion = Address(UInt64(UInt32(bitPattern: joined.rawValue))) }
      if let lock = reading.lock, let word = interpreter.word(of: reading) { words[lock] = word }
      grounds[thread.tid] = reading.evidence
      if reading.basis == .pattern { guesses.insert(thread.tid) }
      return thread
    }
    return Examination.Glance(
      threads: threads, now: now, waits: waits, listsEveryThread: listsEveryThread, refused: refused, words: words,
      grounds: grounds, guesses: guesses)
  }
}

/// Reads futex waits with the stacks of those who wait.
struct WaitInterpreter {
  private let target: any Target
  private let snapshot: Snapshot?
  private let stacks: StackReader
  private let decoder: WaitDecoder

  init(_ target: any Target, arena: ArenaReader?, snapshot: Snapshot?) {
    self.target = target
    self.snapshot = snapshot
    stacks = StackReader(arena: arena, target: target, snapshot: snapshot)
    decoder = WaitDecoder(memory: target.memory)
  }

  /// `nil` where the wait stays what it is: a wait on a futex that nothing explains.
  func reading(of thread: ThreadState) -> DecodedWait? {
    guard let wait = thread.wait, let futex = wait.futex else { return nil }
    let registers =
      wait.context.ip != 0 ? Registers(wait.context) : snapshot?.thread(thread.tid)?.registers ?? Registers()
    let reading = decoder.decode(
      SleepingThread(
        tid: thread.tid, futex: futex, stack: stacks.stack(of: thread), stackPointer: registers.stackPointer,
        preserved: [registers.rbx, registers.rbp, registers.r12, registers.r13, registers.r14, registers.r15]))
    // A lock without an address has no word and no holder; a futex stays one.
    guard reading.library != .unknown, reading.lock != nil || !reading.type.hasHolder else { return nil }
    return reading
  }

  func word(of reading: DecodedWait) -> LockWord? {
    guard let lock = reading.lock, reading.type != .join else { return nil }
    return LibraryWord.decode(reading.library, reading.type, at: lock, memory: target.memory, isSleptOn: true)
  }
}
