import LockjawModel
import LockjawReport
import Testing

@Suite("Text")
struct TextTests {
  @Test("Colour changes no character of the text", arguments: Sample.all)
  func colour(sample: Sample) {
    let plain = TextReport.render(sample.report, source: sourceTable)
    let coloured = TextReport.render(sample.report, style: .ansi, source: sourceTable)
    #expect(coloured != plain)
    #expect(withoutColour(coloured) == plain)
    #expect(withoutColour(OneLine.render(sample.report, style: .ansi)) == OneLine.render(sample.report))
  }

  @Test("No character of the target reaches the terminal as a command", arguments: Sample.all)
  func injection(sample: Sample) {
    for text in [TextReport.render(sample.report), withoutColour(TextReport.render(sample.report, style: .ansi))] {
      #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || isHarmless($0) })
    }
    #expect(OneLine.render(sample.report).unicodeScalars.allSatisfy(isHarmless))
    for finding in sample.report.findings {
      #expect(Summary.sentence(for: finding, in: sample.report).unicodeScalars.allSatisfy(isHarmless))
    }
  }

  @Test("Lines fit in 100 columns; only a path or name that is longer sticks out", arguments: Sample.all)
  func width(sample: Sample) {
    let lines = TextReport.render(sample.report, source: sourceTable).split(separator: "\n")
    for line in lines where line.count > 100 {
      #expect(sample.name == "hostile" && line.contains("/very/long/path with blanks/"), "\(line)")
    }
  }

  @Test("Of a stack without a frame of the program's the caller of the preloaded library is shown, not the library")
  func plumbingAlone() {
    let dispatch = plumbing("_dispatch_sema4_timedwait", module: "libdispatch.so", offset: 0x3cd80)
    #expect(waitingStack(dispatch).shown == dispatch)
    #expect(waitingStack(dispatch, at("main", "bank.c", 90)).shown == at("main", "bank.c", 90))
    let unloaded = [plumbing("__futex_abstimed_wait_common"), plumbing("sem_timedwait"), dispatch]
    #expect(unloaded.shown == unloaded.first)
    #expect([Frame]().shown == nil)
  }

  @Test("A narrower screen gets shorter lines", arguments: [60, 80])
  func narrow(columns: Int) {
    let lines = TextReport.render(SampleCycles.deadlock, width: columns, source: { _, _ in nil }).split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= columns }, "\(lines.filter { $0.count > columns })")
  }

  @Test("The first line is the verdict and names threads, locks and functions")
  func headline() {
    let text = TextReport.render(SampleCycles.deadlock)
    let headline = text.split(separator: "\nprocess ")[0].split(separator: "\n").joined(separator: " ")
    #expect(
      headline
        == "DEADLOCK (proven): threads 4711 \"alice\" and 4712 \"bob\" each hold a mutex the other wants: "
        + "alice waits for L2 \"ledger_lock\" in transfer() (bank.c:31), bob waits for L1 \"accounts_lock\" in audit() (bank.c:44)"
    )
  }

  @Test("Verdict, cycle, facts, stacks, advice, history, diagnostics: in this order")
  func order() {
    var report = SampleOthers.deadFromArena
    report.diagnostics = ["one"]
    report.timing = ["detect": 1]
    let text = TextReport.render(report)
    let parts = [
      "DEADLOCK", "process 4700", "╭─▶", "stuck for", "certainty", "holder", "Stacks of the threads involved",
      "Other threads", "What to do next", "The last contended waits", "Diagnostics", "Took",
    ]
    let places = parts.map { part in text.ranges(of: part).first?.lowerBound }
    #expect(places.allSatisfy { $0 != nil })
    #expect(places.compactMap { $0 } == places.compactMap { $0 }.sorted())
  }

  @Test("A source line is quoted where the file can be read, and only there")
  func source() {
    #expect(
      TextReport.render(SampleCycles.deadlock, source: sourceTable).contains("31 │ pthread_mutex_lock(&ledger_lock);"))
    #expect(!TextReport.render(SampleCycles.deadlock).contains("31 │"))
  }

  @Test(
    "What can end by itself is never called a deadlock",
    arguments: [
      SampleCycles.timedCycle, SampleOthers.longHold, SampleOthers.contention, SampleOthers.idle, SampleOthers.healthy,
    ])
  func wrongWord(report: Report) {
    #expect(!TextReport.render(report).lowercased().contains("deadlock"))
    #expect(!OneLine.render(report).lowercased().contains("deadlock"))
  }

  @Test("A pending writer is not said to hold the lock")
  func pendingWriter() {
    let text = TextReport.render(SampleCycles.recursiveRead)
    #expect(text.contains("4712 \"writer\" waits to write L1"))
    #expect(!text.contains("4712 \"writer\" holds"))
  }

  @Test("Where only waiting writers are in a reader's way, nothing is said to be known of a holder")
  func waitingWritersOnly() throws {
    var report = SampleCycles.recursiveRead
    report.findings[0].kind = .contention
    report.findings[0].certainty = .inferred
    let writer = try #require(report.findings[0].edges.firstIndex { $0.mode == .write })
    report.findings[0].edges[writer].holders = []
    report.findings[0].edges[writer].evidence = .none
    for position in report.threads.indices { report.threads[position].holds = [] }
    let text = TextReport.render(report)
    #expect(text.contains("unknown.") && !text.contains("known from"), "\(text)")
    #expect(ReportDocument.encode(report).contains("\"waiting_writers\": [4712]"))
  }

  @Test("Waits in a circle are drawn as a circle only where the circle is what was found")
  func circleOfContention() {
    var report = SampleCycles.deadlock
    #expect(TextReport.render(report).contains("the cycle is closed"))
    report.findings[0].kind = .contention
    report.findings[0].certainty = .inferred
    let text = TextReport.render(report)
    #expect(!text.contains("the cycle is closed") && text.contains("held by"), "\(text)")
  }

  @Test(
    "Short verdicts make short reports", arguments: [SampleOthers.contention, SampleOthers.idle, SampleOthers.healthy])
  func short(report: Report) {
    #expect(TextReport.render(report).split(separator: "\n").count <= 16)
  }

  @Test("A thousand bystanders take lines, not pages")
  func crowd() {
    var report = SampleCycles.ringOfFive
    report.threads += (0..<1000).map {
      ThreadReport(
        tid: tid(10_000 + $0), name: "crowd", state: "waiting for L1", stack: waitingStack(at("visit", "phil.c", 48)),
        waitsFor: "L1")
    }
    report.findings[0].bystanders = report.threads.dropFirst(5).map(\.tid)
    let text = TextReport.render(report)
    #expect(text.split(separator: "\n").count < 90)
    #expect(text.contains("1012 threads wait behind it"))
    #expect(text.contains("1000 threads: "))
  }

  @Test("A stack of ten thousand frames shows both its ends and counts the rest")
  func deepStack() {
    var report = SampleCycles.deadlock
    report.threads[1].stack = (0..<10_000).map { at("level\($0)", "bank.c", $0 + 1) }
    let text = TextReport.render(report)
    #expect(text.contains("level0()") && text.contains("level9999()"))
    #expect(text.contains("… 9962 more frames"))
  }

  @Test("A function that calls itself takes one line")
  func recursion() {
    var report = SampleCycles.deadlock
    report.threads[1].stack = Array(repeating: SampleCycles.transfer31, count: 50)
    #expect(TextReport.render(report).contains("bank.c:31  × 50"))
  }

  @Test("Threads that share a name are told apart by number")
  func sharedName() {
    let sentence = Summary.sentence(for: SampleCycles.upgrade.findings[0], in: SampleCycles.upgrade)
    #expect(sentence.contains("4711 in Table::insert() (table.cpp:19), 4712 in Table::insert()"))
  }

  @Test("Every kind of finding has a sentence and a report, also with nothing to say", arguments: FindingKind.allCases)
  func everyKind(kind: FindingKind) {
    var report = SampleCycles.deadlock
    report.verdict = kind
    report.findings[0].kind = kind
    report.findings[0].summary = ""
    let full = Summary.sentence(for: report.findings[0], in: report)
    #expect(full.hasPrefix(Array(kind.rawValue.uppercased().replacing("-", with: " ").split(separator: " "))[0]))
    #expect(!TextReport.render(report).isEmpty)
    report.findings[0].edges = []
    #expect(!Summary.sentence(for: report.findings[0], in: report).isEmpty)
    report.findings = []
    #expect(Summary.headline(of: report).hasPrefix(full.split(separator: " ")[0].replacing(":", with: "")))
  }

  @Test("Advice for a hang of unknown cause names the missing knowledge and the command that gets it")
  func missingKnowledge() {
    var report = SampleOthers.hangUnknown
    #expect(TextReport.render(report).contains("These locks (Rust std) do not say who holds"))
    for index in report.locks.indices {
      report.locks[index].library = "glibc"
      report.locks[index].type = .mutex
    }
    report.history = []
    #expect(TextReport.render(report).contains("lockjaw run -- ledger"))
    report.process.command = "sh -c ledger;audit"
    #expect(TextReport.render(report).contains("lockjaw run -- COMMAND"), "its quotes are not known")
    // It was under lockjaw, and that is what the report is from.
    let edge = report.findings[0].edges[0]
    report.history = [
      HistoryEntry(
        thread: edge.waiter, threadName: "ledger", lock: Address(0x1000), type: .mutex, mode: edge.mode, site: nil,
        beganSecondsAgo: 12, durationSeconds: 12, outcome: .inProgress)
    ]
    #expect(!TextReport.render(report).contains("lockjaw run -- "))
  }

  @Test(
    "A span of time is said as people say it",
    arguments: [
      (0, "0 µs"), (0.000_4, "400 µs"), (0.001_2, "1.2 ms"), (0.85, "850 ms"), (0.999_9, "1 s"), (3.214, "3.2 s"),
      (59.96, "1 min"), (125, "2 min 5 s"), (3600 * 3 + 240, "3 h 4 min"), (86400 * 2 + 3 * 3600, "2 d 3 h"),
      (.nan, "an unknown time"), (.infinity, "an unknown time"), (-1, "an unknown time"), (1e300, "an unknown time"),
    ] as [(Double, String)])
  func elapsed(seconds: Double, words: String) {
    #expect(Elapsed.words(seconds) == words)
  }

  @Test("A loss is a sentence that says what is missing because of it")
  func losses() {
    #expect(Losses.sentences(["held-overflow": 0]).isEmpty)
    #expect(Losses.sentences(["heldOverflow": 2]) == Losses.sentences(["held_overflow": 2]))
    #expect(Losses.sentences(["no-memory": 17, "invented": 1]).count == 2)
    #expect(Losses.sentences(["invented": 1]) == ["1 event was lost: invented."])
  }
}

/// `text` without SGR sequences, the only ones a renderer may write.
func withoutColour(_ text: String) -> String {
  text.replacing(/\u{1b}\[[0-9;]*m/, with: "")
}

func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator: false
  default: true
  }
}
