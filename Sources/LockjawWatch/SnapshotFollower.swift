import LockjawDiagnosis
import LockjawGraph
import LockjawInspect
import LockjawModel

/// Follows a process that nobody preloaded, by looking again.
///
/// Nothing rings for it, so it asks at intervals which call each thread sleeps in, which stops nobody. Only where that shows
/// sleeps that have lasted does it take a snapshot, once for a first look and once for the stall (`SleepRecord`), and
/// reports what is new.
struct SnapshotFollower {
  struct Settings {
    var stall: Double
    var firstLook: Double
    /// Snapshots too are taken of sleeping threads, without a stop.
    var withoutStopping: Bool
  }

  /// A finding, apart from how certain it is: its kind, and who waits for what since when.
  private struct Key: Hashable {
    struct Wait: Hashable {
      let thread: ThreadID
      let lock: Address
    }
    let kind: FindingKind
    let waits: Set<Wait>
  }

  /// Threads asked in a cheap look.
  private static let threadLimit = 20_000
  private let process: LiveProcess
  private let settings: Settings
  private let single: SingleReport
  private var record: SleepRecord
  /// Whole looks have one of their own: while it is used up, cheap ones go on, and date what begins meanwhile.
  private var wholeLooks: LookBudget
  private var suspense: Suspense
  /// Something was held back until then.
  private var nextLook: Instant?
  private var reported: [Key: Certainty] = [:]
  /// The newest report; what is left to say at the end.
  private(set) var last: Report?

  init(_ process: LiveProcess, _ settings: Settings, _ single: SingleReport) {
    self.process = process
    self.settings = settings
    self.single = single
    record = SleepRecord(firstLook: settings.firstLook, stall: settings.stall)
    suspense = Suspense(stall: settings.stall)
    wholeLooks = LookBudget(longestRest: max(settings.stall, 1))
  }

  /// One cheap look, and a whole one where it is due.
  /// - Parameter always: a whole look in any case.
  /// - Returns: what is to be shown, and how long to rest until the next.
  /// - Throws: why no snapshot can be had.
  mutating func look(always: Bool = false) throws(InspectError) -> (discoveries: [Discovery], restMilliseconds: Int32) {
    let spentBefore = LookBudget.processorSeconds
    let now = Instant.now
    let (sleepers, allInFutexWaits) = process.sleepers(limit: Self.threadLimit)
    record.note(sleepers, allInFutexWaits: allInFutexWaits, at: now)
    let rest = LookBudget.rest(after: LookBudget.processorSeconds - spentBefore)
    let isAwaited = nextLook.map { now >= $0 } ?? false
    let isDue = always || (wholeLooks.allows(at: now) && (isAwaited || !record.due(at: now).isEmpty))
    let discoveries = isDue ? try wholeLook() : []
    let shortest = max(min(settings.firstLook, settings.stall) / 2, 0.05)
    return (discoveries, Int32(min(max(rest, shortest), 3600) * 1000))
  }

  private mutating func wholeLook() throws(InspectError) -> [Discovery] {
    let pid = process.pid
    let spentBefore = LookBudget.processorSeconds
    var pause = 0.0
    defer { wholeLooks.spent(max(LookBudget.processorSeconds - spentBefore, pause), at: .now) }
    let taken =
      settings.withoutStopping ? try Snapshot.takeWithoutStopping(pid: pid) : try Snapshot.take(pid: pid)
    pause = taken.pauseMilliseconds / 1000
    let (after, _) = process.sleepers(limit: Self.threadLimit)
    let snapshot = taken.datingBack(record.since, of: process)
    let (target, examination) = single.examine(
      snapshot, of: process, diagnostics: settings.withoutStopping ? [SingleReport.notStopped] : [],
      mayStop: !settings.withoutStopping)
    record.looked(at: taken.takenAt, signals: signalled(examination), after: after)

    suspense.begin(examination)
    nextLook = nil
    var isFresh = false
    var isRenewal = true
    var current: [Key: Certainty] = [:]
    for finding in examination.diagnosis.findings where finding.kind.isReportable {
      let key = key(finding)
      let known = reported[key]
      // At the very first look somebody waits for an answer.
      if known == nil, last != nil, suspense.holdsBack(finding, in: examination) {
        nextLook = suspense.nextLook(examination) ?? later(settings.stall, than: examination.now)
        continue
      }
      current[key] = finding.certainty
      if let known, known.rank <= finding.certainty.rank { continue }
      if known == nil { isRenewal = false }
      isFresh = true
    }
    // What is over can come again, and is news then.
    reported = current
    guard isFresh || last == nil else { return [] }
    let report = single.report(examination, target)
    last = report
    guard isFresh else { return [] }
    return [
      Discovery(
        occasion: .finding(isRenewal: isRenewal), process: process.identity, arenaPath: "", arenaFile: nil,
        report: report)
    ]
  }

  private func later(_ seconds: Double, than moment: Instant) -> Instant {
    Instant(nanoseconds: moment.nanoseconds &+ UInt64(min(seconds, 3600) * 1e9))
  }

  private func key(_ finding: RawFinding) -> Key {
    Key(kind: finding.kind, waits: Set(finding.edges.map { Key.Wait(thread: $0.waiter, lock: $0.object) }))
  }

  /// Threads in waits that anyone can end.
  private func signalled(_ examination: Examination) -> Set<ThreadID> {
    Set(
      examination.threads.lazy.filter { thread in
        guard let wait = thread.wait else { return false }
        return !wait.type.hasHolder || wait.type == .semaphore || wait.type == .join
      }.map(\.tid))
  }
}
