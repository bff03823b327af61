import LockjawModel

/// What a finding's sentence says after its heading, by kind.
///
/// It is read first, alone (in a log, in `lockjaw list`), and by people who do not know the program: who waits for
/// what, who has it, in which functions. A thread is named in full once; a name that several share is never used alone.
/// Every part may be missing, and the sentence must be one without it.
struct FindingSentence {
  let finding: Finding
  let index: ReportIndex

  var text: String {
    switch finding.kind {
    case .deadlock: edges.count == 1 ? selfDeadlock : cycle
    case .selfDeadlock: selfDeadlock
    case .upgradeDeadlock: upgrade
    case .recursiveReadDeadlock: recursiveRead
    case .joinCycle: joinCycle
    case .timedCycle: timedCycle
    case .orphanedLock: orphanedLock
    case .phantomLock: gathered(", whose word says taken, but no thread holds it")
    case .lostWakeup: gathered(", whose word says free: the wake-up was lost")
    case .livelock:
      gathered(", giving up and trying again, and never \(finding.waiters.count == 1 ? "gets" : "get") it")
    case .missedHeartbeat: missedHeartbeat
    case .longHold: longHold
    case .contention: gathered(heldByClause(first) + "; " + contentionLimit)
    case .hangUnknown: hangUnknown
    case .hostStarved: hostStarved
    case .idle:
      "\(Wording.threads(index.report.threads.count)) asleep, and none is known to wait for a lock that another holds"
    case .healthy: "no hang found in \(Wording.threads(index.report.threads.count))"
    }
  }

  /// One moment cannot tell a short wait from the beginning of a long one, and of a dead process there is no other.
  private var contentionLimit: String {
    index.report.source == "arena"
      ? "whether they would have got it, what the process left does not say"
      : "no hang as far as this moment shows"
  }

  // MARK: - Cycles

  private var cycle: String {
    if edges.count == 2, EdgeShape(edges) == .cycle,
      edges.allSatisfy({ index.lockType(of: $0)?.isForShortWaits ?? true })
    {
      let clauses = edges.map { "\(index.shortName($0.waiter)) \(waitClause($0))" }
      return "threads \(subjects) each hold \(noun) the other wants: " + clauses.joined(separator: ", ")
    }
    // Where all wait in the same place, saying it once keeps the sentence readable.
    let isOnePlace = Set(edges.map(\.waitsAt)).count == 1 && first?.waitsAt != nil
    let clauses = edges.prefix(edges.count > 6 ? 4 : 6).map { edge in
      "\(index.name(edge.waiter)) \(isOnePlace ? wait(edge) : waitClause(edge))"
    }
    let more = edges.count > clauses.count ? ", and so on through \(edges.count - clauses.count) more" : ""
    return "\(finding.waiters.count) threads wait for one another"
      + (EdgeShape(edges) == .cycle ? " in a cycle" : "")
      + (isOnePlace ? ", all" + ReportIndex.place(first?.waitsAt) : "") + ": " + clauses.joined(separator: ", ") + more
  }

  /// "it already holds it itself" is the point: there is no second thread to look for.
  private var selfDeadlock: String {
    guard let edge = first else { return nobody }
    let since = ReportIndex.place(edge.heldSinceAt)
    let taken = since.isEmpty ? "" : ", taken\(since)"
    return "thread \(index.name(edge.waiter)) \(waitClause(edge)), but it already "
      + Wording.holds("it", mode: edge.heldMode) + " itself" + taken
  }

  private var upgrade: String {
    guard let edge = first else { return nobody }
    let lock = index.lockInBrief(edge.lock)
    if finding.waiters.count == 1 {
      let since = ReportIndex.place(edge.heldSinceAt)
      return "thread \(index.name(edge.waiter)) wants to write \(lock)\(ReportIndex.place(edge.waitsAt)) "
        + "while it still reads it itself" + (since.isEmpty ? "" : ", since\(since)")
    }
    let clauses = edges.prefix(4).map { "\(index.shortName($0.waiter))\(ReportIndex.place($0.waitsAt))" }
    return "threads \(subjects) all read \(lock) and want to write it, each waiting for the others to stop reading: "
      + clauses.joined(separator: ", ")
  }

  private var recursiveRead: String {
    guard let reader = edges.first(where: { $0.mode == .read }) else { return cycle }
    let lock = index.lockInBrief(reader.lock)
    let writer = reader.holders.first { $0 != reader.waiter }
    // The first read is the hold somebody else waits for.
    let firstRead = edges.first { $0.holders.contains(reader.waiter) && $0.lock == reader.lock }?.heldSinceAt
    let since = ReportIndex.place(firstRead)
    return "thread \(index.name(reader.waiter)) wants to read \(lock) a second time\(ReportIndex.place(reader.waitsAt))"
      + " behind waiting writer \(writer.map(index.name) ?? "of an unknown thread")"
      + ", which waits for the first read to end" + (since.isEmpty ? "" : " (begun\(since))")
  }

  /// A chain rather than a symmetry: who joins whom, and what the joined thread needs.
  private var joinCycle: String {
    let clauses = edges.prefix(4).enumerated().map { position, edge in
      let who = position == 0 ? "thread \(index.name(edge.waiter))" : index.shortName(edge.waiter)
      return "\(who) \(waitClause(edge))" + (index.isJoin(edge) ? "" : heldByClause(edge))
    }
    return clauses.joined(separator: "; ")
  }

  private var timedCycle: String {
    let clauses = edges.prefix(4).map { "\(index.shortName($0.waiter)) \(waitClause($0))" }
    return "threads \(subjects) wait for one another until a deadline ends it, so it does not last but may repeat: "
      + clauses.joined(separator: ", ")
  }

  // MARK: - Heartbeats

  /// What the thread does is half of it: "asleep in poll" is another bug than a lock.
  private var missedHeartbeat: String {
    guard let beat = finding.heartbeat else { return "a heartbeat did not come" }
    let subject =
      "\"\(Printable.shortened(beat.name, to: 64))\" is due every \(Elapsed.words(beat.withinSeconds)), and the last came "
      + "\(Elapsed.words(beat.lastSecondsAgo)) ago from thread \(index.name(beat.thread))"
    if let edge = first { return subject + ", which \(waitClause(edge))" + heldByClause(edge) }
    let state = index.thread(beat.thread)?.state ?? ""
    return subject + (state.isEmpty ? "" : ", which \(Predicate.words(Printable.escaped(state)))")
  }

  // MARK: - Waiters around one lock

  private var orphanedLock: String {
    guard let edge = first else { return nobody }
    let holder = edge.holders.first.map { "thread \(index.name($0))" } ?? "a thread that is gone"
    return gathered("; \(holder) took it\(ReportIndex.place(edge.heldSinceAt)) and exited without releasing it")
  }

  /// Begins with the holder, which is to blame, not with those who wait.
  private var longHold: String {
    guard let edge = first, let holder = edge.holders.first else { return gathered("") }
    let state = index.thread(holder)?.state ?? ""
    let taken = ReportIndex.place(edge.heldSinceAt)
    let count = finding.waiters.count
    let waiters = count == 1 ? "thread \(index.name(edge.waiter)) waits" : "\(count) threads wait"
    let longest = finding.longestWaitSeconds.map { " for \(Elapsed.words($0))" } ?? ""
    return "thread \(index.name(holder)) keeps \(index.lockInBrief(edge.lock))"
      + (taken.isEmpty ? "" : ", taken\(taken)") + ", while \(waiters)\(longest)"
      + (state.isEmpty ? "" : "; the holder \(Predicate.words(Printable.escaped(state)))")
  }

  /// The holder is the one that gets no time; those who wait for it are asleep.
  private var hostStarved: String {
    guard let edge = first, let holder = edge.holders.first else {
      return "the host gave \(subjects) no time to run; the program is not to blame"
    }
    let count = finding.waiters.count
    let waiters = count == 1 ? "thread \(index.name(edge.waiter)) waits" : "\(count) threads wait"
    return
      "the host gives thread \(index.name(holder)) hardly any time to run, which holds \(index.lockInBrief(edge.lock)) while "
      + "\(waiters); the program is not to blame"
  }

  private var hangUnknown: String {
    guard let edge = first else {
      return "\(Wording.threads(index.report.threads.count)), and nothing says who should wake them"
    }
    let count = finding.waiters.count
    let longest = finding.longestWaitSeconds.map { " for \(Elapsed.words($0))" } ?? ""
    if count == 1 {
      let missing = edges.allSatisfy(isHeld) ? "who holds it" : "who is to wake it"
      return "thread \(index.name(edge.waiter)) \(waitClause(edge))\(longest), and nothing says \(missing)"
    }
    let clauses = edges.prefix(3).map { "\(index.shortName($0.waiter)) \(waitClause($0))" }
    let more = edges.count > 3 ? ", and \(edges.count - 3) more" : ""
    let missing = edges.allSatisfy(isHeld) ? "who holds what they wait for" : "who is to wake them"
    return "\(count) threads wait\(longest), and nothing says \(missing): "
      + clauses.joined(separator: ", ") + more
  }

  /// "3 threads wait for L1 in f() (a.c:20)<what>", or the one by name.
  private func gathered(_ what: String) -> String {
    guard let edge = first else { return nobody }
    let count = finding.waiters.count
    if count == 1 { return "thread \(index.name(edge.waiter)) \(waitClause(edge))\(what)" }
    let places = Set(edges.map(\.waitsAt))
    let place = places.count == 1 ? ReportIndex.place(edge.waitsAt) : ""
    let locks = finding.lockIDs
    return "\(count) threads (\(index.names(finding.waiters, limit: 3))) wait for "
      + ReportIndex.list(locks.map(index.lockInBrief), limit: 3) + place + what
  }

  // MARK: - Parts

  private var edges: [Edge] { finding.edges }
  /// What is waited for is a thing that somebody has.
  private func isHeld(_ edge: Edge) -> Bool { index.lockType(of: edge)?.hasHolder ?? true }
  private var first: Edge? { finding.edges.first }
  private var nobody: String { "no thread or lock could be named" }
  private var subjects: String { index.names(finding.waiters, limit: 5) }

  /// What the two sides of a cycle of two hold, in one word.
  private var noun: String {
    let types = Set(edges.map(index.lockType))
    guard types.count == 1, let type = types.first ?? nil else { return "a lock" }
    switch type {
    case .mutex, .spinlock, .semaphore: return "a \(type.rawValue)"
    case .rwlock: return "an rwlock"
    default: return "a lock"
    }
  }

  private func wait(_ edge: Edge) -> String {
    Wording.waits(edge, lock: index.lockInBrief(edge.lock), index: index)
  }

  private func waitClause(_ edge: Edge) -> String {
    guard index.isJoin(edge), let target = edge.holders.first else {
      return wait(edge) + ReportIndex.place(edge.waitsAt)
    }
    // The other way round, a thread would seem to end in that function.
    return "waits\(ReportIndex.place(edge.waitsAt)) for thread \(index.name(target)) to end"
  }

  /// `, held by 4712 "bob" since pop() (queue.c:25)`; brief where the sentence has named the holder already.
  private func heldByClause(_ edge: Edge?) -> String {
    guard let edge, !edge.holders.isEmpty else { return "" }
    let isKnown = finding.waiters.contains(edge.holders[0])
    let holder = isKnown ? index.shortName(edge.holders[0]) : index.name(edge.holders[0])
    let holders = edge.holders.count == 1 ? holder : "\(edge.holders.count) threads"
    return ", held by \(holders)\(ReportIndex.place(edge.heldSinceAt, word: "since"))"
  }
}
