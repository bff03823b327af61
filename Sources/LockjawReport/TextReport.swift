import LockjawModel

/// The report for people: verdict, cycle, evidence, stacks, what to do next, history, diagnostics; in that order,
/// because its reader may be tired, on call, and look at the first screen only.
///
/// What is cut for length says how much was cut and that the JSON report has it. Nothing is cut from the cycle of two
/// or three threads that nearly every deadlock is.
package enum TextReport {
  /// At most `width` columns, unless a single path or name is longer. The same characters in every style.
  package static func render(
    _ report: Report, style: TextStyle = .plain, width: Int = 100, source: @escaping SourceReader = { _, _ in nil }
  ) -> String {
    let index = ReportIndex(report)
    let findings = report.findingsBySeverity
    var page = Page(style: style, width: max(40, width))
    header(report, findings, on: &page)
    for (position, finding) in findings.enumerated() {
      if findings.count > 1 {
        let title = Summary.heading(finding.kind, finding.certainty)
        page.heading("━━ Finding \(position + 1) of \(findings.count): \(title) ━━")
      }
      FindingSection(finding: finding, index: index, source: source).draw(on: &page)
    }
    otherThreads(index, findings, on: &page)
    nextSteps(index, findings, on: &page)
    FlightSection(index: index, findings: findings).draw(on: &page)
    HistorySection(index: index).draw(on: &page)
    if let profile = report.profile { ProfileText(profile: profile).draw(on: &page) }
    footer(report, on: &page)
    return page.text
  }

  private static func summary(_ finding: Finding, in report: Report) -> [Span] {
    let text = finding.summary.isEmpty ? Summary.sentence(for: finding, in: report) : finding.summary
    return [Span(text, Wording.role(finding.kind))]
  }

  static let alsoLimit = 5

  /// Verdict, process, and the verdicts of further findings: the screen's first lines are all that some will read.
  private static func header(_ report: Report, _ findings: [Finding], on page: inout Page) {
    page.line([Span(Summary.headline(of: report), Wording.role(findings.first?.kind ?? report.verdict))])
    let process = report.process
    let command = process.command.isEmpty ? process.executable : process.command
    var words = [Span("process \(process.pid) "), Span(Printable.shortened(command, to: 200), .function)]
    words.append(Span(process.condition.isEmpty ? "" : ", \(process.condition)"))
    // "live" is the usual case; of a dead process the reader must know that nothing here is of now.
    if !["", "live", "none"].contains(report.source) { words.append(Span(", read from its \(report.source)")) }
    if !process.started.isEmpty { words.append(Span(", started \(process.started)")) }
    if report.verdict.isHang, !report.signature.isEmpty { words.append(Span(", signature \(report.signature)")) }
    page.line(words, rest: [Span("  ")])
    for other in report.processes {
      let command = other.command.isEmpty ? other.executable : other.command
      page.line(
        [
          Span("process \(other.pid) "), Span(Printable.shortened(command, to: 200), .function),
          Span(", \(other.condition)"),
        ],
        first: [Span("and ", .dim)], rest: [Span("  ")])
    }
    for finding in findings.dropFirst().prefix(alsoLimit) {
      page.line(summary(finding, in: report), first: [Span("also: ", .dim)])
    }
    if findings.count > alsoLimit + 1 {
      page.line([Span("also: \(findings.count - alsoLimit - 1) more findings, below", .dim)])
    }
  }

  /// Threads no finding has shown. A short report gives them one line a group.
  private static func otherThreads(_ index: ReportIndex, _ findings: [Finding], on page: inout Page) {
    let shown = Set(findings.flatMap(\.involved))
    let others = index.report.threads.filter { !shown.contains($0.tid) }
    guard !others.isEmpty else { return }
    page.heading(shown.isEmpty ? "Threads" : "Other threads (\(others.count)), by stack")
    let isBrief = !(findings.first?.kind ?? index.report.verdict).needsStacks
    StackText(index: index).drawGroups(of: others, brief: isBrief, on: &page)
  }

  /// After the stacks, near the end: where the eye is when a report has scrolled by. A step that two findings share
  /// is said once.
  private static func nextSteps(_ index: ReportIndex, _ findings: [Finding], on page: inout Page) {
    var said: Set<String> = []
    for (position, finding) in findings.enumerated() {
      let steps = Advice(finding: finding, index: index).steps.filter { said.insert($0).inserted }
      guard !steps.isEmpty else { continue }
      page.heading("What to do next" + (findings.count > 1 ? " about finding \(position + 1)" : ""))
      for (number, step) in steps.enumerated() {
        page.line(Span.sentence(step), first: [Span("  \(number + 1). ")])
      }
    }
  }

  static let diagnosticLimit = 40

  /// What the report could not know belongs to it: who trusts a verdict must see what it was made without.
  private static func footer(_ report: Report, on page: inout Page) {
    let losses = Losses.sentences(report.losses)
    if !report.diagnostics.isEmpty || !losses.isEmpty {
      page.heading("Diagnostics: what could not be known, and why")
      let sentences = report.diagnostics + losses
      for sentence in sentences.prefix(diagnosticLimit) { page.line(Span.sentence(sentence), first: [Span("  - ")]) }
      if sentences.count > diagnosticLimit {
        page.line([Span("… \(sentences.count - diagnosticLimit) more in the JSON report", .dim)], first: [Span("  ")])
      }
    }
    if let timing = timing(report) {
      page.blank()
      page.line([Span(timing, .dim)])
    }
  }

  /// `Took: detect 2.1 ms, stacks 3 ms, symbols 40 ms. The process was not stopped.`
  private static func timing(_ report: Report) -> String? {
    let order = ["detect", "confirm", "snapshot", "stacks", "symbols"]
    func rank(_ step: String) -> Int { order.firstIndex(of: step) ?? order.count }
    let steps = report.timing.filter { $0.key != "pause" && $0.value.isFinite }
      .sorted { (rank($0.key), $0.key) < (rank($1.key), $1.key) }
      .map { "\($0.key) \(Elapsed.words($0.value / 1e3))" }
    var sentences = steps.isEmpty ? [] : ["Took: " + steps.joined(separator: ", ") + "."]
    if let pause = report.timing["pause"], pause.isFinite {
      sentences.append(
        pause > 0 ? "The process stood still for \(Elapsed.words(pause / 1e3))." : "The process was not stopped.")
    }
    return sentences.isEmpty ? nil : sentences.joined(separator: " ")
  }
}

extension FindingKind {
  /// Whether whole stacks help. Without a hang a line a thread is enough.
  var needsStacks: Bool { self != .healthy && self != .idle && self != .contention }
}
