import LockjawArena
import LockjawGraph
import LockjawInspect
import LockjawModel

extension Examination {
  /// Seconds a wait must have lasted before its lock is looked at by itself.
  private static let firstLook = 0.5

  /// What single locks show that no cycle explains: words that cannot be, locks that nobody holds, free ones that are
  /// slept for.
  static func lockFindings(_ glance: Glance, arena: ArenaReader?, target: any Target) -> [RawFinding] {
    let waiters = Dictionary(
      grouping: glance.threads.filter { $0.wait != nil && glance.words[$0.wait?.object ?? Address(0)] != nil },
      by: { $0.wait?.object ?? Address(0) })
    return glance.words.values.sorted { $0.address < $1.address }.compactMap { word in
      // Another process' own lock is that one's business.
      guard !ObjectNumbers.isOutside(word.address) else { return nil }
      guard let asleep = waiters[word.address] else { return nil }
      let facts = LockFacts(
        word: word, waiters: asleep.compactMap { lockWaiter($0, isGuess: glance.guesses.contains($0.tid)) },
        holders: glance.owners[word.address]?.account,
        aliveThreads: glance.surroundings.map { SurroundedTarget(target, $0).threadIDs } ?? target.threadIDs,
        secondLook: secondLook(word, asleep, arena, target))
      return facts.finding(now: glance.now, firstLook: firstLook)
    }
  }

  private static func lockWaiter(_ thread: ThreadState, isGuess: Bool) -> LockWaiter? {
    thread.wait.map {
      LockWaiter(thread: thread.tid, mode: $0.mode, since: $0.since, hasTimeLimit: $0.deadline != nil, isGuess: isGuess)
    }
  }

  /// The word read again, and who is still in the same wait.
  ///
  /// A snapshot is one moment, and reading it twice is no second look: a lock that is handed on is free for moments. Only
  /// where every thread sleeps will the next moment be like this one. What a dead process left does not change.
  private static func secondLook(
    _ word: LockWord, _ asleep: [ThreadState], _ arena: ArenaReader?, _ target: any Target
  ) -> LockFacts.SecondLook? {
    let again = LibraryWord.decode(word.library, word.type, at: word.address, memory: target.memory, isSleptOn: true)
    let still = asleep.filter { thread in
      guard let arena else { return true }
      return arena.thread(inSlot: thread.slot)?.wait?.sequence == thread.wait?.sequence
    }
    let everybodySleeps =
      target.threadIDs?.allSatisfy { thread in
        if case .running = target.kernelState(of: thread) { return false }
        return true
      } ?? false
    if arena == nil, !everybodySleeps { return nil }
    return LockFacts.SecondLook(word: again, stillWaiting: Set(still.map(\.tid)), everybodySleeps: everybodySleeps)
  }
}
