import LockjawArena
import LockjawDiagnosis
import LockjawInspect
import LockjawModel
import LockjawReport

/// Makes finished reports: stacks and lines from the diagnosis room, sentences and signature from the report room.
struct Reporting {
  /// `nil` for a process that was not started with the shim.
  let arena: ArenaReader?
  let target: any Target
  /// "live", "arena" or "core".
  let source: String

  func report(
    _ examination: Examination, stacks: ReportBuilder.Stacks, condition: String, historyLimit: Int = 0,
    profileLimit: Int = 0, detectedAfterMilliseconds: Double? = nil
  ) -> Report {
    let begin = Instant.now
    let snapshot = snapshot(examination, stacks)
    let builder = ReportBuilder(
      arena: arena, target: target, examination: examination,
      process: process(condition), source: source, snapshot: snapshot)
    var report = builder.report(stacks: stacks, historyLimit: historyLimit, profileLimit: profileLimit)
    for index in report.findings.indices {
      report.findings[index].summary = Summary.sentence(for: report.findings[index], in: report)
    }
    report.signature = Signature.of(report)
    report.timing["stacks"] = Instant.now.seconds(since: begin) * 1000
    // Holders may have been looked for on a stopped process, more than once.
    if let live = target as? LiveTarget { report.timing["pause"] = live.takeStandstill() }
    if let detectedAfterMilliseconds { report.timing["detect"] = detectedAfterMilliseconds }
    target.symbols().symbolizer.save()
    return report
  }

  private func process(_ condition: String) -> ProcessReport {
    var recorded = arena.map { ProcessReport($0, condition: condition) }
    if let snapshot = (target as? SnapshotTarget)?.snapshot {
      var process = ProcessReport(snapshot, condition: condition)
      // The kernel counts the start in hundredths of a second; live or from a core, it is to be the same second.
      if let recorded { process.started = recorded.started }
      return process
    }
    // Its own number for itself is no use here where it lives in another pid namespace.
    if let live = target as? LiveTarget { recorded?.pid = live.process.pid }
    if let recorded { return recorded }
    return ProcessReport(pid: 0, command: "", executable: "", condition: condition)
  }

  /// Registers of threads that do not wait: only where a finding is about one, or all stacks were asked for. Proven
  /// deadlocks never stop the target.
  private func snapshot(_ examination: Examination, _ stacks: ReportBuilder.Stacks) -> Snapshot? {
    if let taken = target as? SnapshotTarget { return taken.snapshot }
    guard let live = target as? LiveTarget, live.process.isAlive else { return nil }
    var isNeeded = examination.diagnosis.findings.contains { finding in
      // Nobody recorded the registers of a thread that waits for what the kernel keeps.
      finding.kind == .longHold || (finding.kind == .missedHeartbeat && finding.edges.isEmpty)
        || finding.edges.contains { $0.type.isKernelObject || examination.unrecorded?.contains($0.waiter) ?? false }
    }
    if case .all = stacks { isNeeded = true }
    return isNeeded ? live.snapshot() : nil
  }
}
