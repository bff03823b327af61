import LockjawModel

/// Threads' stacks: one after another for those that matter, in groups for the rest.
struct StackText {
  let index: ReportIndex

  /// Frames of the program shown from each end of a stack; the JSON has all of them.
  static let innermost = 32
  static let outermost = 6
  static let groupLimit = 24

  // MARK: - One thread

  /// In the given order; neighbours with the same stack share it.
  func draw(_ tids: [ThreadID], on page: inout Page) {
    for (position, tid) in tids.enumerated() {
      guard let thread = index.thread(tid) else {
        page.line([Span("\(tid)", .thread), Span("  not in this report", .dim)], first: [Span("  ")])
        page.blank()
        continue
      }
      page.line(title(of: thread), first: [Span("  ")])
      let next = position + 1 < tids.count ? index.thread(tids[position + 1]) : nil
      if let next, next.stack == thread.stack { continue }
      draw(thread.stack, on: &page)
      page.blank()
    }
  }

  private func title(of thread: ThreadReport) -> [Span] {
    var title = [Span(ReportIndex.name(thread.tid, thread.name), .thread)]
    if !thread.state.isEmpty { title.append(Span("  \(thread.state)")) }
    if !thread.holds.isEmpty {
      title.append(Span("  (holds \(ReportIndex.list(thread.holds, limit: 8)))", .dim))
    }
    if let crumb = thread.breadcrumb { title.append(Span("  works on \"\(Printable.shortened(crumb, to: 112))\"")) }
    return title
  }

  /// A stack without its plumbing; a deep one (runaway recursion) by its two ends.
  func draw(_ stack: [Frame], on page: inout Page) {
    if stack.isEmpty { page.line([Span("no stack is known", .dim)], first: [Span("    ")]) }
    let rows = Self.rows(of: stack)
    // Not cut for a single line: the note would take as much room.
    let isCut = rows.count > Self.innermost + Self.outermost + 1
    for (position, row) in rows.enumerated() {
      if isCut, position >= Self.innermost, position < rows.count - Self.outermost {
        if position == Self.innermost {
          let hidden = rows[position..<rows.count - Self.outermost].reduce(0) { $0 + $1.frames.count }
          page.line([Span("… \(hidden) more frames, all of them in the JSON report", .dim)], first: [Span("    ")])
        }
        continue
      }
      if row.isBeyondTables, position == 0 || !rows[position - 1].isBeyondTables {
        page.line([Span(Self.beyondTables, .dim)], first: [Span("    ")], rest: [Span("    ")])
      }
      page.line(row.spans, first: [Span("    ")], rest: [Span("      ")])
    }
  }

  /// What rests on more than tables is told from what does not.
  private static let beyondTables =
    "… no unwind tables above: what follows was found by running the code to its return, on a copy"

  /// A line of a stack: one frame, a run of plumbing, or a frame that recurs.
  struct Row {
    var frames: [Frame]
    var isBeyondTables: Bool { frames.first?.isBeyondTables ?? false }
    var spans: [Span] {
      guard let first = frames.first else { return [] }
      if first.isPlumbing {
        let origins = StackText.unique(frames.map(StackText.origin))
        return [Span("… \(Wording.count(frames.count, "frame")) of \(ReportIndex.list(origins, limit: 3))", .dim)]
      }
      var spans = ReportIndex.spans(first)
      if first.isInlined { spans.append(Span(" (inlined)", .dim)) }
      if frames.count > 1 { spans.append(Span("  × \(frames.count)", .dim)) }
      return spans
    }
  }

  /// Folds neighbours: plumbing with plumbing, a frame with its own repetition.
  static func rows(of stack: [Frame]) -> [Row] {
    var rows: [Row] = []
    for frame in stack {
      if let last = rows.last?.frames.last, last.isBeyondTables == frame.isBeyondTables,
        last == frame || last.isPlumbing && frame.isPlumbing
      {
        rows[rows.count - 1].frames.append(frame)
      } else {
        rows.append(Row(frames: [frame]))
      }
    }
    return rows
  }

  /// Where a plumbing frame is from, as people say it: `libc`, `liblockjaw`, `std`.
  static func origin(_ frame: Frame) -> String {
    if let function = frame.function {
      for library in ["std", "core", "alloc", "parking_lot", "Swift", "Synchronization", "Foundation"]
      where function.hasPrefix(library + "::") || function.hasPrefix(library + ".") {
        return library
      }
    }
    // libc.so.6 → libc: the version is in the JSON.
    if let dot = frame.module.range(of: ".so") { return String(frame.module[..<dot]) }
    return frame.module
  }

  /// Each item once, in the order of first appearance.
  static func unique(_ items: [String]) -> [String] {
    var seen: Set<String> = []
    return items.filter { seen.insert($0).inserted }
  }

  // MARK: - The rest, grouped

  /// Threads with one stack; never empty.
  struct Group {
    var threads: [ThreadReport]
    var stack: [Frame] { threads.first?.stack ?? [] }
  }

  /// Threads with the same stack together, the largest group first.
  static func groups(of threads: [ThreadReport]) -> [Group] {
    var positions: [[Frame]: Int] = [:]
    var groups: [Group] = []
    for thread in threads {
      if let position = positions[thread.stack] {
        groups[position].threads.append(thread)
      } else {
        positions[thread.stack] = groups.count
        groups.append(Group(threads: [thread]))
      }
    }
    return groups.enumerated()
      .sorted { ($1.element.threads.count, $0.offset) < ($0.element.threads.count, $1.offset) }
      .map(\.element)
  }

  /// `brief`: one line a group instead of its whole stack.
  func drawGroups(of threads: [ThreadReport], brief: Bool, on page: inout Page) {
    let groups = Self.groups(of: threads)
    for (position, group) in groups.prefix(Self.groupLimit).enumerated() {
      let states = Self.unique(group.threads.map(\.state))
      let state = states.count == 1 ? states[0] : ""
      var title = [Span(index.names(group.threads.map(\.tid), limit: 4), .thread)]
      if group.threads.count > 1 { title.insert(Span("\(Wording.threads(group.threads.count)): "), at: 0) }
      if !state.isEmpty { title.append(Span("  \(state)")) }
      if brief {
        if let frame = group.stack.shown {
          title.append(Span("  in ", .dim))
          title += ReportIndex.spans(frame)
        }
        page.line(title, first: [Span("  ")], rest: [Span("    ")])
      } else {
        if position > 0 { page.blank() }
        page.line(title, first: [Span("  ")], rest: [Span("    ")])
        draw(group.stack, on: &page)
      }
    }
    if groups.count > Self.groupLimit {
      let hidden = groups.dropFirst(Self.groupLimit).reduce(0) { $0 + $1.threads.count }
      page.line(
        [Span("… \(Wording.count(hidden, "more thread")) with other stacks, all of them in the JSON report", .dim)],
        first: [Span("  ")])
    }
  }
}
