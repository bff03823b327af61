import LockjawModel

/// What one lock and its waiters show by themselves, where no cycle explains them.
///
/// W1. *Phantom, by the word.* A word that no sequence of correct operations leads to, and a waiter: nobody can ever
///     release it, so it need not have lasted. *Inferred*: that the memory is a lock of this kind rests on the decoder.
///     The word is read some time after its waiters: it must be so at a second look as well, with one of them still
///     in the same wait, or the lock may be gone and its memory another's. Without proof of that, *suspect*.
/// W2. *Orphaned.* The word names an owner, and the process has no such thread. Not where others than this process may
///     own the lock (process-shared), nor a robust one, which the kernel would have taken from a dead owner. Whoever knows
///     of a fork doubts it (`Diagnosis.doubtingOwners`): a copied word names a thread of the parent.
///     The owner may have unlocked and ended between two looks, so W1's second look is asked for the same owner.
/// W3. *Phantom, by search.* The word says taken and records no owner, every thread was searched, and nobody was
///     found. Only *suspect*: a guard that was forgotten, or lives in an object that no frame owns, looks the same.
/// W4. *Lost wake-up.* The word says free, and a waiter without a time limit has slept on for longer than a first
///     look. It must be free at both of two looks, with the waiter in the same wait: a lock that is handed from one
///     to the next is free for moments. *Inferred* where nobody else is awake. Else *suspect*, and only where no waiter has
///     been woken: then the wake-up is on its way. (Who asks also watches such a lock, for longer than a look.)
/// W5. *Livelock.* All waiters of a lock have time limits, and each has run out of time again and again, at once beginning
///     the next wait: while the word says free; or while the lock is passed on among others, so that somebody always
///     has it and these never get it. Only *suspect*: what a thread does between two waits nobody records.
/// W6. A waiter that has been woken does not count, and a wait that only a pattern tells makes nothing more than
///     suspect.
/// W7. Nothing is said of what has no holder (conditions, barriers, joins, plain futexes), and of an initialisation only
///     what its word rules out.
extension LockFacts {
  /// How many time limits in a row make a livelock of a free lock, and of one that is passed on among others.
  package static let livelockTimeouts = 3
  package static let starvationTimeouts = 10
  /// Seconds that a full history must reach back to count as much as the stall.
  private static let shortestHistory = 1.0

  /// - Parameters:
  ///   - now: the moment of the first look.
  ///   - firstLook: seconds that one wait must have lasted for the lock to be looked at.
  /// - Returns: `nil` where the lock shows nothing wrong by itself.
  package func finding(now: Instant, firstLook: Double) -> RawFinding? {
    guard word.type.hasHolder, word.type != .join, !word.type.isKernelObject else { return nil }
    let asleep = waiters.filter { !$0.isWoken }
    // No release leads out of such a word, however young the wait is.
    if word.impossibility != nil { return asleep.isEmpty ? nil : impossibleWord(asleep) }
    // A core that dates no wait is as good as a second look where everybody sleeps.
    let lasting = asleep.filter {
      $0.since.isKnown ? now.seconds(since: $0.since) >= firstLook : secondLook?.everybodySleeps ?? false
    }
    guard !lasting.isEmpty else { return nil }
    // Once one has lasted, whoever came later waits for the same thing.
    if word.isTaken { return orphaned(asleep) ?? unfound(asleep) }
    return livelock(asleep) ?? lostWakeup(lasting)
  }

  private var name: String { "\(word.type.rawValue) \(word.address)" }
  private var wordSays: String { "lock word: \(name) (\(word.library.rawValue)) says \(word.description)." }

  // MARK: taken

  /// How sure it is that word and waiters belong together, though one was read after the other; `nil`: they do not.
  private func certainty(_ asleep: [LockWaiter], isSame: (LockWord) -> Bool) -> Certainty? {
    func stands(_ look: SecondLook) -> Bool {
      (look.word.map(isSame) ?? false) && asleep.contains { look.stillWaiting.contains($0.thread) }
    }
    if let secondLook, !stands(secondLook) { return nil }
    guard let afterwards else { return .inferred }
    if let word = afterwards.word, !isSame(word) { return nil }
    return stands(afterwards) ? .inferred : .suspect
  }

  private static let unconfirmed =
    "kernel: that they still sleep in the same wait, after the word had been read, could not be confirmed."

  private func impossibleWord(_ asleep: [LockWaiter]) -> RawFinding? {
    guard let certainty = certainty(asleep, isSame: { $0.impossibility != nil }) else { return nil }
    var evidence = [
      wordSays,
      "kernel: \(count(asleep)) for it, and no release can ever make this word free.",
    ]
    let claims = holders?.claims ?? []
    if !claims.isEmpty {
      evidence.append(
        "holders: by its frames it is held by \(list(claims.map(\.thread))); the word cannot confirm that.")
    } else if holders != nil {
      evidence.append("holders: no thread's frames would release it.")
    }
    if certainty == .suspect { evidence.append(Self.unconfirmed) }
    return finding(.phantomLock, certainty, asleep, evidence: evidence)
  }

  private func orphaned(_ asleep: [LockWaiter]) -> RawFinding? {
    guard let owner = word.owner, ownerIsGone else { return nil }
    let variant = word.variant ?? ""
    guard !variant.contains("process-shared"), !variant.contains("robust") else { return nil }
    guard let certainty = certainty(asleep, isSame: { $0.isTaken && $0.owner == owner }) else { return nil }
    var evidence = [wordSays, "kernel: the process has no thread \(owner) any more."]
    if certainty == .suspect { evidence.append(Self.unconfirmed) }
    return finding(
      .orphanedLock, certainty, asleep, holders: [owner], by: .ownerField, culprit: owner, evidence: evidence)
  }

  private func unfound(_ asleep: [LockWaiter]) -> RawFinding? {
    // No frame releases a semaphore's permit, and who runs an initialiser is not searched for.
    guard word.type == .mutex || word.type == .rwlock else { return nil }
    guard !word.recordsOwner, let holders, holders.claims.isEmpty else { return nil }
    // Whoever was not searched may have it.
    guard holders.unsearched.isEmpty, asleep.contains(where: { !$0.hasTimeLimit }) else { return nil }
    if let secondLook {
      guard secondLook.word?.isTaken ?? false, asleep.contains(where: { secondLook.stillWaiting.contains($0.thread) })
      else { return nil }
    }
    return finding(
      .phantomLock, .suspect, asleep,
      evidence: [
        wordSays, holders.shortfall(against: word) ?? "holders: nobody was found.",
      ])
  }

  // MARK: free

  private func lostWakeup(_ asleep: [LockWaiter]) -> RawFinding? {
    // An initialisation that has not begun is waited for in good order (`Once::wait`).
    guard word.type != .once else { return nil }
    guard let secondLook, let again = secondLook.word, !again.isTaken, again.impossibility == nil else { return nil }
    let lasting = asleep.filter { !$0.hasTimeLimit && secondLook.stillWaiting.contains($0.thread) }
    guard !lasting.isEmpty, secondLook.everybodySleeps || !waiters.contains(where: \.isWoken) else { return nil }
    var evidence = [
      wordSays, "kernel: \(count(lasting)) for it all the same, and did so at two looks.",
    ]
    if secondLook.everybodySleeps {
      evidence.append("kernel: every other thread sleeps, too, so nobody is about to wake them.")
    } else {
      evidence.append("Other threads run: one of them may be taking and releasing the lock all the time.")
    }
    return finding(
      .lostWakeup, secondLook.everybodySleeps ? .inferred : .suspect, lasting, evidence: evidence)
  }

  private func livelock(_ asleep: [LockWaiter]) -> RawFinding? {
    guard asleep.allSatisfy({ $0.hasTimeLimit && $0.timeouts >= Self.livelockTimeouts }) else { return nil }
    return finding(.livelock, .suspect, asleep, evidence: [wordSays, timesOver(asleep)])
  }

  /// W5 of a lock that is taken: waiters that never get what others get all the time.
  ///
  /// - Parameters:
  ///   - now: the moment of the look.
  ///   - stall: seconds for which each waiter must have tried, as far as its history reaches back.
  ///   - changesHands: whether the lock has been seen to pass from one holder to another; asked last.
  /// - Returns: `nil` where some waiter has no time limit, or has not tried for long enough.
  package func starvation(now: Instant, stall: Double, changesHands: () -> Bool) -> RawFinding? {
    let waiting = waiters.filter { !$0.isWoken }
    guard !waiting.isEmpty, word.type == .mutex || word.type == .rwlock,
      waiting.allSatisfy({
        $0.hasTimeLimit && $0.timeouts >= Self.starvationTimeouts
          && now.seconds(since: $0.since) >= ($0.isAllItsHistory ? min(stall, Self.shortestHistory) : stall)
      }), changesHands()
    else { return nil }
    let longest = waiting.map { now.seconds(since: $0.since) }.min() ?? 0
    return finding(
      .livelock, .suspect, waiting,
      evidence: [
        timesOver(waiting),
        "arena: for \(Elapsed.words((longest * 10).rounded() / 10)) no success is on record.",
        "lock word: \(name) passes from one holder to another meanwhile, and these never get it.",
      ])
  }

  private func timesOver(_ waiting: [LockWaiter]) -> String {
    let fewest = waiting.map(\.timeouts).min() ?? 0
    return
      "arena: \(waiting.count == 1 ? "its waiter" : "each of its \(waiting.count) waiters") has run out of time at least "
      + "\(fewest) times in a row, and begun again at once."
  }

  // MARK: words

  private func finding(
    _ kind: FindingKind, _ certainty: Certainty, _ asleep: [LockWaiter], holders: [ThreadID] = [],
    by evidenceOfHolder: HolderEvidence = .none, culprit: ThreadID? = nil, evidence: [String]
  ) -> RawFinding {
    var evidence = evidence
    var certainty = certainty
    if asleep.allSatisfy(\.isGuess) {
      certainty = .suspect
      evidence.append("That they wait for this lock is told by values in memory only.")
    }
    let edges = asleep.sorted { ($0.since, $0.thread) < ($1.since, $1.thread) }.map { waiter in
      CandidateEdge(
        waiter: waiter.thread, object: word.address, type: word.type, mode: waiter.mode, holders: holders,
        evidence: evidenceOfHolder, blocking: holders.isEmpty ? .unknown : .holds, site: CallSite(address: Address(0)),
        since: waiter.since)
    }
    return RawFinding(
      kind: kind, certainty: certainty, edges: edges, members: asleep.map(\.thread).sorted(), culprit: culprit,
      culpritState: culprit == nil ? nil : .gone, evidence: evidence)
  }

  private func count(_ waiters: [LockWaiter]) -> String {
    waiters.count == 1 ? "thread \(waiters[0].thread) sleeps" : "\(waiters.count) threads sleep"
  }

  private func list(_ threads: [ThreadID]) -> String {
    Set(threads).sorted().map { "thread \($0)" }.joined(separator: ", ")
  }
}
