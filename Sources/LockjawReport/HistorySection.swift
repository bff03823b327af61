import LockjawModel

/// The last contended waits before the report, newest first: what led there.
///
/// For a process that is dead this is the only film there is; the rings overwrite the oldest, so it may begin late.
struct HistorySection {
  let index: ReportIndex
  static let limit = 20

  func draw(on page: inout Page) {
    let history = index.report.history
    guard !history.isEmpty else { return }
    page.heading("The last contended waits, newest first")
    let ages = history.prefix(Self.limit).map { Elapsed.words($0.beganSecondsAgo) + " ago" }
    // Ages differ in length ("3.2 s", "1 min 30 s"); names in one column can be skimmed.
    let width = (ages.map(\.count).max() ?? 0) + 2
    for (entry, age) in zip(history, ages) {
      let padding = String(repeating: " ", count: width - age.count)
      page.line([Span(age + padding, .dim)] + spans(entry), first: [Span("  ")], rest: [Span("      ")])
    }
    if history.count > Self.limit {
      page.line([Span("… \(history.count - Self.limit) more in the JSON report", .dim)], first: [Span("  ")])
    }
  }

  private func spans(_ entry: HistoryEntry) -> [Span] {
    var spans = [
      Span(ReportIndex.name(entry.thread, entry.threadName), .thread),
      Span(" \(outcome(entry)) "), Span(lock(entry), .lock),
    ]
    if let site = entry.site { spans += [Span(" in ", .dim)] + ReportIndex.spans(site) }
    return spans
  }

  /// What became of the wait, up to the word before the lock's name.
  private func outcome(_ entry: HistoryEntry) -> String {
    let span = Elapsed.words(entry.durationSeconds)
    let purpose = entry.mode == .read ? " to read" : entry.mode == .write ? " to write" : " for"
    return switch entry.outcome {
    case .inProgress: "still waits" + purpose
    case .acquired: "waited \(span)\(purpose)"
    case .timeout: "gave up at its deadline after \(span), waiting\(purpose)"
    case .interrupted: "was interrupted after \(span), waiting\(purpose)"
    case .refusedAsDeadlock: "was refused with EDEADLK, wanting" + (purpose == " for" ? "" : purpose)
    case .error: "got an error after \(span), waiting\(purpose)"
    case .cancelled: "left the wait after \(span) by cancellation, waiting\(purpose)"
    case .ownerDied: "waited \(span)\(purpose) what a dead owner left,"
    }
  }

  /// By its short name where the report's findings are about it, else by address.
  private func lock(_ entry: HistoryEntry) -> String {
    index.lockID(at: entry.lock).map(index.lockInBrief) ?? "\(entry.type.rawValue) \(entry.lock)"
  }
}
