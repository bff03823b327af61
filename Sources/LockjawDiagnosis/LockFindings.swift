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
    _ glance: Glance, words: [Address: LockWord], arena: ArenaReader?, _ process: WholeProcess, stall: Double
  ) -> [RawFinding] {
    let waiters = Dictionary(
      grouping: glance.threads.filter { $0.wait != nil && words[$0.wait?.object ?? Address(0)] != nil },
      by: { $0.wait?.object ?? Address(0) })
    let looks = words.values.sorted { $0.address < $1.address }.compactMap { word -> LockLook? in
      // Another process' own lock is that one's business.
      guard !ObjectNumbers.isOutside(word.address), let asleep = waiters[word.address] else { return nil }
      // glibc's words name their owners, and the graph has said what is to be said of those.
      guard glance.words[word.address] != nil || !word.isTaken || asleep.contains(where: { $0.wait?.deadline != nil })
      else { return nil }
      return LockLook(word, asleep, owners: glance.owners[word.address]?.account, glance, arena, process)
    }
    var findings: [Address: RawFinding] = [:]
    // All words have been read again by now, and who sleeps is asked after that.
    var starving: [LockLook] = []
    var free: [LockLook] = []
    for look in looks {
      let facts = look.facts(arena, process)
      let address = look.word.address
      if glance.words[address] != nil || !look.word.isTaken {
        findings[address] = facts.finding(now: glance.now, firstLook: firstLook)
        if let finding = findings[address], finding.kind == .lostWakeup, finding.certainty == .suspect {
          free.append(look)
          findings[address] = nil
          continue
        }
      }
      guard findings[address] == nil, look.word.isTaken else { continue }
      // What the rest of the rule rules out need not be watched.
      if facts.starvation(now: glance.now, stall: stall, changesHands: { true }) != nil { starving.append(look) }
    }
    let changing = changingHands(starving.map(\.word), arena, process.target)
    for look in starving {
      findings[look.word.address] = look.facts(arena, process).starvation(now: glance.now, stall: stall) {
        changing.contains(look.word.address)
      }
    }
    // Readers that come and go leave a lock free at every other look, and a writer behind them asleep.
    let lasting = free.filter { $0.hasWaited(for: stall, at: glance.now) }
    let touched = touched(lasting.map(\.word), process.target)
    for look in lasting where !touched.contains(look.word.address) {
      findings[look.word.address] = look.facts(arena, process).finding(now: glance.now, firstLook: firstLook)
    }
    return looks.compactMap { findings[$0.word.address] }
  }

  /// Looks at the words of free locks again and again, for some milliseconds.
  /// - Returns: those that did not stay as they were.
  private static func touched(_ words: [LockWord], _ target: any Target) -> Set<Address> {
    guard !words.isEmpty else { return [] }
    var touched: Set<Address> = []
    let begin = Instant.now
    repeat {
      for word in words where !touched.contains(word.address) {
        let now = LibraryWord.decode(
          word.library, word.type, at: word.address, memory: target.memory, isSleptOn: true)
        if now?.description != word.description { touched.insert(word.address) }
      }
      usleep(200)
    } while touched.count < words.count && Instant.now.seconds(since: begin) < handoverSeconds
    return touched
  }

  /// Looks at words and arena again and again, for some milliseconds, until somebody else has each lock.
  ///
  /// All locks are watched in the same milliseconds, so that many of them take no longer than one.
  /// - Returns: locks that were seen to pass from one holder to another.
  private static func changingHands(
    _ words: [LockWord], _ arena: ArenaReader?, _ target: any Target
  ) -> Set<Address> {
    guard let arena, !words.isEmpty else { return [] }
    func holders() -> [Address: Set<ThreadID>] {
      var result: [Address: Set<ThreadID>] = [:]
      var unnamed: Set<Address> = []
      for word in words {
        let now = LibraryWord.decode(word.library, word.type, at: word.address, memory: target.memory, isSleptOn: true)
        if let owner = now?.owner { result[word.address] = [owner] } else { unnamed.insert(word.address) }
      }
      guard !unnamed.isEmpty else { return result }
      // Entries of threads that run may be torn; two sets that differ differ all the same.
      for thread in arena.threads() {
        for held in thread.held where unnamed.contains(held.object) {
          result[held.object, default: []].insert(thread.tid)
        }
      }
      return result
    }
    let first = holders()
    var changing: Set<Address> = []
    let begin = Instant.now
    while changing.count < words.count, Instant.now.seconds(since: begin) < handoverSeconds {
      usleep(500)
      for (lock, now) in holders() where now != first[lock] { changing.insert(lock) }
    }
    return changing
  }
  private static let handoverSeconds = 0.03
}

/// One lock with those who wait for it, read once more.
private struct LockLook {
  let word: LockWord
  private let asleep: [ThreadState]
  /// As the second look found them; what the whole process does is still to be asked.
  private var before: LockFacts
  private let again: LockWord?
  private let still: Set<ThreadID>

  init(
    _ word: LockWord, _ asleep: [ThreadState], owners: HolderAccount?, _ glance: Examination.Glance,
    _ arena: ArenaReader?, _ process: WholeProcess
  ) {
    self.word = word
    self.asleep = asleep
    let target = process.target
    let retries = Retries(arena)
    before = LockFacts(
      word: word,
      waiters: asleep.compactMap { thread in
        Self.waiter(
          thread, isGuess: glance.guesses.contains(thread.tid), retries,
          // Whoever has been woken runs, or is about to; asked only where that makes a difference.
          isWoken: !word.isTaken && target.kernelState(of: thread.tid) == .running)
      },
      holders: owners,
      // Before the word is read again: what a thread that has ended still owns after that, it owns for good.
      aliveThreads: word.isTaken ? word.owner.flatMap { process.aliveThreads(besides: $0) } : nil)
    again = LibraryWord.decode(word.library, word.type, at: word.address, memory: target.memory, isSleptOn: true)
    still = Self.stillWaiting(asleep, arena)
    if arena == nil, let target = target as? SnapshotTarget,
      word.impossibility != nil || before.ownerIsGone, !target.isOfItsMoment(word.address, count: word.byteCount)
    {
      before.afterwards = LockFacts.SecondLook(
        word: again, stillWaiting: process.oneAsleepAsBefore(asleep.map(\.tid), target), everybodySleeps: false)
    }
  }

  /// Whether somebody has waited for this long.
  func hasWaited(for seconds: Double, at now: Instant) -> Bool {
    asleep.contains { $0.wait.map { now.seconds(since: $0.since) >= seconds } ?? false }
  }

  /// A snapshot is one moment, and reading it twice is no second look: a lock that is handed on is free for moments. Only
  /// where every thread sleeps will the next moment be like this one. What a dead process left does not change.
  func facts(_ arena: ArenaReader?, _ process: WholeProcess) -> LockFacts {
    // Only a free lock, a wait that nobody dated, and a snapshot need to know.
    let isNeeded = !word.isTaken || arena == nil || asleep.contains { !($0.wait?.since.isKnown ?? true) }
    // Another process may be about to wake them.
    let everybodySleeps = isNeeded && !process.isShared(word.address) && process.everybodySleeps
    var facts = before
    guard arena != nil || everybodySleeps else { return facts }
    facts.secondLook = LockFacts.SecondLook(
      word: again,
      // Who was about to run when the others were asked has gone on by now.
      stillWaiting: everybodySleeps ? still.intersection(Self.stillWaiting(asleep, arena)) : still,
      everybodySleeps: everybodySleeps)
    return facts
  }

  /// Those in the same wait as at the first look. Without an arena nothing has changed since then.
  private static func stillWaiting(_ asleep: [ThreadState], _ arena: ArenaReader?) -> Set<ThreadID> {
    let still = asleep.filter { thread in
      guard let arena else { return true }
      return arena.thread(inSlot: thread.slot)?.wait?.sequence == thread.wait?.sequence
    }
    return Set(still.map(\.tid))
  }

  private static func waiter(
    _ thread: ThreadState, isGuess: Bool, _ retries: Retries, isWoken: Bool
  ) -> LockWaiter? {
    thread.wait.map { wait in
      let before = wait.deadline == nil ? nil : retries.before(wait, of: thread)
      return LockWaiter(
        thread: thread.tid, mode: wait.mode, since: before?.since ?? wait.since, hasTimeLimit: wait.deadline != nil,
        timeouts: before?.count ?? 0, isAllItsHistory: before?.isAll ?? false, isGuess: isGuess, isWoken: isWoken)
    }
  }
}
