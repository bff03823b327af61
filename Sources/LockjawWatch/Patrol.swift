import LockjawArena
import LockjawDiagnosis
import LockjawInspect
import LockjawModel

/// Looks, now and then, for threads of a session that sleep for what only the kernel keeps (file locks, pipes, children), or for locks
/// inside the C library.
///
/// The shim sees none of these waits, so no bell rings for them. A patrol is cheap: it asks which call each thread is in.
/// Only a thread that has slept in one call from one patrol to the next is worth a whole look, and only one.
struct Patrol {
  private let command: Int32
  private let stall: Double
  private var next: Instant
  private let period: Double
  private var record = PatrolRecord()

  private static let processLimit = 64
  private static let threadLimit = 1024
  /// Whole looks in one patrol: each may stop a process for a moment.
  private static let looksPerPatrol = 4

  init(command: Int32, stall: Double) {
    self.command = command
    self.stall = stall
    period = min(max(stall / 2, 0.5), 10)
    next = Self.later(.now, by: period)
  }

  func millisecondsToGo() -> Int32 { Int32(next.seconds(since: .now) * 1000) + 1 }

  private static func later(_ moment: Instant, by seconds: Double) -> Instant {
    Instant(nanoseconds: moment.nanoseconds &+ UInt64(seconds * 1e9))
  }

  var isDue: Bool { Instant.now >= next }

  /// Reports that are worth showing; none where it is not time yet.
  mutating func discoveries() -> [Discovery] {
    guard isDue else { return [] }
    defer { next = Self.later(.now, by: period) }
    record.begin()
    var found: [Discovery] = []
    var looks = 0
    for pid in [command] + ProcessTable().descendants(of: command, limit: Self.processLimit) {
      guard let process = try? LiveProcess(pid: pid) else { continue }
      let sleepers = Self.sleepers(of: process)
      let due = record.due(sleepers, of: pid)
      guard !due.isEmpty, looks < Self.looksPerPatrol else { continue }
      looks += 1
      let report = report(process)
      record.looked(at: due, of: pid, after: Self.sleepers(of: process))
      if let report, leadsOut(report) {
        found.append(
          Discovery(
            occasion: .finding(isRenewal: false), process: process.identity,
            arenaPath: ArenaSearch.path(of: process) ?? "", arenaFile: nil, report: report))
      }
    }
    return found
  }

  /// Asleep for what no library saw them wait for.
  private static func sleepers(of process: LiveProcess) -> Set<KernelSleeper> {
    process.kernelSleepers(limit: threadLimit).union(UnrecordedWaits.sleepers(of: process, limit: threadLimit))
  }

  private func report(_ process: LiveProcess) -> Report? {
    let single = SingleReport(stall: stall)
    if let arena = ArenaSearch.path(of: process).flatMap({ try? ArenaReader(path: $0) }) {
      return single.of(process, arena: arena)
    }
    return (try? Snapshot.takeGently(pid: process.pid)).map { single.of($0, of: process) }
  }

  /// What concerns recorded locks alone is the followers' business.
  private func leadsOut(_ report: Report) -> Bool {
    let kept = Set(
      report.locks.filter { $0.type.isKernelObject || $0.library == LockLibrary.glibcInternal.rawValue }.map(\.id))
    return report.findings.contains { finding in
      (finding.kind.isHang || finding.kind == .longHold) && finding.edges.contains { kept.contains($0.lock) }
    }
  }
}
