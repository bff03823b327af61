import LockjawModel
import Testing

@testable import LockjawGraph

/// What a single lock shows; each test states one proposition of `LockRules.swift`.
@Suite struct LockRuleTests {
  static let now = Instant(nanoseconds: 100_000_000_000)
  static let early = Instant(nanoseconds: 90_000_000_000)
  static let address = Address(0x5000)

  private func word(
    _ type: LockType = .mutex, taken: Bool, owner: Int32? = nil, readers: Int? = nil, impossible: String? = nil,
    variant: String? = nil
  ) -> LockWord {
    LockWord(
      address: Self.address, type: type, owner: owner.map(ThreadID.init), recordsOwner: owner != nil,
      readerCount: readers, isTaken: taken, variant: variant, description: impossible ?? (taken ? "locked" : "free"),
      byteCount: 8, library: .parkingLot, impossibility: impossible)
  }

  private func waiter(
    _ tid: Int32 = 1, since: Instant = early, timed: Bool = false, timeouts: Int = 0, guess: Bool = false,
    woken: Bool = false
  ) -> LockWaiter {
    LockWaiter(
      thread: ThreadID(tid), mode: .exclusive, since: since, hasTimeLimit: timed, timeouts: timeouts, isGuess: guess,
      isWoken: woken)
  }

  private func look(_ facts: LockFacts) -> RawFinding? { facts.finding(now: Self.now, firstLook: 1) }

  private func secondLook(_ word: LockWord?, waiting: Int32..., everybodySleeps: Bool = true) -> LockFacts.SecondLook {
    LockFacts.SecondLook(
      word: word, stillWaiting: Set(waiting.map(ThreadID.init)), everybodySleeps: everybodySleeps)
  }

  // MARK: phantom

  @Test("An impossible word with waiters is a phantom lock, and the finding says the word in words")
  func impossibleWord() throws {
    let text = "all bits set: impossible state of parking_lot::RawRwLock"
    let finding = try #require(
      look(LockFacts(word: word(.rwlock, taken: true, impossible: text), waiters: [waiter(2), waiter(1)])))
    #expect(finding.kind == .phantomLock)
    #expect(finding.certainty == .inferred)
    #expect(finding.members == [ThreadID(1), ThreadID(2)])
    #expect(finding.edges.allSatisfy { $0.holders.isEmpty && $0.object == Self.address })
    #expect(finding.evidence.contains { $0.contains(text) })
  }

  @Test("Once one waiter has lasted, those that came later belong to the finding; before that there is none")
  func laterWaiters() throws {
    let lock = word(taken: true, owner: 77)
    let recent = waiter(2, since: Instant(nanoseconds: 99_900_000_000))
    func facts(_ waiters: LockWaiter...) -> LockFacts {
      LockFacts(word: lock, waiters: waiters, aliveThreads: [ThreadID(1), ThreadID(2)])
    }
    #expect(try #require(look(facts(waiter(1), recent))).members.count == 2)
    #expect(look(facts(recent)) == nil)
  }

  @Test("An impossible word needs no patience: no release leads out of it, however young the wait is")
  func impossibleAtOnce() throws {
    let lock = word(.rwlock, taken: true, impossible: "all bits set")
    let recent = waiter(2, since: Instant(nanoseconds: 99_999_000_000))
    #expect(try #require(look(LockFacts(word: lock, waiters: [recent]))).kind == .phantomLock)
  }

  @Test("Where no wait is dated, a free lock's sleeper counts only if everybody sleeps")
  func undated() throws {
    var facts = LockFacts(word: word(taken: false), waiters: [waiter(since: .unknown)])
    facts.secondLook = secondLook(word(taken: false), waiting: 1, everybodySleeps: false)
    #expect(look(facts) == nil)
    facts.secondLook = nil
    #expect(look(facts) == nil)
    facts.secondLook = secondLook(word(taken: false), waiting: 1)
    #expect(try #require(look(facts)).kind == .lostWakeup)
  }

  @Test("An impossible word that nobody waits for is nobody's trouble yet")
  func impossibleWordAlone() {
    #expect(look(LockFacts(word: word(.rwlock, taken: true, impossible: "all bits set"), waiters: [])) == nil)
  }

  @Test("An impossible word that a second look finds changed, gone, or without the same sleeper is nobody's phantom")
  func impossibleForAMoment() throws {
    let lock = word(.rwlock, taken: true, impossible: "all bits set")
    func facts(_ again: LockWord?, waiting: Int32) -> LockFacts {
      LockFacts(
        word: lock, waiters: [waiter(1), waiter(2)],
        secondLook: secondLook(again, waiting: waiting, everybodySleeps: false))
    }
    #expect(look(facts(word(.rwlock, taken: false), waiting: 1)) == nil, "other bytes")
    #expect(look(facts(nil, waiting: 1)) == nil, "unmapped")
    #expect(look(facts(lock, waiting: 3)) == nil, "both have got on")
    #expect(try #require(look(facts(lock, waiting: 2))).certainty == .inferred)
  }

  @Test("What was read after the threads were let go is inferred of one that sleeps as before, else suspect")
  func impossibleAfterwards() throws {
    let lock = word(.rwlock, taken: true, impossible: "all bits set")
    func facts(_ again: LockWord?, waiting: Int32) -> LockFacts {
      LockFacts(word: lock, waiters: [waiter()], afterwards: secondLook(again, waiting: waiting))
    }
    #expect(try #require(look(facts(lock, waiting: 1))).certainty == .inferred)
    let doubted = try #require(look(facts(lock, waiting: 2)))
    #expect(doubted.certainty == .suspect)
    #expect(doubted.evidence.contains { $0.contains("could not be confirmed") })
    #expect(look(facts(nil, waiting: 1))?.certainty == .suspect)
    #expect(look(facts(word(.rwlock, taken: false), waiting: 1)) == nil)
  }

  @Test("What only a pattern says is never more than suspect")
  func guesses() throws {
    let lock = word(.rwlock, taken: true, impossible: "all bits set")
    #expect(try #require(look(LockFacts(word: lock, waiters: [waiter(guess: true)]))).certainty == .suspect)
    #expect(
      try #require(look(LockFacts(word: lock, waiters: [waiter(guess: true), waiter(2)]))).certainty == .inferred)
  }

  @Test("A taken lock of which the whole ladder finds no holder is a suspected phantom")
  func nobodyFound() throws {
    let facts = LockFacts(word: word(taken: true), waiters: [waiter()], holders: HolderAccount(claims: []))
    let finding = try #require(look(facts))
    #expect(finding.kind == .phantomLock)
    #expect(finding.certainty == .suspect)
    #expect(finding.evidence.contains { $0.contains("1 hold has no owning frame") })
  }

  @Test("It is not where the ladder was not climbed, not to its end, or found somebody")
  func notPhantom() {
    let claim = HolderClaim(thread: ThreadID(9), mode: .exclusive, evidence: .landingPad)
    for holders in [nil, HolderAccount(claims: [], unsearched: [ThreadID(7)]), HolderAccount(claims: [claim])] {
      #expect(look(LockFacts(word: word(taken: true), waiters: [waiter()], holders: holders)) == nil)
    }
  }

  @Test("Nor where the second look finds the lock free or the waiter gone")
  func movedOn() {
    var facts = LockFacts(word: word(taken: true), waiters: [waiter()], holders: HolderAccount(claims: []))
    facts.secondLook = secondLook(word(taken: false), waiting: 1)
    #expect(look(facts) == nil)
    facts.secondLook = secondLook(word(taken: true), waiting: 5)
    #expect(look(facts) == nil)
    facts.secondLook = secondLook(word(taken: true), waiting: 1)
    #expect(look(facts) != nil)
  }

  // MARK: orphaned

  @Test("A lock whose owner is no thread of the process is orphaned")
  func orphaned() throws {
    var facts = LockFacts(word: word(taken: true, owner: 77), waiters: [waiter()], aliveThreads: [ThreadID(1)])
    let finding = try #require(look(facts))
    #expect(finding.kind == .orphanedLock)
    #expect(finding.culprit == ThreadID(77))
    #expect(finding.edges.first?.holders == [ThreadID(77)])
    facts.aliveThreads = [ThreadID(1), ThreadID(77)]
    #expect(look(facts) == nil, "its owner lives")
    facts.aliveThreads = nil
    #expect(look(facts) == nil, "nobody can say who lives")
  }

  @Test("Nor one that its owner has unlocked before it ended, or whose waiter has got on")
  func orphanedForAMoment() throws {
    let lock = word(taken: true, owner: 77)
    var facts = LockFacts(word: lock, waiters: [waiter()], aliveThreads: [ThreadID(1)])
    for again in [word(taken: false), word(taken: true, owner: 1), nil] {
      facts.secondLook = secondLook(again, waiting: 1)
      #expect(look(facts) == nil)
    }
    facts.secondLook = secondLook(lock, waiting: 5)
    #expect(look(facts) == nil)
    facts.secondLook = secondLook(lock, waiting: 1)
    #expect(try #require(look(facts)).certainty == .inferred)
    facts.secondLook = nil
    facts.afterwards = secondLook(lock, waiting: 5)
    #expect(try #require(look(facts)).certainty == .suspect)
  }

  @Test(
    "A process-shared or robust lock with a strange owner is no orphan",
    arguments: ["process-shared", "normal, robust"])
  func notOrphaned(variant: String) {
    let lock = word(taken: true, owner: 77, variant: variant)
    #expect(look(LockFacts(word: lock, waiters: [waiter()], aliveThreads: [ThreadID(1)])) == nil)
  }

  // MARK: lost wake-up

  @Test("A lock free at two looks with the same sleeper has lost a wake-up")
  func lostWakeup() throws {
    let free = word(taken: false)
    var facts = LockFacts(word: free, waiters: [waiter()], secondLook: secondLook(free, waiting: 1))
    let finding = try #require(look(facts))
    #expect(finding.kind == .lostWakeup)
    #expect(finding.certainty == .inferred)
    facts.secondLook?.everybodySleeps = false
    #expect(look(facts)?.certainty == .suspect)
  }

  @Test("One look, a lock taken in between, a wait that went on, or one that is being woken has lost nothing")
  func nothingLost() {
    let free = word(taken: false)
    #expect(look(LockFacts(word: free, waiters: [waiter()])) == nil)
    #expect(
      look(LockFacts(word: free, waiters: [waiter()], secondLook: secondLook(word(taken: true), waiting: 1))) == nil)
    #expect(look(LockFacts(word: free, waiters: [waiter()], secondLook: secondLook(free, waiting: 2))) == nil)
    #expect(look(LockFacts(word: free, waiters: [waiter()], secondLook: secondLook(nil, waiting: 1))) == nil)
    #expect(
      look(LockFacts(word: free, waiters: [waiter(woken: true)], secondLook: secondLook(free, waiting: 1))) == nil)
    // A wake-up that is on its way is not lost, whoever else sleeps.
    #expect(
      look(
        LockFacts(
          word: free, waiters: [waiter(), waiter(2, woken: true)],
          secondLook: secondLook(free, waiting: 1, everybodySleeps: false))) == nil)
    let recent = waiter(since: Instant(nanoseconds: 99_500_000_000))
    #expect(look(LockFacts(word: free, waiters: [recent], secondLook: secondLook(free, waiting: 1))) == nil)
  }

  @Test(
    "What nobody holds loses no wake-up by being free",
    arguments: LockType.allCases.filter { !$0.hasHolder || $0 == .join })
  func withoutHolder(type: LockType) {
    let free = word(type, taken: false)
    #expect(look(LockFacts(word: free, waiters: [waiter()], secondLook: secondLook(free, waiting: 1))) == nil)
  }

  @Test("Who waits for an initialisation to begin or to end is not accused of anything")
  func initialisation() {
    let idle = word(.once, taken: false)
    #expect(look(LockFacts(word: idle, waiters: [waiter()], secondLook: secondLook(idle, waiting: 1))) == nil)
    let running = word(.once, taken: true)
    #expect(look(LockFacts(word: running, waiters: [waiter()], holders: HolderAccount(claims: []))) == nil)
  }

  // MARK: livelock

  @Test("A free lock whose waiters all run out of time again and again is a livelock")
  func livelock() throws {
    let free = word(taken: false)
    let finding = try #require(
      look(LockFacts(word: free, waiters: [waiter(1, timed: true, timeouts: 3), waiter(2, timed: true, timeouts: 8)])))
    #expect(finding.kind == .livelock)
    #expect(finding.certainty == .suspect)
    #expect(finding.evidence.contains { $0.contains("at least 3 times in a row") })
    #expect(look(LockFacts(word: free, waiters: [waiter(1, timed: true, timeouts: 2)])) == nil)
    #expect(look(LockFacts(word: free, waiters: [waiter(1, timed: true, timeouts: 3), waiter(2)])) == nil)
  }

  // MARK: counting

  @Test("Claims are compared with what the word counts")
  func completeness() {
    let read = HolderClaim(thread: ThreadID(1), mode: .read, evidence: .forwardRun)
    let lock = word(.rwlock, taken: true, readers: 2)
    #expect(HolderAccount(claims: [read, read]).completeness(against: lock) == .complete)
    #expect(HolderAccount(claims: [read]).completeness(against: lock) == .short(by: 1))
    #expect(HolderAccount(claims: [read]).shortfall(against: lock)?.contains("1 read hold has no owning frame") == true)
    #expect(HolderAccount(claims: [read, read, read]).completeness(against: lock) == .excess(by: 1))
    #expect(HolderAccount(claims: []).completeness(against: word(.rwlock, taken: true, impossible: "x")) == .uncounted)
    #expect(HolderAccount(claims: []).completeness(against: word(taken: false)) == .complete)
  }
}
