import LockjawArena
import LockjawDiagnosis
import LockjawGraph
import LockjawInspect
import LockjawModel

/// What a follower knows between two looks at its arena.
struct FollowerPass {
  struct Outcome {
    var reports: [(occasion: Discovery.Occasion, report: Report)] = []
    /// Rest with the bell unarmed, then look again; 0: sleep on the bell.
    var restMilliseconds = 0
    /// Sleep at most this long; `nil`: until rung.
    var sleepMilliseconds: Int?
  }

  /// A finding, apart from how certain it is.
  private struct Key: Hashable {
    let kind: FindingKind
    let waits: Set<Examination.WaitKey>
    /// Of a missed heartbeat: the one that came last.
    var beat: HeartbeatWatch.Beat?
  }

  /// How long a cycle is looked at again before it is reported for what it is. One that is not proven: a thread that
  /// has recorded its wait needs some microseconds, on a starved host milliseconds, to fall asleep. A thread that waits
  /// for itself and for other readers: those may be about to ask for the same, and then the hang is theirs as well.
  private static func patienceMilliseconds(_ finding: RawFinding, _ surroundings: Surroundings?) -> Double {
    guard finding.isCycle else { return 0 }
    // Over process borders two looks have been taken already, and nobody ran between them.
    if surroundings?.touches(finding) ?? false { return 0 }
    if finding.certainty != .proven { return 40 }
    return finding.kind == .selfDeadlock && finding.edges.contains { $0.holders.count > 1 } ? 15 : 0
  }
  private static let secondLookMilliseconds = 2

  private let arena: ArenaReader
  private let target: LiveTarget
  private let settings: Follower.Settings
  private var pace = Pace()
  private var lastWaits: [Examination.WaitKey] = []
  private var reported: [Key: Certainty] = [:]
  private var firstSeen: [Key: Instant] = [:]
  private var modulesGeneration: UInt32 = 0
  private var servedRequests: UInt32 = 0
  private var nextDue: Instant?
  private var heartbeats = HeartbeatWatch()
  /// Not before then are other processes looked at again.
  private var nextLookAround = Instant(nanoseconds: 0)
  private var lastLookAround = Instant(nanoseconds: 0)
  /// A cycle was seen that is still being looked at.
  private var isOpen = false
  private var suspense: Suspense

  init(arena: ArenaReader, target: LiveTarget, settings: Follower.Settings) {
    self.arena = arena
    self.target = target
    self.settings = settings
    suspense = Suspense(stall: settings.stall)
    modulesGeneration = arena.modulesGeneration
  }

  /// One look at the arena, and at the other witnesses where it shows something new.
  mutating func look() -> Outcome {
    var outcome = Outcome()
    serveRequests(&outcome)
    let glance = Examination.glance(arena)
    let isChanged = glance.waits != lastWaits
    lastWaits = glance.waits
    if isChanged { pace.sawChange() } else { pace.sawNone() }
    let isDue = nextDue.map { glance.now >= $0 } ?? false
    let isBeatMissing = heartbeats.look(arena.heartbeats(), now: glance.now) { target.isStopped }
    if isChanged || isDue || isOpen || isBeatMissing { examine(glance, &outcome) }
    if isOpen {
      outcome.restMilliseconds = Self.secondLookMilliseconds
    } else if isChanged {
      outcome.restMilliseconds = pace.restMilliseconds
    }
    return outcome.restMilliseconds > 0 ? outcome : sleeping(outcome, from: glance.now)
  }

  private mutating func sleeping(_ outcome: Outcome, from now: Instant) -> Outcome {
    var outcome = outcome
    if let due = [nextDue, heartbeats.nextLook].compactMap({ $0 }).min() {
      outcome.sleepMilliseconds = Int(due.seconds(since: now) * 1000) + 1
    }
    return outcome
  }

  // MARK: - Examining

  private mutating func examine(_ glance: Examination.Glance, _ outcome: inout Outcome) {
    nextDue = due(glance)
    isOpen = false
    guard !glance.waits.isEmpty || !heartbeats.missed.isEmpty else {
      firstSeen.removeAll(keepingCapacity: true)
      return
    }
    refreshModules()
    var whole = glance.interpreting(target, arena: arena, olderThan: settings.firstLook)
      .findingHolders(target, arena: arena) { target.snapshot() }
    if hasLasting(glance) { lookAround(&whole) }
    let examination = Examination(whole, arena: arena, target: target, stall: settings.stall, missed: heartbeats.missed)
    isOpen = examination.wasOvertaken
    suspense.begin(examination)
    var isFresh = false
    var isRenewal = true
    var replacing: [RawFinding] = []
    let reportedBefore = reported
    for finding in examination.diagnosis.findings where finding.kind.isReportable {
      let key = key(finding, whole)
      // A thread that was kept from running may come to sleep, and be stuck there.
      if let beat = key.beat, finding.certainty == .suspect { heartbeats.doubt(beat) }
      let seen = firstSeen[key] ?? glance.now
      firstSeen[key] = seen
      let known = reported[key]
      if let known, known.rank <= finding.certainty.rank { continue }
      // A young cycle may not be all of it yet: look again, a little later, until patience is over.
      if glance.now.seconds(since: seen) * 1000 < Self.patienceMilliseconds(finding, examination.surroundings) {
        isOpen = true
        continue
      }
      if suspense.holdsBack(finding, in: examination) {
        nextDue = suspense.nextLook(examination).map { min($0, nextDue ?? $0) } ?? nextDue
        continue
      }
      if known == nil { isRenewal = false }
      if replacesUnknown(key) { replacing.append(finding) }
      reported[key] = finding.certainty
      isFresh = true
    }
    prune(glance)
    guard isFresh else { return }
    // Its memory and its threads go one after another, and no two witnesses mean the same moment: what is to be said of a process
    // that is ending, its follower says when it has.
    guard target.process.goesOn else {
      reported = reportedBefore
      isOpen = true
      return
    }
    let closed = examination.diagnosis.findings.first?.edges.map(\.since).max() ?? glance.now
    let detected = Instant.now.seconds(since: closed) * 1000
    var report = Reporting(arena: arena, target: target, source: "live").report(
      examination, stacks: .involved, condition: "running", historyLimit: settings.historyLimit,
      profileLimit: settings.profileLimit, detectedAfterMilliseconds: detected)
    for finding in replacing { report.noteReplacement(by: finding) }
    outcome.reports.append((.finding(isRenewal: isRenewal), report))
  }

  /// Adds the processes that waits lead to. That asks every thread what it sleeps in, and looks pass each other every few
  /// milliseconds where much is going on: so at most one part in `restFactor` of the time goes into it. A wait that has just
  /// become a finding of its own is told with what is around it all the same.
  private mutating func lookAround(_ glance: inout Examination.Glance) {
    let begin = Instant.now
    guard begin >= nextLookAround || hasNewlyStalled(glance) else {
      nextDue = min(nextDue ?? nextLookAround, nextLookAround)
      return
    }
    lastLookAround = glance.now
    glance = glance.lookingAround(target.process, target: target, arena: arena)
    let end = Instant.now
    let rest = UInt64(end.seconds(since: begin) * Self.restFactor * 1e9)
    nextLookAround = Instant(nanoseconds: end.nanoseconds &+ rest)
  }
  private static let restFactor = 20.0

  /// Some wait has come to last for the stall since others were looked at last.
  private func hasNewlyStalled(_ glance: Examination.Glance) -> Bool {
    let before = lastLookAround.nanoseconds
    return glance.threads.contains { thread in
      guard let wait = thread.wait, wait.type.hasHolder else { return false }
      let stalled = wait.since.nanoseconds &+ UInt64(settings.stall * 1e9)
      return stalled > before && stalled <= glance.now.nanoseconds
    }
  }

  /// Some lock has been waited for long enough to ask whether another process has it.
  private func hasLasting(_ glance: Examination.Glance) -> Bool {
    glance.threads.contains { thread in
      thread.wait.map { $0.type.hasHolder && glance.now.seconds(since: $0.since) >= settings.firstLook } ?? false
    }
  }

  private func key(_ finding: RawFinding, _ glance: Examination.Glance) -> Key {
    if let beat = finding.heartbeat { return Key(kind: finding.kind, waits: [], beat: HeartbeatWatch.Beat(beat)) }
    let members = Set(finding.members)
    var waits: Set<Examination.WaitKey> = []
    for thread in glance.threads where members.contains(thread.tid) {
      guard let wait = thread.wait else { continue }
      // A timed wait begins anew every time: its thread, not its number, is what stays.
      let beginsAnew = wait.isRenewed || Self.begins(finding.kind)
      waits.insert(Examination.WaitKey(slot: thread.slot, sequence: beginsAnew ? 0 : wait.sequence))
    }
    return Key(kind: finding.kind, waits: waits)
  }

  /// Of the same wait it was said before that its cause is unknown.
  private func replacesUnknown(_ key: Key) -> Bool {
    key.kind != .hangUnknown
      && reported.keys.contains { $0.kind == .hangUnknown && !$0.waits.isDisjoint(with: key.waits) }
  }

  /// Kinds that are made of ever new waits.
  private static func begins(_ kind: FindingKind) -> Bool { kind == .timedCycle || kind == .livelock }

  /// Forgets what was seen of waits that are over, so that the same threads can hang anew.
  private mutating func prune(_ glance: Examination.Glance) {
    guard firstSeen.count + reported.count > 256 else { return }
    let waits = Set(glance.waits)
    let beats = Set(heartbeats.missed.map { HeartbeatWatch.Beat($0) })
    func lasts(_ key: Key) -> Bool {
      if let beat = key.beat { return beats.contains(beat) }
      return key.waits.allSatisfy { $0.sequence == 0 || waits.contains($0) }
    }
    firstSeen = firstSeen.filter { lasts($0.key) }
    reported = reported.filter { lasts($0.key) }
  }

  /// When the next of the waits is to be looked at by itself.
  private func due(_ glance: Examination.Glance) -> Instant? {
    let times = LookTimes(firstLook: settings.firstLook, stall: settings.stall)
    return glance.threads.lazy.compactMap { thread in
      guard let wait = thread.wait, wait.type.hasHolder || wait.type == .futex else {
        return nil
      }
      return times.next(of: wait, after: glance.now)
    }.min()
  }

  private mutating func refreshModules() {
    let generation = arena.modulesGeneration
    if generation != modulesGeneration {
      target.invalidate()
      modulesGeneration = generation
    }
  }

  // MARK: - The watchdog signal

  private mutating func serveRequests(_ outcome: inout Outcome) {
    let requests = arena.reportRequests
    guard requests != servedRequests else { return }
    servedRequests = requests
    refreshModules()
    let examination = Examination(Examination.glance(arena), arena: arena, target: target, stall: settings.stall)
    let report = Reporting(arena: arena, target: target, source: "live").report(
      examination, stacks: .all, condition: "running", historyLimit: settings.historyLimit,
      profileLimit: settings.profileLimit)
    outcome.reports.append((.requested(number: requests), report))
    arena.acknowledge(reports: requests)
  }
}

extension Report {
  /// Somebody may be looking at the earlier report: this one says that it is about the same hang.
  mutating func noteReplacement(by raw: RawFinding) {
    let waiters = Set(raw.edges.map(\.waiter))
    for index in findings.indices
    where findings[index].kind == raw.kind && Set(findings[index].edges.map(\.waiter)) == waiters {
      findings[index].evidence.append(
        "An earlier report said of these waits that their cause is unknown; it has been found since, and this one replaces it."
      )
    }
  }
}

extension RawFinding {
  /// A cycle closes once and for all; anything else is a matter of time.
  var isCycle: Bool {
    switch kind {
    case .deadlock, .selfDeadlock, .upgradeDeadlock, .recursiveReadDeadlock, .joinCycle: true
    default: false
    }
  }
}

extension FindingKind {
  /// Whether whoever follows a process wants to be told.
  var isReportable: Bool {
    switch self {
    case .healthy, .idle, .contention: false
    default: true
    }
  }
}
