import LockjawModel

/// The verdict in one sentence that names threads, locks and functions: the top line of a report.
package enum Summary {
  /// The sentence for one finding; pure, from the model alone. Fill `Finding.summary` with it.
  ///
  /// Threads are named in full at their first mention (`4711 "alice"`) and briefly after it. Safe to print: what
  /// came from the target has been through `Printable.escaped`.
  package static func sentence(for finding: Finding, in report: Report) -> String {
    let sentence = FindingSentence(finding: finding, index: ReportIndex(report))
    return Printable.escaped(heading(finding.kind, finding.certainty) + ": " + sentence.text)
  }

  /// The sentence for the whole report: that of its most serious finding, or of its verdict where there is none.
  package static func headline(of report: Report) -> String {
    if let finding = report.findingsBySeverity.first {
      return finding.summary.isEmpty ? sentence(for: finding, in: report) : finding.summary
    }
    // Nobody may read "healthy" of a process that was not looked at.
    if report.source == "none" {
      return "NOT WATCHED: process \(report.process.pid) was not seen, so nothing is known about its locks."
    }
    let threads = Wording.threads(report.threads.count)
    let waiting = report.threads.filter { $0.waitsFor != nil }.count
    let title = Wording.title(report.verdict)
    switch report.verdict {
    case .healthy where report.threads.isEmpty:
      return "\(title): no hang was found."
    case .healthy:
      return
        "\(title): no hang found in \(threads); \(waiting == 0 ? "none waits" : "\(waiting) wait\(waiting == 1 ? "s" : "")") for a lock."
    case .idle: return "\(title): \(threads) asleep, and none is known to wait for a lock that another holds."
    case .hangUnknown: return "\(title): \(threads), and nothing in the report says what stops them."
    default: return "\(title): the report names no threads or locks."
    }
  }

  static func heading(_ kind: FindingKind, _ certainty: Certainty) -> String {
    Wording.title(kind) + (Wording.isClaim(kind) ? " (\(certainty.rawValue))" : "")
  }
}

extension Report {
  /// Findings of the report's own verdict first, then by kind, then by certainty; otherwise in their order.
  package var findingsBySeverity: [Finding] {
    func rank(_ finding: Finding) -> (Int, Int, Int) {
      let certainty = [Certainty.proven, .inferred, .suspect].firstIndex(of: finding.certainty) ?? 0
      return (finding.kind == verdict ? 0 : 1, finding.kind.severity, certainty)
    }
    return findings.enumerated()
      .sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }
      .map(\.element)
  }
}

private func < (a: ((Int, Int, Int), Int), b: ((Int, Int, Int), Int)) -> Bool {
  a.0 == b.0 ? a.1 < b.1 : a.0 < b.0
}
