import LockjawModel

/// The last operations of the threads that matter, newest first: what level `all` is for.
struct FlightSection {
  let index: ReportIndex
  let findings: [Finding]
  /// Threads shown where no finding says which matter.
  static let threadLimit = 8

  func draw(on page: inout Page) {
    let threads = shown
    guard !threads.isEmpty else { return }
    page.heading("The last operations of \(findings.isEmpty ? "these threads" : "the threads involved"), newest first")
    for thread in threads {
      guard let record = thread.flightRecord else { continue }
      page.line([Span(ReportIndex.name(thread.tid, thread.name), .thread)], first: [Span("  ")])
      let ages = record.operations.map { $0.secondsAgo.isFinite ? Elapsed.words($0.secondsAgo) + " ago" : "untimed" }
      let width = (ages.map(\.count).max() ?? 0) + 2
      for (operation, age) in zip(record.operations, ages) {
        let padding = String(repeating: " ", count: width - age.count)
        page.line([Span(age + padding, .dim)] + spans(operation), first: [Span("    ")], rest: [Span("        ")])
      }
      if let rest = rest(record) { page.line([Span(rest, .dim)], first: [Span("    ")]) }
    }
  }

  /// Those of the findings; without one, those that did something last.
  private var shown: [ThreadReport] {
    let recorded = index.report.threads.filter { $0.flightRecord.map { !$0.operations.isEmpty } ?? false }
    if !findings.isEmpty {
      let involved = Set(findings.flatMap(\.involved))
      return Array(recorded.filter { involved.contains($0.tid) }.prefix(FindingSection.stackLimit))
    }
    func age(_ thread: ThreadReport) -> Double {
      let seconds = thread.flightRecord?.operations.first?.secondsAgo ?? .infinity
      return seconds.isNaN ? .infinity : seconds
    }
    return Array(
      recorded.enumerated().sorted { (age($0.element), $0.offset) < (age($1.element), $1.offset) }.map(\.element)
        .prefix(Self.threadLimit))
  }

  /// What is not shown, and where it is.
  private func rest(_ record: FlightRecord) -> String? {
    var parts: [String] = []
    if record.olderInRing > 0 { parts.append("\(record.olderInRing) older in its ring (--history COUNT)") }
    if record.lost > 0 { parts.append("\(record.lost) before those lost: its ring holds no more (--ring COUNT)") }
    return parts.isEmpty ? nil : "… " + parts.joined(separator: ", ")
  }

  private func spans(_ operation: OperationEntry) -> [Span] {
    let lock = index.lockID(at: operation.lock).map(index.lockInBrief) ?? "\(operation.type.rawValue) \(operation.lock)"
    var spans = [Span(verb(operation) + " "), Span(lock, .lock)]
    if operation.kind == .acquire, operation.isContended { spans.append(Span(" after a wait", .dim)) }
    if let outcome = operation.outcome, outcome != .acquired { spans.append(Span(": \(outcome.rawValue)")) }
    if let site = operation.site { spans += [Span(" in ", .dim)] + ReportIndex.spans(site) }
    return spans
  }

  private func verb(_ operation: OperationEntry) -> String {
    let mode = operation.mode == .read ? " to read" : operation.mode == .write ? " to write" : ""
    return switch operation.kind {
    case .acquire: "acquired\(mode)"
    case .release: "released"
    case .releaseFailed: "failed to release"
    case .tryFailed: "tried in vain\(mode)"
    case .waitBegin: "began to wait\(mode) for"
    case .waitEnd: "ended its wait\(mode) for"
    case .signal: "signalled"
    case .broadcast: "woke all of"
    case .initialise: "initialised"
    case .destroy: "destroyed"
    }
  }
}
