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
    let groups = Self.grouped(history.prefix(Self.limit))
    let ages = groups.map {
      $0.newest.beganSecondsAgo == 0 ? "just now" : Elapsed.words($0.newest.beganSecondsAgo) + " ago"
    }
    // Ages differ in length ("3.2 s", "1 min 30 s"); names in one column can be skimmed.
    let width = (ages.map(\.count).max() ?? 0) + 2
    for (group, age) in zip(groups, ages) {
      let padding = String(repeating: " ", count: width - age.count)
      let before = group.count == 1 ? [] : [Span(", and so \(Wording.count(group.count - 1, "time")) before", .dim)]
      page.line([Span(age + padding, .dim)] + spans(group.newest) + before, first: [Span("  ")], rest: [Span("      ")])
    }
    if history.count > Self.limit {
      page.line([Span("… \(history.count - Self.limit) more in the JSON report", .dim)], first: [Span("  ")])
    }
  }

  /// What a thread did again and again in one place is said once, with the newest time's figures.
  private static func grouped(_ history: ArraySlice<HistoryEntry>) -> [(newest: HistoryEntry, count: Int)] {
    history.reduce(into: []) { groups, entry in
      if let last = groups.last?.newest, last.outcome != .inProgress, last.thread == entry.thread,
        last.lock == entry.lock, last.outcome == entry.outcome, last.mode == entry.mode, last.site == entry.site
      {
        groups[groups.count - 1].count += 1
      } else {
        groups.append((entry, 1))
      }
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
    // A thread's end is no lock, and stands in no list of them.
    if entry.type == .join { return "a thread to end" }
    return index.lockID(at: entry.lock).map(index.lockInBrief) ?? "\(entry.type.rawValue) \(entry.lock)"
  }
}
