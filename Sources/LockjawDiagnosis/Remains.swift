import LockjawArena
import LockjawModel

extension Examination {
  /// What a dead process' arena shows, waits that the kernel refused included.
  ///
  /// A wait on a PI futex that would close a cycle is answered with EDEADLK instead of sleep, and the runtime that asked
  /// (Swift's `Mutex`) traps. Such a thread is taken as waiting for what it was refused: that is the cycle which ended
  /// the program.
  package static func remains(of arena: ArenaReader, now: Instant) -> Glance {
    var newest: [ThreadID: PastWait] = [:]
    for entry in arena.history(limit: .max) where newest[entry.tid] == nil { newest[entry.tid] = entry.wait }
    var refused: Set<ThreadID> = []
    let threads = arena.threads(includingIdle: true).map { thread in
      guard thread.wait == nil, thread.phase == .live, let last = newest[thread.tid], last.type == .piFutex,
        last.outcome == .refusedAsDeadlock
      else { return thread }
      refused.insert(thread.tid)
      var thread = thread
      thread.wait = Wait(
        sequence: .max, type: last.type, mode: last.mode, object: last.object, site: last.site, since: last.begin,
        ownerAtBegin: last.owner)
      return thread
    }
    let waits = threads.compactMap { thread in thread.wait.map { WaitKey(slot: thread.slot, sequence: $0.sequence) } }
    return Glance(threads: threads, now: now, waits: Set(waits), refused: refused)
  }

  /// A PI futex whose memory is gone, as its last waiter found it.
  static func rememberedWord(_ lock: Address, _ threads: [ThreadState]) -> LockWord? {
    for thread in threads {
      guard let wait = thread.wait, wait.type == .piFutex, wait.object == lock, let owner = wait.ownerAtBegin else {
        continue
      }
      return LockWord(
        address: lock, type: .piFutex, owner: owner, recordsOwner: true, isTaken: true, variant: "PI",
        description: "locked by thread \(owner) when the wait for it began", byteCount: 4)
    }
    return nil
  }
}
