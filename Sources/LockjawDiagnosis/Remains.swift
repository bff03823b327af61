import LockjawArena
import LockjawModel

extension Examination {
  /// What a dead process' arena shows, waits that the kernel refused included.
  ///
  /// A wait on a PI futex that would close a cycle is answered with EDEADLK instead of sleep, and the runtime that asked
  /// (Swift's `Mutex`) traps. Such a thread is taken as waiting for what it was refused: that is the cycle which ended
  /// the program.
  ///
  /// A thread whose signal handler waits inside a wait (a runtime that stops its threads to print a crash) is taken as
  /// in the outer wait: the handler's is not why it was stuck.
  ///
  /// - Parameters:
  ///   - now: when the process ended.
  ///   - isEndUnknown: nobody knows when it ended, and `now` is the last moment it has recorded.
  package static func remains(of arena: ArenaReader, now: Instant, isEndUnknown: Bool = false) -> Glance {
    let past = Dictionary(grouping: arena.history(limit: .max), by: \.tid)
    var refused: Set<ThreadID> = []
    let threads = arena.threads(includingIdle: true).map { thread in
      guard thread.phase == .live, let stuck = stuckWait(past[thread.tid, default: []].map(\.wait)),
        stuck.object != thread.wait?.object
      else { return thread }
      if stuck.outcome == .refusedAsDeadlock { refused.insert(thread.tid) }
      var thread = thread
      thread.wait = Wait(
        sequence: .max, type: stuck.type, mode: stuck.mode, object: stuck.object, site: stuck.site, since: stuck.begin,
        ownerAtBegin: stuck.owner)
      return thread
    }
    var glance = Glance(
      threads: threads, now: now, waits: keys(of: threads), listsEveryThread: true, refused: refused)
    glance.isEndUnknown = isEndUnknown
    return glance
  }

  /// The newest wait for a lock that has not ended, or that a PI futex refused; `nil` where the thread got what it last
  /// waited for. Waits that anyone can end are passed over: what follows a refusal is the runtime's crash report.
  /// - Parameter history: newest first.
  private static func stuckWait(_ history: [PastWait]) -> PastWait? {
    guard let last = history.first(where: { $0.type.hasHolder && $0.type != .join }) else { return nil }
    switch last.outcome {
    case .inProgress: return last
    case .refusedAsDeadlock: return last.type == .piFutex ? last : nil
    default: return nil
    }
  }

  /// A lock whose memory is gone, as far as its waiters' records still tell.
  static func rememberedWord(_ lock: Address, _ threads: [ThreadState]) -> LockWord? {
    let waits = threads.compactMap(\.wait).filter { $0.object == lock }
    guard let newest = waits.max(by: { $0.since < $1.since }) else { return nil }
    switch newest.type {
    case .piFutex:
      guard let owner = newest.ownerAtBegin else { return nil }
      return LockWord(
        address: lock, type: .piFutex, owner: owner, recordsOwner: true, isTaken: true, variant: "PI",
        description: "locked by thread \(owner) when the wait for it began", byteCount: 4)
    case .rwlock:
      guard let policy = newest.policyAtBegin else { return nil }
      return LockWord(
        address: lock, type: .rwlock, recordsOwner: false, isTaken: true, policy: policy,
        hasPendingWriter: waits.contains { $0.mode == .write },
        description: policy == .prefersWriters
          ? "gone with the process; it preferred writers" : "gone with the process; it preferred readers",
        byteCount: 56)
    default: return nil
    }
  }
}
