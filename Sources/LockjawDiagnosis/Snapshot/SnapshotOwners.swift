import LockjawInspect
import LockjawModel

/// Who holds what, and since when, as far as one moment and the locks' own words tell.
///
/// An arena records what each thread took, and the owner that a waiter saw. Without one there is the owner in a word, and
/// two things to date it by:
///
/// - A thread asleep in a wait for a lock whose word names itself had it before: it could not have taken it asleep.
/// - An owner that sleeps took the lock before it fell asleep. Where that was before a wait began, it was the owner then.
///
/// - An unlock of a glibc mutex that is waited for wakes a waiter, and who is woken runs. So nobody has unlocked it since the
///   youngest of its waiters fell asleep, and its owner was the owner then; where all waiters are this process'.
///
/// Any other owner may have taken the lock a moment ago, from somebody who had it before: a lock that is passed on is
/// contended, and nobody keeps it.
struct SnapshotOwners {
  let words: [Address: LockWord]
  let snapshot: Snapshot
  var surroundings: Surroundings? = nil

  /// No thread has this id: some owner, but nobody knows which.
  private static let somebody = ThreadID(0)

  /// The threads with the locks that words say they own, and each wait with the owner it began under.
  func adding(to threads: [ThreadState]) -> [ThreadState] {
    var owned: [ThreadID: [Held]] = [:]
    for word in words.values.sorted(by: { $0.address < $1.address }) {
      guard let owner = word.owner else { continue }
      owned[owner, default: []].append(
        Held(
          object: word.address, type: word.type, mode: word.type == .rwlock ? .write : .exclusive,
          site: CallSite(address: Address(0)), since: asleepSince(owner), evidence: .ownerField))
    }
    let youngest = youngestWaiters(threads)
    return threads.map { thread in
      var thread = thread
      // What was found out of its frames says more than the word.
      let known = Set(thread.held.map(\.object))
      thread.held += (owned[thread.tid] ?? []).filter { !known.contains($0.object) }
      if var wait = thread.wait, let owner = words[wait.object]?.owner {
        let hadItBefore =
          owner == thread.tid || asleepSince(owner).map { $0 <= wait.since } ?? false
          || youngest[wait.object].map { $0 <= wait.since } ?? false
        wait.ownerAtBegin = hadItBefore ? owner : Self.somebody
        thread.wait = wait
      }
      return thread
    }
  }

  /// When the last of a mutex' waiters fell asleep; of mutexes for which that says something.
  private func youngestWaiters(_ threads: [ThreadState]) -> [Address: Instant] {
    var youngest: [Address: Instant] = [:]
    for thread in threads {
      guard let wait = thread.wait, wait.type == .mutex, let word = words[wait.object], word.library == .glibc else {
        continue
      }
      let variant = word.variant ?? ""
      // The kernel hands these over by rules of its own, or to processes that are not seen here.
      guard !["PI", "robust", "process-shared"].contains(where: { variant.contains($0) }) else { continue }
      youngest[wait.object] = max(youngest[wait.object] ?? wait.since, wait.since)
    }
    return youngest.filter { $0.value.isKnown }
  }

  private func asleepSince(_ tid: ThreadID) -> Instant? {
    if let neighbour = surroundings?.neighbour(of: tid) {
      let since = neighbour.sleepsSince(tid, now: .now)
      return neighbour.kernelWaits[tid] != nil && since.isKnown ? since : nil
    }
    guard let thread = snapshot.thread(tid), thread.blockingCall != nil, let slept = thread.sleptNanoseconds else {
      return nil
    }
    let now = snapshot.takenAt.nanoseconds
    return Instant(nanoseconds: now - min(slept, now))
  }
}
