import Glibc
import LockjawArena
import LockjawGraph
import LockjawInspect
import LockjawModel

/// One process of those a chain of waits leads through, with its threads as they stand in its own addresses.
///
/// What its threads sleep for in the kernel is read from `/proc`. What those in futex waits sleep for needs their stacks
/// or their arena: that is read only where the chain can go on through them (`read`).
final class Neighbour {
  let process: LiveProcess
  /// Place in the list; the process that the diagnosis is about is 0.
  let index: Int
  /// Processes between it and that one.
  let hops: Int
  /// Read when they are first needed: a process of a thousand threads has thousands.
  private(set) lazy var mappings = SharedMappings(process)
  /// What its threads are in, each with the wait if it is in one.
  private(set) var threads: [ThreadState]
  private(set) var words: [Address: LockWord] = [:]
  private(set) var kernelWaits: [ThreadID: KernelWait] = [:]
  /// Threads asleep on sockets of which nobody says whether that ends after a time.
  private(set) var mayRunOutOfTime: Set<ThreadID> = []
  private(set) var target: any Target
  private(set) var arena: ArenaReader?
  private(set) var snapshot: Snapshot?
  private(set) var isRead: Bool
  /// Who it was when it was first looked at.
  let outline: ProcessOutline
  /// Why its threads' calls cannot be seen; `nil` where they can.
  let refusal: String?
  private var slept: [ThreadID: UInt64] = [:]

  /// More threads than these are not asked one by one; they count as able to go on.
  static let threadLimit = 4096

  /// The process that the diagnosis is about, of which `glance` has told the waits.
  init(itself process: LiveProcess, _ glance: Examination.Glance, target: any Target, arena: ArenaReader?) {
    self.process = process
    outline = process.outline
    self.target = target
    self.arena = arena
    (index, hops, isRead, refusal) = (0, 0, true, nil)
    snapshot = (target as? SnapshotTarget)?.snapshot
    var states = glance.threads
    let known = Set(states.map(\.tid))
    for tid in process.threadIDs.prefix(Self.threadLimit) where !known.contains(tid) {
      states.append(ThreadState(tid: tid, name: "", slot: -1))
    }
    threads = states
    words = glance.words
    for thread in snapshot?.threads ?? [] { slept[thread.tid] = thread.sleptNanoseconds }
  }

  /// Another process, seen from outside.
  init(_ process: LiveProcess, index: Int, hops: Int) {
    self.process = process
    outline = process.outline
    self.index = index
    self.hops = hops
    isRead = false
    target = LiveTarget(process)
    // Its threads have other numbers in its own memory than here: what words and snapshots say cannot be matched.
    refusal = process.refusal ?? (process.isInOtherPidNamespace ? "it lives in another pid namespace." : nil)
    threads = process.threads.prefix(Self.threadLimit).filter { !$0.hasEnded }.map {
      ThreadState(tid: $0.tid, name: $0.name, slot: -1, process: process.pid)
    }
    for thread in threads { slept[thread.tid] = process.sleptNanoseconds(thread.tid) }
  }

  var threadIDs: Set<ThreadID> { Set(threads.map(\.tid)) }

  /// Asks the kernel what the threads sleep for that are not known to wait for anything.
  ///
  /// - Parameter readLocks: reads the machine's locks; asked at most once, and only when all are asleep.
  func askKernel(_ readLocks: @escaping () -> [FileLock]) {
    guard threads.count <= Self.threadLimit, refusal == nil else { return }
    var asked: [ThreadID] = []
    var wereStopped: [ThreadID] = []
    for thread in threads where thread.wait == nil {
      if let snapshot, let seen = snapshot.thread(thread.tid) {
        guard let call = seen.blockingCall, LiveProcess.isEndedByOthers(call: call.number) else { continue }
        wereStopped.append(thread.tid)
      }
      asked.append(thread.tid)
    }
    // They were asleep when they were stopped, and need a moment to fall asleep again.
    process.settle(wereStopped) { process.kernelState(of: $0) != .running }
    let locks = Self.once(readLocks)
    for tid in asked {
      guard let wait = process.kernelWait(of: tid, locks: locks) else { continue }
      if case .socket = wait {
        switch process.hasSocketTimeLimit(tid) {
        // It goes on by itself.
        case true?: continue
        case nil: mayRunOutOfTime.insert(tid)
        case false?: break
        }
      }
      kernelWaits[tid] = wait
    }
  }

  /// Some thread is doing, or will by itself soon do, something: it runs, or sleeps in a call that ends by time, by a signal
  /// or by the world outside.
  var hasFreeThread: Bool {
    threads.isEmpty || threads.count > Self.threadLimit || refusal != nil
      || threads.contains { thread in
        guard thread.wait == nil, kernelWaits[thread.tid] == nil else { return false }
        guard let futex = process.futexWait(of: thread.tid) else { return true }
        return futex.hasTimeLimit
      }
  }

  /// Finds out what threads in futex waits wait for and who has it: from the arena, else from a snapshot.
  /// - Parameter mayStop: else threads are read as they sleep.
  func read(arena found: ArenaReader?, mayStop: Bool) {
    guard !isRead, refusal == nil else { return }
    isRead = true
    var glance: Examination.Glance
    if let found {
      arena = found
      note(threads.map(\.tid).filter { process.futexWait(of: $0) != nil })
      glance = Examination.glance(found).interpreting(target, arena: found, olderThan: 0)
    } else {
      guard
        let taken = try? mayStop
          ? Snapshot.takeGently(pid: process.pid) : Snapshot.takeWithoutStopping(pid: process.pid)
      else { return }
      let still = SnapshotTarget(running: taken, process: process)
      (snapshot, target) = (taken, still)
      glance = Examination.glance(still)
    }
    decodeWords(glance)
    var states = Dictionary(threads.map { ($0.tid, $0) }, uniquingKeysWith: { first, _ in first })
    var told = glance.threads
    if let snapshot { told = SnapshotOwners(words: words, snapshot: snapshot).adding(to: told) }
    for var state in told {
      state.slot = -1
      state.process = process.pid
      // What the kernel says of its calls has been asked; a wait that is over is none.
      if kernelWaits[state.tid] != nil { state.wait = nil }
      states[state.tid] = state
    }
    threads = states.values.sorted { $0.tid < $1.tid }
  }

  /// Registers and stacks of its threads, for a report, where they have not been taken yet.
  func takeStacks(mayStop: Bool) {
    guard snapshot == nil, refusal == nil else { return }
    snapshot = try? mayStop ? Snapshot.takeGently(pid: process.pid) : Snapshot.takeWithoutStopping(pid: process.pid)
  }

  /// The words of locks that are waited for, as they are now.
  func decodeWords(_ glance: Examination.Glance? = nil) {
    if let glance { words.merge(glance.words) { $1 } }
    let memory = ProcessMemory(process)
    for lock in WaitForGraph.locksToDecode(glance?.threads ?? threads) where words[lock.object] == nil {
      words[lock.object] = LibraryWord.decodeRecorded(lock.type, at: lock.object, memory: memory)
    }
  }

  /// Threads that lock words name as owners and that this process does not have, with the locks, in shared memory.
  var ownersElsewhere: [(owner: ThreadID, lock: Address, place: SharedPlace)] {
    let own = threadIDs
    return threads.compactMap { thread in
      guard let wait = thread.wait, let owner = words[wait.object]?.owner, !own.contains(owner),
        let place = mappings.place(of: wait.object)
      else { return nil }
      return (owner, wait.object, place)
    }
  }

  /// Threads that do not wait for anything another process could end, but for something only this one's own can.
  func isParked(_ thread: ThreadState) -> Bool {
    guard let wait = thread.wait, wait.deadline == nil else { return false }
    switch wait.type {
    case .condition, .barrier, .futex: return mappings.place(of: wait.object) == nil
    default: return false
    }
  }

  /// The moment since which the thread has slept, as far as the kernel says.
  func sleepsSince(_ tid: ThreadID, now: Instant) -> Instant {
    guard let slept = slept[tid] ?? process.sleptNanoseconds(tid) else { return .unknown }
    return Instant(nanoseconds: now.nanoseconds - min(slept, now.nanoseconds))
  }

  // MARK: stillness

  private var stillness: [ThreadID: Stillness] = [:]

  /// Notes that the threads which wait are asleep now; a wait that is over by now is dropped.
  ///
  /// A stop makes threads run for a moment, so they are given time to fall asleep again.
  /// - Parameter readLocks: reads the machine's locks; asked at most once, after all have been seen asleep.
  func settle(_ readLocks: @escaping () -> [FileLock]) {
    let waiting = threads.indices.filter { threads[$0].wait != nil || kernelWaits[threads[$0].tid] != nil }
    // What an arena says of a thread is of the sleep that was noted before it was read, if of any: a thread that fell
    // asleep later may be in another wait by now, and a neighbour's arena is not looked at again.
    let canBeLate = index == 0 || arena == nil
    note(
      waiting.map { threads[$0].tid }.filter { stillness[$0] == nil && (canBeLate || kernelWaits[$0] != nil) })
    let locks = Self.once(readLocks)
    for index in waiting {
      let tid = threads[index].tid
      if !isInSameCall(threads[index], locks) {
        threads[index].wait = nil
        kernelWaits[tid] = nil
        stillness[tid] = nil
      }
    }
  }

  /// Whether none of these has run since `settle`.
  func isStill(_ threads: some Sequence<ThreadID>) -> Bool {
    threads.allSatisfy { tid in stillness[tid].map { process.stillness(of: tid) == $0 } ?? false }
  }

  /// The same, asked when it is first needed and never again.
  private static func once(_ readLocks: @escaping () -> [FileLock]) -> () -> [FileLock] {
    var known: [FileLock]?
    return {
      let locks = known ?? readLocks()
      known = locks
      return locks
    }
  }

  private func note(_ tids: [ThreadID]) {
    process.settle(tids) { tid in
      stillness[tid] = process.stillness(of: tid)
      return stillness[tid] != nil
    }
  }

  /// The call in which it sleeps is the one its wait was read from.
  private func isInSameCall(_ thread: ThreadState, _ locks: () -> [FileLock]) -> Bool {
    guard stillness[thread.tid] != nil else { return false }
    if let wait = kernelWaits[thread.tid] { return process.kernelWait(of: thread.tid, locks: locks) == wait }
    // A wait in an arena: the process' own is looked at again, by its number; a neighbour's was noted before it was read, and
    // whether the thread has run since is asked at the end (`isStill`).
    guard let seen = snapshot?.thread(thread.tid)?.futexWait else { return arena != nil }
    return process.futexWait(of: thread.tid)?.word == seen.word
  }
}
