import Glibc
import LockjawArena
import LockjawGraph
import LockjawInspect
import LockjawModel

extension Examination {
  /// Seconds a wait must have lasted before its lock is looked at by itself.
  private static let firstLook = 0.5

  /// What single locks show that no cycle explains: words that cannot be, locks that nobody holds, free ones that are
  /// slept for.
  ///
  /// - Parameter words: of every lock that is waited for, of whatever library.
  static func lockFindings(
    _ glance: Glance, words: [Address: LockWord], arena: ArenaReader?, target: any Target, stall: Double
  ) -> [RawFinding] {
    let waiters = Dictionary(
      grouping: glance.threads.filter { $0.wait != nil && words[$0.wait?.object ?? Address(0)] != nil },
      by: { $0.wait?.object ?? Address(0) })
    return words.values.sorted { $0.address < $1.address }.compactMap { word in
      // Another process' own lock is that one's business.
      guard !ObjectNumbers.isOutside(word.address), let asleep = waiters[word.address] else { return nil }
      // glibc's words name their owners, and the graph has said what is to be said of those.
      guard glance.words[word.address] != nil || !word.isTaken || asleep.contains(where: { $0.wait?.deadline != nil })
      else { return nil }
      let retries = Retries(arena)
      let facts = LockFacts(
        word: word,
        waiters: asleep.compactMap { thread in
          lockWaiter(
            thread, isGuess: glance.guesses.contains(thread.tid), retries,
            // Whoever has been woken runs, or is about to; asked only where that makes a difference.
            isWoken: !word.isTaken && target.kernelState(of: thread.tid) == .running)
        },
        holders: glance.owners[word.address]?.account,
        aliveThreads: glance.surroundings.map { SurroundedTarget(target, $0).threadIDs } ?? target.threadIDs,
        secondLook: secondLook(word, asleep, arena, target))
      if glance.words[word.address] != nil || !word.isTaken,
        let finding = facts.finding(now: glance.now, firstLook: firstLook)
      {
        return finding
      }
      return facts.starvation(now: glance.now, stall: stall) {
        changesHands(word, glance.threads, arena, target)
      }
    }
  }

  private static func lockWaiter(
    _ thread: ThreadState, isGuess: Bool, _ retries: Retries, isWoken: Bool
  ) -> LockWaiter? {
    thread.wait.map { wait in
      let before = wait.deadline == nil ? nil : retries.before(wait, of: thread)
      return LockWaiter(
        thread: thread.tid, mode: wait.mode, since: before?.since ?? wait.since, hasTimeLimit: wait.deadline != nil,
        timeouts: before?.count ?? 0, isAllItsHistory: before?.isAll ?? false, isGuess: isGuess, isWoken: isWoken)
    }
  }

  /// Looks at word and arena again and again, for some milliseconds, until somebody else has the lock.
  private static func changesHands(
    _ word: LockWord, _ threads: [ThreadState], _ arena: ArenaReader?, _ target: any Target
  ) -> Bool {
    guard let arena, word.isTaken else { return false }
    func holders() -> Set<ThreadID> {
      let now = LibraryWord.decode(word.library, word.type, at: word.address, memory: target.memory, isSleptOn: true)
      if let owner = now?.owner { return [owner] }
      // Entries of threads that run may be torn; two sets that differ differ all the same.
      return Set(arena.threads().filter { $0.held.contains { $0.object == word.address } }.map(\.tid))
    }
    let first = holders()
    let begin = Instant.now
    while Instant.now.seconds(since: begin) < handoverSeconds {
      usleep(500)
      let now = holders()
      if !now.isEmpty, now != first { return true }
    }
    return false
  }
  private static let handoverSeconds = 0.03

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
      // Another process may be about to wake them.
      !target.isShared(word.address)
      && target.threadIDs?.allSatisfy { thread in
        if case .running = target.kernelState(of: thread) { return false }
        return true
      } ?? false
    if arena == nil, !everybodySleeps { return nil }
    return LockFacts.SecondLook(word: again, stillWaiting: Set(still.map(\.tid)), everybodySleeps: everybodySleeps)
  }
}
