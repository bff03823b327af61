import LockjawArena
import LockjawGraph
import LockjawInspect
import LockjawModel

extension Examination.Glance {
  /// The same moment with futex waits taken for what they are: waits for locks of glibc, Rust, parking_lot, Swift, abseil,
  /// musl, libstdc++ or libc++, which nobody recorded as such.
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
    let interpreter = WaitInterpreter(
      target, arena: arena, snapshot: snapshot, sleptOn: Set(threads.compactMap { $0.wait?.futex?.word }))
    var glance = self
    for index in threads.indices where isDue(threads[index], after: younger) {
      guard let reading = interpreter.reading(of: threads[index]) else { continue }
      if reading.isRenewed {
        glance.threads[index].wait?.renew(since: interpreter.firstSleep(of: threads[index]))
      }
      glance.threads[index].wait?.read(as: reading)
      if let word = interpreter.word(of: reading, threads[index]) { glance.words[word.address] = word }
      // What the C library's own function says needs no further words.
      if reading.library != .glibc { glance.grounds[reading.thread] = reading.evidence }
      if reading.basis == .pattern { glance.guesses.insert(reading.thread) }
    }
    return glance
  }
}

extension Wait {
  /// Takes sleeps with a limit, one after the other, for one wait without.
  fileprivate mutating func renew(since first: Instant) {
    isRenewed = true
    deadline = nil
    since = first
  }

  /// Takes a wait on a futex for what it was found to be.
  fileprivate mutating func read(as reading: DecodedWait) {
    type = reading.type
    mode = reading.mode
    if let lock = reading.lock { object = lock }
    if let joined = reading.joined { companion = Address(UInt64(UInt32(bitPattern: joined.rawValue))) }
  }
}

/// Reads futex waits with the stacks of those who wait.
struct WaitInterpreter {
  private let target: any Target
  private let snapshot: Snapshot?
  private let stacks: StackReader
  private let decoder: WaitDecoder
  /// `nil`: nobody has recorded the sleeps before this one.
  private let retries: Retries?

  init(_ target: any Target, arena: ArenaReader?, snapshot: Snapshot?, sleptOn: Set<Address>) {
    self.target = target
    self.snapshot = snapshot
    retries = arena.map { Retries($0) }
    stacks = StackReader(arena: arena, target: target, snapshot: snapshot)
    decoder = WaitDecoder(memory: target.memory, sleptOn: sleptOn)
  }

  /// `nil` where the wait stays what it is: a wait on a futex that nothing explains.
  func reading(of thread: ThreadState) -> DecodedWait? {
    guard let wait = thread.wait, let futex = wait.futex else { return nil }
    let registers =
      wait.context.ip != 0 ? Registers(wait.context) : snapshot?.thread(thread.tid)?.registers ?? Registers()
    let reading = decoder.decode(
      SleepingThread(tid: thread.tid, futex: futex, stack: stacks.stackOfWait(thread), registers: registers))
    // A lock without an address has no word and no holder; a futex stays one.
    guard reading.library != .unknown, reading.lock != nil || !reading.type.hasHolder else { return nil }
    return reading
  }

  /// When the first of the sleeps began that make up a renewed wait. Only a history tells; when this sleep began is no
  /// answer.
  func firstSleep(of thread: ThreadState) -> Instant {
    guard let wait = thread.wait, let retries else { return .unknown }
    return retries.before(wait, of: thread)?.since ?? wait.since
  }

  func word(of reading: DecodedWait, _ thread: ThreadState) -> LockWord? {
    if reading.library == .libcxx, reading.lock == nil {
      return thread.wait?.futex.map { LibcxxWord.tableEntry(at: $0.word) }
    }
    guard let lock = reading.lock, reading.type != .join else { return nil }
    return LibraryWord.decode(reading.library, reading.type, at: lock, memory: target.memory, isSleptOn: true)
  }
}
