import LockjawModel

/// A report on one line: for the moment of detection, a log, and the rows of `lockjaw list`.
package enum OneLine {
  /// `4700 bank: DEADLOCK (proven): threads … [LJ1-…]`, without a line break, safe for a terminal and never cut:
  /// whoever greps for a thread's name must find it.
  package static func render(_ report: Report, style: TextStyle = .plain) -> String {
    let process = report.process
    let name = process.executable.isEmpty ? process.command : ReportIndex.baseName(process.executable)
    let others = report.findings.count - 1
    let spans = [
      Span("\(process.pid) \(Printable.shortened(name, to: 40)): "),
      Span(Summary.headline(of: report), Wording.role(report.verdict)),
      Span(others > 0 ? " (+ \(Wording.count(others, "more finding"))" + ")" : "", .dim),
      Span(report.verdict.isHang && !report.signature.isEmpty ? " [\(report.signature)]" : "", .dim),
    ]
    return spans.map { style.paint($0.text, as: $0.role) }.joined()
  }
}
