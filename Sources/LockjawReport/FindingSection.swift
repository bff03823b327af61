import LockjawModel

/// One finding: the drawing, the facts, the stacks of those involved.
struct FindingSection {
  let finding: Finding
  let index: ReportIndex
  let source: SourceReader

  func draw(on page: inout Page) {
    if !finding.edges.isEmpty {
      page.blank()
      CycleDrawing(finding: finding, index: index, source: source).draw(on: &page)
    }
    page.blank()
    drawFacts(on: &page)
    if finding.kind.needsStacks, !finding.involved.isEmpty {
      page.heading("Stacks of the threads involved, innermost first")
      let shown = finding.involved.prefix(Self.stackLimit)
      StackText(index: index).draw(Array(shown), on: &page)
      if finding.involved.count > shown.count {
        page.blank()
        page.line(
          [Span("… \(finding.involved.count - shown.count) more threads, all of them in the JSON report", .dim)],
          first: [Span("  ")])
      }
    }
  }

  /// Stacks shown of one finding; cycles beyond it are rare, piles of waiters are not.
  static let stackLimit = 16

  /// How long, how sure and why, how the holder is known, who else is stuck.
  private func drawFacts(on page: inout Page) {
    if let longest = finding.longestWaitSeconds {
      fact(finding.kind.isHang ? "stuck for" : "longest wait", [Elapsed.words(longest)], on: &page)
    }
    if let beat = finding.heartbeat {
      fact(
        "last beat",
        [
          "\(Elapsed.words(beat.lastSecondsAgo)) ago, due every \(Elapsed.words(beat.withinSeconds)); it was number \(beat.count)."
        ],
        on: &page)
    }
    if Wording.isClaim(finding.kind) {
      fact("certainty", [Wording.explanation(finding.certainty, of: finding.kind)] + finding.evidence, on: &page)
    } else if !finding.evidence.isEmpty {
      fact("evidence", finding.evidence, on: &page)
    }
    if let sources = holderSources { fact("holder", [sources], on: &page) }
    if !finding.bystanders.isEmpty {
      let count = Wording.threads(finding.bystanders.count)
      let verb = finding.bystanders.count == 1 ? "waits" : "wait"
      fact(
        "bystanders", ["\(count) \(verb) behind it without being part of it: \(index.names(finding.bystanders))"],
        on: &page)
    }
  }

  /// How the holders are known, in plain words; a guess is called one.
  private var holderSources: String? {
    // A condition, barrier or plain futex has no holder that could be known or unknown.
    let edges = finding.edges.filter { index.lockType(of: $0)?.hasHolder ?? true }
    guard !edges.isEmpty, edges.contains(where: { !index.awaitsEnd($0) }) else { return nil }
    // That nobody has the lock is the finding itself.
    switch finding.kind {
    case .lostWakeup, .phantomLock, .livelock: if edges.allSatisfy(\.holders.isEmpty) { return nil }
    default: break
    }
    // Of a reader whom only waiting writers are in the way of, nothing is said of who has the lock.
    let writers = WaitingWriters(finding, index)
    let claimed = edges.filter { edge in edge.holders.contains { !writers.contains($0, of: edge) } }
    let known = StackText.unique(claimed.compactMap { Wording.source($0.evidence) })
    let hasGuess = edges.contains { $0.evidence == .stack && !$0.holders.isEmpty }
    let hasUnknown = edges.contains { $0.holders.isEmpty }
    var sentences: [String] = []
    if !known.isEmpty { sentences.append("known from \(ReportIndex.list(known)).") }
    if hasGuess {
      sentences.append("A thread with the lock's address on its stack is named: that is a hint, no claim.")
    }
    if hasUnknown { sentences.append(known.isEmpty && !hasGuess ? "unknown." : "Of some locks it is unknown.") }
    return sentences.isEmpty ? nil : sentences.joined(separator: " ")
  }

  /// A label once, its sentences below one another.
  private func fact(_ label: String, _ sentences: [String], on page: inout Page) {
    let width = 14
    for (position, sentence) in sentences.enumerated() {
      let label = position == 0 ? label : ""
      let padding = String(repeating: " ", count: max(1, width - label.count))
      page.line(Span.sentence(sentence), first: [Span("  "), Span(label + padding, .dim)])
    }
  }
}
