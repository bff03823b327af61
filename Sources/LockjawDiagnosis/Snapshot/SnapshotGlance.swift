import LockjawGraph
import LockjawInspect
import LockjawModel

extension Examination {
  /// What a snapshot shows by itself, for a process without an arena.
  ///
  /// Nobody recorded who took what. A snapshot has threads asleep in futex waits and nothing else, as the shim records them
  /// of inlined locks; from here on both go one way. Holders come from the locks' own words, and from frames.
  package static func glance(_ target: SnapshotTarget) -> Glance {
    let threads = SnapshotWaits(target).threads
    var glance = Glance(
      threads: threads, now: target.snapshot.takenAt, waits: keys(of: threads), listsEveryThread: true
    )
    .interpreting(target, arena: nil, snapshot: target.snapshot, olderThan: 0)
    for lock in WaitForGraph.locksToDecode(glance.threads) where glance.words[lock.object] == nil {
      glance.words[lock.object] = GlibcWord.decode(lock.type, at: lock.object) {
        target.memory.bytes(at: $0, count: $1)
      }
    }
    glance.threads = SnapshotOwners(words: glance.words, snapshot: target.snapshot).adding(to: glance.threads)
    return glance.findingHolders(target, arena: nil) { target.snapshot }
  }
}

/// Threads of a process without an arena, each with the futex wait that its registers show.
struct SnapshotWaits {
  private let target: SnapshotTarget
  private let stacks: StackReader

  init(_ target: SnapshotTarget) {
    self.target = target
    stacks = StackReader(arena: nil, target: target, snapshot: target.snapshot)
  }

  var threads: [ThreadState] {
    target.snapshot.threads.enumerated().map { slot, thread in
      var state = ThreadState(
        tid: thread.tid, name: thread.name, slot: slot, pthread: Address(thread.threadPointer))
      if let futex = futexWait(of: thread, state) { state.wait = wait(on: futex, since: since(thread)) }
      return state
    }
  }

  /// A wait with a time limit that was interrupted before goes on as `restart_syscall`, with the first call's arguments.
  /// Other calls do, too, so that it is one the functions on the stack must say.
  private func futexWait(of thread: Snapshot.Thread, _ state: ThreadState) -> FutexWait? {
    guard thread.blockingCall != nil else { return nil }
    if let wait = thread.futexWait { return wait }
    guard let wait = thread.restartedFutexWait, WaitFunction.isAsleep(in: stacks.stackOfWait(state)) else {
      return nil
    }
    return wait
  }

  private func wait(on futex: FutexWait, since: Instant) -> Wait {
    Wait(
      sequence: 1, type: futex.isPriorityInheriting ? .piFutex : .futex,
      mode: futex.isPriorityInheriting ? .exclusive : .signal, object: futex.word, site: CallSite(address: Address(0)),
      since: since,
      // When it ends is the kernel's secret; that it ends is what matters.
      deadline: futex.hasTimeLimit ? Instant(nanoseconds: .max - 1) : nil, futex: futex)
  }

  private func since(_ thread: Snapshot.Thread) -> Instant {
    guard let slept = thread.sleptNanoseconds else { return .unknown }
    let now = target.snapshot.takenAt.nanoseconds
    return Instant(nanoseconds: now > slept ? now - slept : 0)
  }
}
