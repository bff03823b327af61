import LockjawModel

/// What was counted, for people: classes of locks by the time that was waited for them, each with its call sites.
struct ProfileText {
  let profile: Profile
  /// Call sites shown of one class; the JSON has more.
  static let siteLimit = 4

  func draw(on page: inout Page) {
    guard !profile.isEmpty else { return }
    draw(profile.locks, "Locks, by time waited", noun: "lock", operations: "acquisition", on: &page)
    draw(
      profile.signals, "Conditions, semaphores, barriers, joins and futexes, by time waited", noun: "object",
      operations: "operation", on: &page)
    for note in profile.notes { page.line(Span.sentence(note, .dim), first: [Span("  ")]) }
  }

  private func draw(
    _ section: ProfileSection, _ title: String, noun: String, operations: String, on page: inout Page
  ) {
    guard !section.isEmpty else { return }
    let all = section.tally
    page.heading(title)
    page.line(
      [Span("\(count(all.operations, operations)) of \(Wording.count(section.lockCount, noun)); \(waits(all))")],
      first: [Span("  ")])
    for (position, one) in section.classes.enumerated() {
      page.line(
        self.title(one), first: [Span("  \(position + 1). ")],
        rest: [Span("     ")])
      page.line([Span(facts(one, operations))], first: [Span("     ")], rest: [Span("       ")])
      for site in one.sites.prefix(Self.siteLimit) {
        page.line(spans(site, operations), first: [Span("       ")], rest: [Span("         ")])
      }
      let hidden = max(0, one.sites.count - Self.siteLimit) + one.omittedSites
      if hidden > 0 {
        page.line([Span("… \(Wording.count(hidden, "more call site"))", .dim)], first: [Span("       ")])
      }
    }
    if section.omittedClasses > 0 {
      page.line(
        [Span("… \(section.omittedClasses) more classes (--profile COUNT shows more)", .dim)], first: [Span("  ")])
    }
  }

  /// `mutex "accounts[0].lock" and "accounts[1].lock", first used in transfer() at bank.c:22`.
  private func title(_ one: LockClassProfile) -> [Span] {
    var spans = [Span(one.type.rawValue, .lock)]
    if !one.names.isEmpty {
      let names = one.names.map { "\"\(Printable.shortened(Printable.escaped($0), to: 48))\"" }
      let more = one.lockCount > names.count ? ["\(one.lockCount - names.count) more"] : []
      spans.append(Span(" " + ReportIndex.list(names + more)))
    } else if one.lockCount > 1 {
      spans.append(Span(" (\(one.lockCount) of them)"))
    }
    let origin =
      switch one.origin {
      case .initialised: "initialised"
      case .firstUsed: "first used"
      case .notToldApart: "locks not told apart, used"
      }
    guard let frame = one.at else { return spans + [Span(", \(origin) at a place that is not known", .dim)] }
    return spans + [Span(", \(origin) in ", .dim)] + ReportIndex.spans(frame)
  }

  private func facts(_ one: LockClassProfile, _ operations: String) -> String {
    let tally = one.tally
    var parts = [count(tally.operations, operations), waits(tally)]
    if tally.failures > 0 { parts.append("\(tally.failures) in vain") }
    if let hold = tally.estimatedHoldSeconds {
      parts.append(
        "held for about \(Elapsed.words(hold)) together, \(Elapsed.words(tally.longestHoldSeconds)) at most ("
          + "\(count(tally.timedHolds, "hold")) timed)")
    }
    return parts.joined(separator: "; ")
  }

  private func spans(_ site: SiteProfile, _ operations: String) -> [Span] {
    let mode = site.mode == .read ? " to read" : site.mode == .write ? " to write" : ""
    let place = site.at.map { [Span(" in ", .dim)] + ReportIndex.spans($0) } ?? [Span(" at an unknown place", .dim)]
    return [Span("\(count(site.tally.operations, operations))\(mode), \(waits(site.tally))")] + place
  }

  /// `12 waits of 3.2 s together, 0.9 s at most, 1 more goes on for 4 s`.
  private func waits(_ tally: LockTally) -> String {
    var text = "no wait"
    if tally.waits > 0 {
      text = count(tally.waits, "wait") + " of \(Elapsed.words(tally.waitSeconds))"
      if tally.waits > 1 { text += " together, \(Elapsed.words(tally.longestWaitSeconds)) at most" }
    }
    if tally.waitingNow > 0 {
      text += tally.waits > 0 ? ", " : " has ended, "
      text +=
        "\(tally.waitingNow) \(tally.waitingNow == 1 ? "goes" : "go") on, for \(Elapsed.words(tally.waitingNowSeconds))"
      if tally.waitingNow > 1 { text += " together" }
    }
    return text
  }

  private func count(_ number: UInt64, _ noun: String) -> String { number == 1 ? "1 \(noun)" : "\(number) \(noun)s" }
}
