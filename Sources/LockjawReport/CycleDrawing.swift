import LockjawModel

/// Draws who waits for whom: a cycle as a loop of threads, anything else as waiters below what they wait for.
///
/// Lines and arrows are drawn with box characters and mean the same without colour. In a cycle every thread shows
/// what it holds before what it waits for: the order in which its code ran.
struct CycleDrawing {
  let finding: Finding
  let index: ReportIndex
  let source: SourceReader
  private let writers: WaitingWriters
  /// Below the last waiter of a star no line runs down.
  private var isAtEnd = false

  init(finding: Finding, index: ReportIndex, source: @escaping SourceReader) {
    self.finding = finding
    self.index = index
    self.source = source
    writers = WaitingWriters(finding, index)
  }

  /// More nodes than this are cut from a cycle's middle; a screen holds about eight.
  static let cycleLimit = 24
  static let waitersPerLock = 6

  func draw(on page: inout Page) {
    switch finding.shape {
    case .cycle:
      drawCycle(on: &page)
      drawLegend(on: &page)
    case .star: drawStars(on: &page)
    }
  }

  // MARK: - Cycle

  /// A node a thread, an arrow a lock; the last line leads back to the first.
  private func drawCycle(on page: inout Page) {
    let edges = finding.edges
    for (position, edge) in edges.enumerated() {
      if edges.count > Self.cycleLimit, position >= Self.cycleLimit / 2, position < edges.count - Self.cycleLimit / 2 {
        if position == Self.cycleLimit / 2 {
          page.line([Span("… \(edges.count - Self.cycleLimit) more threads of the cycle …", .dim)], first: side)
          page.line([], first: side)
        }
        continue
      }
      let previous = edges[(position + edges.count - 1) % edges.count]
      let next = edges[(position + 1) % edges.count]
      page.line(
        nodeTitle(edge, holding: previous), first: [Span(position == 0 ? "  ╭─▶ " : "  ├─▶ ", .dim)], rest: bodySide)
      drawHold(previous, by: edge.waiter, on: &page)
      drawWait(edge, on: &page)
      let isLast = position == edges.count - 1
      page.line(
        handOver(edge, to: next.waiter, closes: isLast),
        first: [Span(isLast ? "  ╰──── " : "  │    ▼ ", .dim)], rest: isLast ? blankSide : bodySide)
    }
  }

  /// `4711 "alice" holds L1 and waits for L2`.
  private func nodeTitle(_ edge: Edge, holding previous: Edge) -> [Span] {
    let wait = Wording.waits(edge, lock: edge.lock, index: index)
    var words = wait
    if holds(edge.waiter, previous) {
      let mode = previous.holders.first == edge.waiter ? previous.heldMode : nil
      words = Wording.holds(previous.lock, mode: mode) + " and " + wait
    }
    return [Span(index.name(edge.waiter), .thread), Span(" " + words)]
  }

  /// Where `thread` got the lock that the edge before it waits for.
  private func drawHold(_ edge: Edge, by thread: ThreadID, on page: inout Page) {
    guard holds(thread, edge) else { return }
    guard edge.holders.first == thread else {
      // The model knows the acquire site of the first holder only.
      labelled("holds since", [Span("not known: one of \(edge.holders.count) holders", .dim)], on: &page)
      return
    }
    drawHoldFrames(edge, on: &page)
  }

  /// `held_in` and `released_at` are known where the holder's own frames were asked, the guard where debug information
  /// describes it; each is shown once.
  private func drawHoldFrames(_ edge: Edge, on page: inout Page) {
    let unknown = Span("a place that is not known", .dim)
    labelled("holds since", edge.heldSinceAt.map { ReportIndex.spans($0) } ?? [unknown], on: &page)
    quote(edge.heldSinceAt, on: &page)
    if let frame = edge.heldIn, frame != edge.heldSinceAt {
      labelled("held in", ReportIndex.spans(frame), on: &page)
    }
    if let variable = edge.guardVariable {
      let place = variable.fileName.map { " declared at " + $0 + (variable.line.map { ":\($0)" } ?? "") } ?? ""
      labelled("guard", [Span(variable.name, .function, whole: true), Span(place)], on: &page)
    }
    if let frame = edge.releasedAt {
      let type = edge.guardType.map { [Span(", where its "), Span($0, .function, whole: true), Span(" ends")] }
      labelled("released at", ReportIndex.spans(frame) + (type ?? []), on: &page)
      quote(frame, on: &page)
    }
  }

  private func drawWait(_ edge: Edge, on page: inout Page) {
    let unknown = Span("a place that is not known", .dim)
    let frame = edge.waitsAt.map { ReportIndex.spans($0) } ?? [unknown]
    // A wait that nobody dated is no wait of 0 s.
    let elapsed =
      edge.waitingForSeconds == 0 ? nil : Span("for " + Elapsed.words(edge.waitingForSeconds), .dim, whole: true)
    labelled("waits at", frame + (elapsed.map { [Span("  "), $0] } ?? []), on: &page)
    quote(edge.waitsAt, on: &page)
  }

  /// The words on the arrow from one thread to the next. `closes`: it leads back to the first, which is out of sight
  /// by then and named again.
  private func handOver(_ edge: Edge, to holder: ThreadID, closes: Bool) -> [Span] {
    let others = edge.holders.filter { $0 != holder }
    var spans: [Span]
    if index.awaitsEnd(edge) {
      spans = closes ? [Span(index.name(holder), .thread), Span(" has not ended")] : [Span("which has not ended")]
    } else if writers.contains(holder, of: edge) {
      spans = [Span(edge.lock, .lock), Span(" lets a waiting writer go first:")]
      if closes { spans += [Span(" "), Span(index.name(holder), .thread)] }
    } else {
      let isEnd = [.pipe, .socket].contains(index.lockType(of: edge))
      spans = [Span(edge.lock, .lock), Span(isEnd ? " has its other end in" : " is held by")]
      if closes { spans += [Span(" "), Span(index.name(holder), .thread)] }
    }
    if !others.isEmpty {
      spans.append(Span(" (and by \(index.names(others, limit: 4)))"))
    }
    if closes { spans.append(Span(finding.edges.count == 1 ? ": it waits for itself" : ": the cycle is closed")) }
    return spans
  }

  // MARK: - Waiters around a lock

  private func drawStars(on page: inout Page) {
    let locks = finding.lockIDs
    for (position, lock) in locks.prefix(Self.cycleLimit).enumerated() {
      if position > 0 { page.blank() }
      drawStar(lock, finding.edges.filter { $0.lock == lock }, on: &page)
    }
    if locks.count > Self.cycleLimit {
      page.line([Span("… \(locks.count - Self.cycleLimit) more locks in the JSON report", .dim)], first: [Span("  ")])
    }
  }

  /// One lock, who has it, and under it those who wait: alike but for their number, so the first few stand for all.
  private func drawStar(_ lock: String, _ edges: [Edge], on page: inout Page) {
    guard let first = edges.first else { return }
    page.line(lockSpans(lock), first: [Span("  ")], rest: bodySide)
    if index.isJoin(first) {
      labelled("join of", first.holders.isEmpty ? [Span("an unknown thread")] : holderSpans(first.holders), on: &page)
    } else if first.holders.isEmpty {
      labelled("held by", [Span(nobody(first), .dim)], on: &page)
    } else {
      let mode = first.heldMode.map { $0 == .read ? ", for reading" : $0 == .write ? ", for writing" : "" } ?? ""
      labelled("held by", holderSpans(first.holders) + [Span(mode)], on: &page)
      drawHoldFrames(first, on: &page)
    }
    let shown = edges.prefix(Self.waitersPerLock)
    let hidden = edges.count - shown.count
    for (position, edge) in shown.enumerated() {
      let isLast = hidden == 0 && position == shown.count - 1
      let words = Wording.waits(edge, lock: edge.lock, index: index)
      page.line(
        [Span(index.name(edge.waiter), .thread), Span(" " + words)], first: [Span(isLast ? "  ╰── " : "  ├── ", .dim)],
        rest: isLast ? blankSide : bodySide)
      var part = self
      part.isAtEnd = isLast
      part.drawWait(edge, on: &page)
    }
    if hidden > 0 {
      page.line([Span("\(hidden) more wait for \(lock)")], first: [Span("  ╰── ", .dim)])
    }
  }

  /// Of an edge without a holder: that there is none can be all there is to say.
  private func nobody(_ edge: Edge) -> String {
    switch finding.kind {
    case .lostWakeup: "nobody: it is free"
    case .phantomLock: finding.certainty == .suspect ? "nobody that could be found" : "nobody"
    case .livelock: "nobody for long"
    // What a plain futex is for, nobody can say: it may be a lock.
    default:
      switch index.lockType(of: edge) {
      case .condition, .barrier: "nobody: anyone can end such a wait"
      default: "not known"
      }
    }
  }

  /// Holders, and of a single one what it does: "ended" or "asleep in read" is half the explanation.
  private func holderSpans(_ holders: [ThreadID]) -> [Span] {
    let gone = holders.count == 1 ? index.thread(holders[0])?.state : nil
    return [Span(index.names(holders, limit: 4), .thread)]
      + (gone.map { $0.isEmpty ? [] : [Span(", which \(Printable.shortened(Predicate.words($0), to: 80))", .dim)] }
        ?? [])
  }

  // MARK: - Legend and details

  /// What L1, L2 … are, once, so that the drawing itself stays narrow.
  private func drawLegend(on page: inout Page) {
    let ids = finding.lockIDs.filter { index.lock($0) != nil && index.lock($0)?.type != .join }
      .sorted(by: ReportIndex.isOrdered)
    guard !ids.isEmpty else { return }
    page.blank()
    for id in ids.prefix(Self.cycleLimit) {
      page.line(lockSpans(id), first: [Span("  ")], rest: [Span("     ")])
    }
    if ids.count > Self.cycleLimit {
      page.line([Span("… \(ids.count - Self.cycleLimit) more locks in the JSON report", .dim)], first: [Span("  ")])
    }
  }

  /// `L1 mutex 0x55d0… "bank_mutex": locked, owner 4711; initialised in main() (bank.c:80)`.
  private func lockSpans(_ id: String) -> [Span] {
    var spans = [Span(index.lockInFull(id), .lock)]
    guard let lock = index.lock(id) else { return spans }
    if !lock.state.isEmpty { spans.append(Span(": \(lock.state)")) }
    if let frame = lock.initialisedAt { spans.append(Span("; initialised" + ReportIndex.place(frame))) }
    return spans
  }

  /// A pending writer and a joined thread stand in the way without holding anything.
  private func holds(_ thread: ThreadID, _ edge: Edge) -> Bool {
    !index.awaitsEnd(edge) && ![.pipe, .socket].contains(index.lockType(of: edge))
      && !writers.contains(thread, of: edge)
  }

  // MARK: - Lines

  // The cycle's left edge: alone, before a body line, and what takes its place below the end.
  private var side: [Span] { [Span("  │   ", .dim)] }
  private var blankSide: [Span] { [Span("        ")] }
  private var bodySide: [Span] { isAtEnd ? blankSide : [Span("  │     ", .dim)] }

  private static let labelWidth = 13

  /// `holds since  transfer() at …`, the continuation below the value.
  private func labelled(_ label: String, _ spans: [Span], on page: inout Page) {
    let padding = String(repeating: " ", count: max(1, Self.labelWidth - label.count))
    let indent = [Span(String(repeating: " ", count: Self.labelWidth))]
    page.line(spans, first: bodySide + [Span(label + padding, .dim)], rest: bodySide + indent)
  }

  /// The source line itself, where its file can be read.
  private func quote(_ frame: Frame?, on page: inout Page) {
    guard let file = frame?.file, let line = frame?.line, let text = source(file, line) else { return }
    let number = "\(line) │ "
    let indent = bodySide + [Span(String(repeating: " ", count: Self.labelWidth))]
    let trimmed = String(text.split(separator: "\t").joined(separator: " ").drop(while: { $0 == " " }))
    guard !trimmed.isEmpty else { return }
    // Cut, not wrapped: one line of source stays one line.
    let room = max(20, page.width - indent.width - number.count)
    let shown = trimmed.count > room ? String(trimmed.prefix(room - 1)) + "…" : trimmed
    page.line([Span(number, .dim, whole: true), Span(shown, .source, whole: true)], first: indent)
  }
}
