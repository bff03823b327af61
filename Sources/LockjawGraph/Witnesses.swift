import LockjawModel

/// What the witnesses say of a candidate.
package struct Judgement: Hashable, Sendable {
  package var certainty: Certainty
  /// A member's wait ended between the two passes: what was seen was not a deadlock and should not be reported.
  package var isRefuted: Bool
  /// Which witness said what, one sentence each; never empty.
  package var evidence: [String]

  package init(certainty: Certainty, isRefuted: Bool = false, evidence: [String]) {
    self.certainty = certainty
    self.isRefuted = isRefuted
    self.evidence = evidence
  }
}

/// Arena (read twice), lock words and kernel: the witnesses of a deadlock.
///
/// A candidate is *proven* when all of this holds; there is no other way to be proven.
///
/// W1. Arena: every member waits with the same odd sequence number in both passes, so it was asleep in one wait all
///     the while and its held entries are true; no member's slot is interrupted by a signal handler that locks, and
///     none lacks held entries.
/// W2. Arena: each holder that the cycle goes on to lists the lock.
/// W3. Lock words: a mutex names the holder as owner; an rwlock counts exactly the readers the arena lists, names its
///     writer, and where a pending writer holds a reader back, is of the kind that prefers writers and has one.
/// W4. Kernel: every member is asleep in a futex wait, and on a word of that lock where the kind lets one tell. A
///     PI or robust mutex, a PI futex, a once or a join may park elsewhere: there any futex wait agrees.
/// W5. No edge is weak, and no member's wait has a deadline.
/// W6. No thread of the process has ever released a lock that another had taken: where that is done (a mutex used as a
///     signal, which glibc allows), somebody outside the cycle may end it.
/// W7. No member belongs to another process, and none waits for what only the kernel keeps: there is no arena that could
///     speak of such a wait. That all of them were asleep at one moment is then the kernel's word alone.
///
/// A witness that is missing lowers the certainty to *inferred*; one that dissents, to *suspect*. A deadline (W5) and W6
/// lower it to *inferred*; a weak edge, to *suspect*: that nobody has posted a semaphore as a stranger so far does not say
/// that nobody will. The consumer of a queue whose producers have filled it for the first time posts its first
/// permit only now. A wait that ended between the passes is not a dissent but a refutation: there is nothing to report.
package struct Witnesses: Sendable {
  private let first: [ThreadID: Wait]
  private let second: [ThreadID: ThreadState]
  private let secondThreads: [ThreadState]
  private let words: [Address: LockWord]
  private let kernel: [ThreadID: KernelState]
  private let absentArena: String?
  let foreignReleases: UInt32

  /// - Parameters:
  ///   - first, second: the threads as two passes over the arena saw them, in this order in time; `second` has every
  ///     thread, not only the cycle's, since an rwlock's readers are counted. Of a dead process, whose arena no longer
  ///     changes, give the same twice.
  ///   - words, kernel: read and asked between the two passes. A wait that is the same in both was going on all the
  ///     while, so everything then said about it was said of one moment.
  ///   - absentArena: why there is no arena, a sentence: then threads and waits are of one snapshot, in which everything
  ///     stood still, and nobody lists who holds what.
  ///   - foreignReleases: how often in this process a thread has released what another had taken.
  package init(
    first: [ThreadState], second: [ThreadState], words: [Address: LockWord], kernel: [ThreadID: KernelState],
    absentArena: String? = nil, foreignReleases: UInt32 = 0
  ) {
    self.absentArena = absentArena
    self.foreignReleases = foreignReleases
    self.first = Dictionary(
      first.lazy.filter { $0.phase == .live }.compactMap { thread in thread.wait.map { (thread.tid, $0) } },
      uniquingKeysWith: { earlier, _ in earlier })
    self.second = Dictionary(
      second.lazy.filter { $0.phase == .live }.map { ($0.tid, $0) }, uniquingKeysWith: { earlier, _ in earlier })
    secondThreads = second
    self.words = words
    self.kernel = kernel
  }

  /// Hears every witness about every member. Linear in members and held entries.
  package func judge(_ candidate: Candidate) -> Judgement {
    var hearing = Hearing()
    if let absentArena {
      hearing.missing(absentArena)
    } else {
      for member in candidate.members { hearArena(of: member, into: &hearing) }
      hearHolds(of: candidate, into: &hearing)
    }
    hearWords(of: candidate, into: &hearing)
    for edge in candidate.memberEdges { hearKernel(of: edge, into: &hearing) }
    if candidate.memberEdges.contains(where: \.isWeak) {
      hearing.dissent(
        "semaphore: the holder is the thread that took its permit last; another thread could still post it.")
    }
    if candidate.hasUnknownPosts {
      hearing.dissent(
        "semaphore: threads that have ended may have posted it, so whether it is used as a lock is not known.")
    }
    if foreignReleases > 0 {
      hearing.missing(
        "arena: threads of this process release locks that others have taken (\(foreignReleases) times so far), so a "
          + "thread outside the cycle may end it.")
    }
    if candidate.hasDeadline {
      hearing.missing("A wait in this cycle has a time limit, so the cycle ends by itself, and may come back.")
    }
    return hearing.judgement(members: candidate.members.count)
  }

  // MARK: arena (W1, W2)

  private func hearArena(of tid: ThreadID, into hearing: inout Hearing) {
    guard !second.isEmpty else {
      return hearing.missing("arena: only one pass was made, so that thread \(tid) stays in its wait is not known.")
    }
    if let state = second[tid], let reason = unrecorded(state) { return hearing.missing(reason) }
    guard let before = first[tid], let state = second[tid], let now = state.wait, before.sequence == now.sequence else {
      return hearing.refuted("arena: the wait of thread \(tid) ended between the two passes.")
    }
    guard now.sequence & 1 == 1 else {
      return hearing.refuted("arena: thread \(tid) has left its wait (wait number \(now.sequence) is even).")
    }
    if state.isInterrupted {
      hearing.missing(
        "arena: a signal handler of thread \(tid) uses locks inside the thread's wait, so its slot is not frozen.")
    }
    if state.heldIsIncomplete {
      hearing.missing("arena: the list of locks that thread \(tid) holds is incomplete, entries were lost.")
    }
  }

  /// Why no arena could speak of this thread's wait.
  private func unrecorded(_ state: ThreadState) -> String? {
    if let process = state.process {
      return
        "arena: thread \(state.tid) is one of process \(process); it was seen asleep in the same wait at two looks, and "
        + "its arena was not heard."
    }
    guard state.wait?.isFromKernel ?? false else { return nil }
    return
      "arena: no shim records what thread \(state.tid) waits for; the kernel says it, and that the thread did not run "
      + "between two looks."
  }

  private func hearHolds(of candidate: Candidate, into hearing: inout Hearing) {
    for edge in candidate.cycle where edge.blocking == .holds && !edge.isWeak && !edge.type.isKernelObject {
      guard let holder = edge.holders.first, let state = second[holder] else { continue }
      if state.held.contains(where: { $0.object == edge.object && $0.evidence.isFoundByFrames }) {
        hearing.missing(
          "arena: \(edge.type.rawValue) \(edge.object) is taken by inlined code that nothing records; that thread "
            + "\(holder) holds it is told by what its frames would release.")
      } else if !state.held.contains(where: {
        $0.object == edge.object && $0.type == edge.type && $0.evidence == .arena
      }) {
        hearing.missing(
          "arena: thread \(holder) does not list \(edge.type.rawValue) \(edge.object) among its locks; only the "
            + "lock's word names it.")
      }
    }
  }

  // MARK: lock words (W3)

  private func hearWords(of candidate: Candidate, into hearing: inout Hearing) {
    let inside = insideRwlocks(of: candidate)
    var seen: Set<Address> = []
    for edge in candidate.cycle + candidate.memberEdges where edge.type != .join && !edge.type.isKernelObject {
      // Cycle edges come first: their first holder is the one to check.
      guard seen.insert(edge.object).inserted else { continue }
      let name = "\(edge.type.rawValue) \(edge.object)"
      guard let word = words[edge.object], word.type == edge.type else {
        hearing.missing("lock word: the word of \(name) could not be read.")
        continue
      }
      if edge.type == .rwlock {
        hearRwlock(word, name, inside[edge.object] ?? Inside(), candidate, into: &hearing)
      } else {
        hearOwner(word, name, edge, into: &hearing)
      }
    }
  }

  private func hearOwner(_ word: LockWord, _ name: String, _ edge: CandidateEdge, into hearing: inout Hearing) {
    guard word.isTaken else { return hearing.dissent("lock word: \(name) is free (\(word.description)).") }
    guard word.recordsOwner else {
      // A semaphore's lack of an owner is said once, where the weak edge is.
      if edge.type != .semaphore {
        hearing.missing("lock word: \(name) is taken, but its kind does not name an owner.")
      }
      return
    }
    guard let holder = edge.holders.first, word.owner != holder else { return }
    let owner = word.owner.map { "thread \($0)" } ?? "nobody"
    hearing.dissent("lock word: \(name) names \(owner) as its owner, not thread \(holder).")
  }

  /// Who is inside an rwlock, as the arena lists it.
  private struct Inside {
    var readers = 0
    var writer: ThreadID?
  }

  private func insideRwlocks(of candidate: Candidate) -> [Address: Inside] {
    var inside: [Address: Inside] = [:]
    for edge in candidate.memberEdges where edge.type == .rwlock { inside[edge.object] = Inside() }
    guard !inside.isEmpty else { return [:] }
    for thread in secondThreads {
      for held in thread.held where held.type == .rwlock && inside[held.object] != nil {
        if held.mode == .read {
          // The arena's depth is 32 bits wide; clamped, no number of entries can overflow the sum.
          inside[held.object]?.readers += min(max(1, held.count), Int(UInt32.max))
        } else {
          inside[held.object]?.writer = thread.tid
        }
      }
    }
    return inside
  }

  private func hearRwlock(
    _ word: LockWord, _ name: String, _ inside: Inside, _ candidate: Candidate, into hearing: inout Hearing
  ) {
    if let counted = word.readerCount {
      if counted != inside.readers, absentArena != nil {
        hearing.missing(
          "lock word: \(name) counts \(counted) readers inside; who they are is known of \(inside.readers).")
      } else if counted != inside.readers {
        hearing.dissent("lock word: \(name) counts \(counted) readers inside, the arena lists \(inside.readers).")
      }
    } else {
      hearing.missing("lock word: \(name) does not count its readers.")
    }
    if !word.recordsOwner {
      hearing.missing("lock word: \(name) does not name its writer.")
    } else if word.owner != inside.writer, absentArena == nil || inside.writer != nil {
      let owner = word.owner.map { "thread \($0)" } ?? "nobody"
      let listed = inside.writer.map { "thread \($0)" } ?? "nobody"
      hearing.dissent("lock word: \(name) names \(owner) as its writer, the arena \(listed).")
    }
    guard candidate.cycle.contains(where: { $0.object == word.address && $0.blocking == .pendingWriter }) else {
      return
    }
    if word.policy != .prefersWriters {
      hearing.dissent("lock word: \(name) prefers readers, so no pending writer holds a reader back.")
    }
    if word.hasPendingWriter == false {
      hearing.dissent("lock word: \(name) has no writer waiting.")
    } else if word.hasPendingWriter == nil {
      hearing.missing("lock word: \(name) does not say whether a writer waits.")
    }
  }

  // MARK: kernel (W4)

  private func hearKernel(of edge: CandidateEdge, into hearing: inout Hearing) {
    let name = "\(edge.type.rawValue) \(edge.object)"
    guard let state = kernel[edge.waiter] else {
      return hearing.missing("kernel: thread \(edge.waiter) was not asked what it does.")
    }
    if case .unknown(let reason) = state {
      return hearing.missing("kernel: what thread \(edge.waiter) does could not be read: \(reason)")
    }
    if edge.type == .spinlock {
      // A spinning thread does not sleep, so the kernel cannot tell that it waits.
      if state == .running {
        return hearing.missing("kernel: thread \(edge.waiter) is running, as one that spins on \(name) would be.")
      }
      return hearing.dissent("kernel: thread \(edge.waiter) is \(state.words), not spinning on \(name).")
    }
    if edge.type == .custom {
      return hearing.missing(
        "kernel: thread \(edge.waiter) is \(state.words); how a lock of the program's own waits, it cannot tell.")
    }
    if edge.type.isKernelObject {
      if case .systemCall = state { return }
      return hearing.dissent("kernel: thread \(edge.waiter) is \(state.words), not waiting for a \(name).")
    }
    guard case .futexWait(let word) = state else {
      return hearing.dissent("kernel: thread \(edge.waiter) is \(state.words), not asleep in a futex wait.")
    }
    guard let object = words[edge.object], sleepsInsideItself(object) else { return }
    if word.rawValue &- edge.object.rawValue >= UInt64(clamping: object.byteCount) {
      hearing.dissent("kernel: thread \(edge.waiter) sleeps on \(word), which is not a word of \(name).")
    }
  }

  /// Whether a waiter of this lock always sleeps on one of the lock's own words.
  private func sleepsInsideItself(_ word: LockWord) -> Bool {
    // Other libraries' waiters sleep where those libraries like: parking_lot's and abseil's on words of their own.
    guard word.library == .glibc || word.type == .staticGuard else { return false }
    return switch word.type {
    case .rwlock, .semaphore: true
    case .mutex: !(word.variant ?? "").contains("PI") && !(word.variant ?? "").contains("robust")
    case .staticGuard: true
    case .spinlock, .custom, .condition, .barrier, .join, .futex, .piFutex, .once, .fileLock, .pipe, .socket, .child:
      false
    }
  }
}
