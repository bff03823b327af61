import Glibc
import LockjawArena
import LockjawGraph
import LockjawInspect
import LockjawModel

/// One look at a process through all three witnesses: its arena (twice), its lock words, the kernel.
package struct Examination {
  package let threads: [ThreadState]
  package let words: [Address: LockWord]
  package let kernel: [ThreadID: KernelState]
  package let graph: WaitForGraph
  package let diagnosis: Diagnosis
  /// Threads that did not wait but were refused to; see `Glance`.
  package let refused: Set<ThreadID>
  /// What the interpretation of a thread's futex wait rests on.
  package let grounds: [ThreadID: String]
  /// Holders that were found by what frames would release.
  package let owners: [Address: LockOwners]
  /// Other processes that waits lead to.
  package let surroundings: Surroundings?
  package let unrecorded: UnrecordedWaits?
  /// The moment of the first pass.
  package let now: Instant
  /// An orphan's owner turned out to have unlocked before it ended: the whole is worth another look.
  package let wasOvertaken: Bool

  /// What the first pass alone says: cheap, and enough to know that there is nothing to examine.
  package struct Glance {
    package var threads: [ThreadState]
    package let now: Instant
    /// `now` is the last moment on record of a process that ended nobody knows when.
    package var isEndUnknown = false
    /// Waits of a preloaded process that the library did not see.
    package var unrecorded: UnrecordedWaits?
    /// Waits by slot and sequence, in slot order: equal lists mean that nothing has changed.
    package let waits: [WaitKey]
    /// `threads` has every thread that ever used a lock, not only those that wait or hold.
    package let listsEveryThread: Bool
    /// Threads of a dead process that were refused the wait they are shown with; see `remains`.
    package let refused: Set<ThreadID>
    /// Words of locks whose waits were told by stacks and words; see `interpreting`. Of a process without an arena: of every
    /// lock that somebody waits for.
    package var words: [Address: LockWord]
    /// What the interpretation of a thread's wait rests on, a sentence each.
    package var grounds: [ThreadID: String]
    /// Threads whose waits only values in memory tell: nothing that rests on them is more than suspect.
    package var guesses: Set<ThreadID>
    /// Holders of such locks; see `findingHolders`.
    package var owners: [Address: LockOwners]
    /// Other processes that waits lead to; their threads are among `threads`.
    package let surroundings: Surroundings?
    package init(
      threads: [ThreadState], now: Instant, waits: [WaitKey], listsEveryThread: Bool = false,
      refused: Set<ThreadID> = [], words: [Address: LockWord] = [:], grounds: [ThreadID: String] = [:],
      owners: [Address: LockOwners] = [:], guesses: Set<ThreadID> = [], surroundings: Surroundings? = nil
    ) {
      self.surroundings = surroundings
      self.guesses = guesses
      self.owners = owners
      self.words = words
      self.grounds = grounds
      self.listsEveryThread = listsEveryThread
      self.threads = threads
      self.now = now
      self.waits = waits
      self.refused = refused
    }
  }

  package struct WaitKey: Hashable, Sendable {
    package let slot: Int
    package let sequence: UInt64
    package init(slot: Int, sequence: UInt64) {
      self.slot = slot
      self.sequence = sequence
    }
  }

  static func keys(of threads: [ThreadState]) -> [WaitKey] {
    threads.compactMap { thread in thread.wait.map { WaitKey(slot: thread.slot, sequence: $0.sequence) } }
  }

  package static func glance(_ arena: ArenaReader, now: Instant = .now) -> Glance {
    let threads = arena.threads()
    return Glance(threads: threads, now: now, waits: keys(of: threads))
  }

  /// Asks words and kernel about what `glance` saw, and the arena a second time.
  ///
  /// The second pass comes last: a wait that is the same in both passes was going on while words and kernel were
  /// asked.
  /// - Parameters:
  ///   - arena: `nil` for a process that was not started with the shim. A snapshot is one moment, so there its one pass
  ///     is also the second.
  ///   - stall: seconds after which a wait is a finding.
  ///   - missed: heartbeats that did not come; those of `arena` that are late at the first pass where it is left out.
  package init(
    _ glance: Glance, arena: ArenaReader?, target: any Target, stall: Double, missed: [Heartbeat]? = nil
  ) {
    // A gone process beats no more, and when it ended nobody knows.
    let missed =
      missed
      ?? (target.condition == "gone" ? [] : arena?.heartbeats().filter { $0.lateness(at: glance.now) != nil } ?? [])
    let whole = Examination(whole: glance, arena: arena, target: target, stall: stall, missed)
    // Other processes that have nothing to do with what was found have no place in the report either.
    if let surroundings = glance.surroundings, !whole.diagnosis.findings.contains(where: surroundings.touches) {
      self = Examination(whole: glance.alone, arena: arena, target: target, stall: stall, missed)
    } else {
      self = whole
    }
  }

  private init(
    whole glance: Glance, arena: ArenaReader?, target: any Target, stall: Double, _ missed: [Heartbeat]
  ) {
    let memory = target.memory
    let asked: any Target = glance.surroundings.map { SurroundedTarget(target, $0) } ?? target
    surroundings = glance.surroundings
    unrecorded = glance.unrecorded
    var words = glance.words
    for lock in WaitForGraph.locksToDecode(glance.threads) where words[lock.object] == nil {
      words[lock.object] =
        LibraryWord.decodeRecorded(lock.type, at: lock.object, memory: memory)
        ?? Self.rememberedWord(lock.object, glance.threads)
    }
    var first = glance.threads
    if arena == nil, let surroundings = glance.surroundings, let snapshot = (target as? SnapshotTarget)?.snapshot {
      // The snapshot's own owners are told already; these are the neighbours'.
      first = SnapshotOwners(words: words, snapshot: snapshot, surroundings: surroundings).adding(to: first)
    }

    var kernel = target.kernelStates
    for thread in first where thread.wait?.isRenewed ?? false {
      // What a stop has made a `restart_syscall` is a futex wait all the same, where the thread's functions have said so.
      // Other waits without a limit go on as what they were.
      if case .systemCall(Self.restart, _)? = kernel[thread.tid], let word = thread.wait?.futex?.word {
        kernel[thread.tid] = .futexWait(word: word)
      }
    }
    for thread in Self.wokenConditionWaiters(first, words) { kernel[thread] = asked.kernelState(of: thread) }
    let alive = Self.aliveThreads(first, words, asked, now: glance.now, stall: stall)
    let isSemaphoreWaitedFor = first.contains { $0.wait?.type == .semaphore }
    let preliminary = WaitForGraph(
      threads: first, words: words, kernel: kernel, aliveThreads: alive, listsEveryThread: glance.listsEveryThread,
      strangersPosts: isSemaphoreWaitedFor ? arena?.strangersPosts() : nil)
    let candidates = preliminary.candidates()
    for candidate in candidates {
      for member in candidate.members where kernel[member] == nil { kernel[member] = asked.kernelState(of: member) }
    }
    for thread in Self.toAsk(preliminary, alive: alive, now: glance.now, stall: stall) where kernel[thread] == nil {
      kernel[thread] = asked.kernelState(of: thread)
    }

    let concerned = Self.concerned(first, candidates)
    let second =
      arena.map { arena in
        target.condition == "gone" ? concerned : concerned.compactMap { Self.again($0, arena) }
      } ?? concerned
    let graph = preliminary.adding(kernel)
    let witnesses = Witnesses(
      first: concerned, second: second, words: words, kernel: kernel,
      absentArena: arena == nil ? Self.absentArena : nil, foreignReleases: arena?.foreignReleases ?? 0)
    threads = first
    refused = glance.refused
    grounds = glance.grounds
    owners = glance.owners
    self.words = words
    self.kernel = kernel
    self.graph = graph
    now = glance.now
    let diagnosis = Diagnosis.of(
      graph, witnesses: witnesses, now: glance.now, stall: stall, isEndUnknown: glance.isEndUnknown)
    // What a dead process left does not change any more, and a snapshot never did.
    let secondLook = (target is DeadTarget ? nil : arena).map {
      SecondLook(first: first, words: words, kernel: kernel, arena: $0, target: asked)
    }
    let process = WholeProcess(target, glance.surroundings)
    var confirmed = Self.throughSurroundings(
      (secondLook.map { look in diagnosis.keeping { look.confirms($0) } } ?? diagnosis)
        .adding(Self.lockFindings(glance, words: words, arena: arena, process, stall: stall))
        .doubting(glance.guesses)
        .doubtingOwners(where: asked.mayBeFromBeforeFork)
        .keeping { $0.kind != .idle || !Self.someoneRuns(target) }, glance.surroundings)
    wasOvertaken = diagnosis.findings.contains { $0.kind == .orphanedLock && !confirmed.findings.contains($0) }
    // What another process can see, another process may end.
    confirmed = confirmed.keeping { finding in
      finding.kind != .hangUnknown || !finding.edges.contains { process.isShared($0.object) }
    }
    if let unrecorded = glance.unrecorded { confirmed = confirmed.keeping(unrecorded.confirms) }
    confirmed = confirmed.adding(missed, of: graph) { target.isAlive($0) == false ? .gone : target.kernelState(of: $0) }
    self.diagnosis = asked.isStopped ? confirmed.ofStopped() : confirmed.weighingHolders(asked.processorUse(of:))
  }

  /// What leads into other processes counts only where those have stood still, and what is theirs alone is not reported.
  private static func throughSurroundings(_ diagnosis: Diagnosis, _ surroundings: Surroundings?) -> Diagnosis {
    guard let surroundings else { return diagnosis }
    return diagnosis.keeping { surroundings.concernsItself($0) && surroundings.confirms($0) }
      .noting { surroundings.touches($0) && $0.kind.isHang ? Surroundings.stillness : nil }
      .doubting(surroundings.interruptible, because: Surroundings.signals)
      .doubting(surroundings.openToStrangers, because: Surroundings.strangers)
      .doubting(surroundings.possiblyTimed, because: Surroundings.timeLimits)
  }

  /// A server whose workers wait for conditions while its main thread computes is not idle. Only a snapshot knows of
  /// every thread at no cost; who reads an arena would have to ask the kernel about thousands, many times a second.
  private static func someoneRuns(_ target: any Target) -> Bool {
    guard let snapshot = (target as? SnapshotTarget)?.snapshot else { return false }
    return snapshot.threads.contains { $0.kernelState == .running }
  }

  /// `restart_syscall` (x86-64's table of system calls).
  private static let restart = 219

  private static let absentArena =
    "arena: the process was not started with the shim, so nobody recorded who took what; the holders are those that the "
    + "locks' own words name."

  /// The thread as the arena has it now. What was found out about it (how its futex wait reads, what its frames hold)
  /// stays as true as its wait: until that ends it cannot do anything.
  private static func again(_ thread: ThreadState, _ arena: ArenaReader) -> ThreadState? {
    guard thread.slot >= 0 else { return thread }
    guard var now = arena.thread(inSlot: thread.slot) else { return nil }
    now.held += thread.held.filter { $0.evidence != .arena }
    if let first = thread.wait, now.wait?.sequence == first.sequence { now.wait = first }
    return now
  }

  /// Threads whose second look a judgement needs: members of a cycle, and whoever lists one of its locks.
  private static func concerned(_ threads: [ThreadState], _ candidates: [Candidate]) -> [ThreadState] {
    guard !candidates.isEmpty else { return [] }
    let members = Set(candidates.flatMap(\.members))
    let locks = candidates.reduce(into: Set<Address>()) { $0.formUnion($1.locks) }
    return threads.filter { thread in
      members.contains(thread.tid) || thread.held.contains { locks.contains($0.object) }
    }
  }

  /// A condition waiter whose mutex is taken by a thread that itself waits may have been woken and be waiting for
  /// that mutex: only the kernel can tell.
  private static func wokenConditionWaiters(_ threads: [ThreadState], _ words: [Address: LockWord]) -> [ThreadID] {
    let taken = Set(
      threads.lazy.filter { $0.wait != nil }.flatMap { $0.held.lazy.filter { $0.type == .mutex }.map(\.object) })
    guard !taken.isEmpty else { return [] }
    return threads.compactMap { thread in
      guard let wait = thread.wait, wait.type == .condition, taken.contains(wait.companion) else { return nil }
      return thread.tid
    }
  }

  /// Who else the kernel must be asked about, once waits have lasted for `stall`: holders that are not known to wait
  /// (what do they do?), waiters without a known holder, and, where something waits that anyone could end, every
  /// thread: is somebody left to end it?
  private static func toAsk(
    _ graph: WaitForGraph, alive: Set<ThreadID>?, now: Instant, stall: Double
  ) -> Set<ThreadID> {
    let waiting = Set(graph.threads.lazy.filter { $0.wait != nil }.map(\.tid))
    var result: Set<ThreadID> = []
    for edge in graph.edges where now.seconds(since: edge.since) >= stall {
      result.formUnion(edge.holders.lazy.filter { !waiting.contains($0) })
      if edge.holders.isEmpty { result.insert(edge.waiter) }
    }
    if let alive, someoneIsNeeded(graph.threads, now: now, stall: stall) { result.formUnion(alive) }
    return result
  }

  /// Something that anyone could end has been waited for since `stall`: is anyone left?
  private static func someoneIsNeeded(_ threads: [ThreadState], now: Instant, stall: Double) -> Bool {
    threads.contains { thread in
      guard let wait = thread.wait, wait.type == .futex || wait.type == .semaphore else { return false }
      return wait.deadline == nil && (!wait.since.isKnown || now.seconds(since: wait.since) >= stall)
    }
  }

  /// Every thread of the process where all are needed; else those of the arena, less owners of locks that are gone. To
  /// list ten thousand threads takes longer than all the rest of a pass.
  private static func aliveThreads(
    _ threads: [ThreadState], _ words: [Address: LockWord], _ target: any Target, now: Instant, stall: Double
  ) -> Set<ThreadID>? {
    if someoneIsNeeded(threads, now: now, stall: stall) { return target.threadIDs }
    var alive = Set(threads.lazy.filter { $0.phase == .live }.map(\.tid))
    for owner in Set(words.values.lazy.compactMap(\.owner)) {
      guard let lives = target.isAlive(owner) else { return nil }
      if lives { alive.insert(owner) } else { alive.remove(owner) }
    }
    return alive
  }
}

extension Instant {
  /// The present on the machine's CLOCK_MONOTONIC, which every process of one boot shares.
  package static var now: Instant { Instant(nanoseconds: monotonicNanoseconds()) }
}
