/// Holds a report against a sample's own statement.
struct Comparison {
  var truth: Truth
  /// The sample's source, as a frame's file ends.
  var fileName: String
  /// Somebody recorded where locks were taken.
  var acquiresAreRecorded = true

  /// Every way in which `report` differs from the truth, as sentences. Empty: it says what the source says.
  func mismatches(in report: ReportDocument) -> [String] {
    var found: [String] = []
    if report.schema != "lockjaw.report/1" { found.append("the schema is \(report.schema)") }
    if !truth.verdicts.isEmpty && !truth.verdicts.contains(report.verdict) {
      found.append("the verdict is \(report.verdict), not \(list(truth.verdicts))")
    }
    found += falseAccusations(in: report)
    guard !truth.waits.isEmpty else { return found }
    let matching = report.findings.filter { truth.verdicts.contains($0.kind) }
    guard let finding = matching.first, matching.count == 1 else {
      let kinds = report.findings.map(\.kind)
      return found + ["\(matching.count) findings are \(list(truth.verdicts)), not 1; all findings: \(kinds)"]
    }
    return found + mismatches(of: finding, in: report)
  }

  /// Findings that claim a hang the source does not state. What is only suspected is no claim.
  private func falseAccusations(in report: ReportDocument) -> [String] {
    guard !truth.verdicts.isEmpty else { return [] }
    return report.findings.compactMap { finding in
      let isClaim = ReportDocument.hangs.contains(finding.kind) && finding.certainty != "suspect"
      guard isClaim, !truth.verdicts.contains(finding.kind) else { return nil }
      return "a false accusation: \(finding.certainty) \(finding.kind): \(finding.summary)"
    }
  }

  private func mismatches(of finding: ReportDocument.Finding, in report: ReportDocument) -> [String] {
    var found: [String] = []
    if !truth.certainties.isEmpty && !truth.certainties.contains(finding.certainty) {
      found.append("the certainty is \(finding.certainty), not \(list(truth.certainties))")
    }
    if (report.processes ?? []).count != truth.processCount - 1 {
      found.append(
        "the report leads to \((report.processes ?? []).count) other processes, not \(truth.processCount - 1)")
    }
    if finding.summary.isEmpty { found.append("the finding has no summary") }
    if finding.edges.count != truth.waits.count {
      found.append("the finding has \(finding.edges.count) edges, not \(truth.waits.count)")
    }
    if truth.bystanderCount != nil {
      let names = Set(finding.bystanders.map(report.name(of:)))
      let stated = Set(truth.bystanders.map(\.thread))
      if names != stated || finding.bystanders.count != stated.count {
        found.append("the bystanders are \(list(names)), not \(list(stated))")
      }
    }
    for wait in truth.waits {
      let edges = finding.edges.filter { report.name(of: $0.waiter) == wait.thread }
      if let edge = edges.first, edges.count == 1 {
        found += mismatches(
          of: edge, with: wait, in: report,
          isHolderOwed: !["hang-unknown", "livelock", "lost-wakeup"].contains(finding.kind))
      } else {
        found.append("\(edges.count) edges have \(wait.thread) as the waiter, not 1")
      }
    }
    return found
  }

  /// - Parameter isHolderOwed: whether the verdict claims to know who holds the lock.
  private func mismatches(
    of edge: ReportDocument.Edge, with wait: Truth.Wait, in report: ReportDocument, isHolderOwed: Bool
  ) -> [String] {
    var found: [String] = []
    let who = wait.thread
    if !report.locks.contains(where: { $0.id == edge.lock }) {
      found.append("\(who) waits for \(edge.lock), which the report does not describe")
    }
    if let mode = wait.mode, isHolderOwed, edge.mode != mode {
      found.append("\(who) waits for \(edge.mode), not for \(mode)")
    }
    let holders = edge.holders.map(report.name(of:))
    let stated = truth.holders(for: wait)
    // A reader that wants to write is in its own way too; whether an edge lists it among the others is left open.
    let owed = stated.count > 1 ? stated.subtracting([who]) : stated
    if !Set(holders).isSubset(of: stated) || (isHolderOwed && !owed.isSubset(of: holders)) {
      found.append("\(who) waits for \(list(holders)), not for \(list(stated))")
    }
    guard truth.hasNativeLines else { return found }
    found += mismatch(of: edge.waitsAt, line: wait.line, what: "\(who) waits at").map { [$0] } ?? []
    // An inlined acquire is nobody's record: who holds the lock is told by the frames, where it was taken is not.
    let isFoundByFrames = ["landing-pad", "forward-run"].contains(edge.holderEvidence)
    if isFoundByFrames, edge.heldIn?.fileName != fileName {
      found.append("\(list(holders)) holds it in \(edge.heldIn?.function ?? "nowhere"), which is not in \(fileName)")
    }
    if isFoundByFrames, let holder = holders.first, let release = truth.release(by: holder, of: wait) {
      found += mismatch(of: edge.releasedAt, line: release.line, what: "\(holder) releases it").map { [$0] } ?? []
      if edge.guardType != release.guardType {
        found.append("\(holder)'s guard is a \(edge.guardType ?? "type without a name"), not a \(release.guardType)")
      }
    }
    // A guard that has a name is declared where the lock is taken.
    if let variable = edge.guard, let holder = holders.first, let line = truth.line(where: holder, acquiredFor: wait),
      variable.fileName != fileName || variable.line != line
    {
      found.append("\(holder)'s guard \(variable.name) is not declared at \(fileName):\(line)")
    }
    // The kernel says which process has a file lock, not where that took it; nor is it seen where the C library takes its own locks.
    let isOfCLibrary = report.locks.contains { $0.id == edge.lock && $0.library == "glibc (internal)" }
    if acquiresAreRecorded, isHolderOwed, !isFoundByFrames, edge.holderEvidence != "kernel", !isOfCLibrary,
      let holder = holders.first,
      let line = truth.line(where: holder, acquiredFor: wait)
    {
      found += mismatch(of: edge.heldSinceAt, line: line, what: "\(holder) holds since").map { [$0] } ?? []
    }
    return found
  }

  private func mismatch(of frame: ReportDocument.Frame?, line: Int, what: String) -> String? {
    guard let frame else { return "\(what): nowhere, not \(fileName):\(line)" }
    if frame.fileName == fileName && frame.line == line && frame.function?.isEmpty == false { return nil }
    let place = "\(frame.fileName ?? "?"):\(frame.line.map(String.init) ?? "?")"
    return "\(what) \(place) in \(frame.function ?? "?"), not \(fileName):\(line)"
  }

  private func list(_ names: some Collection<String>) -> String {
    names.isEmpty ? "nobody" : names.sorted().joined(separator: ", ")
  }
}
