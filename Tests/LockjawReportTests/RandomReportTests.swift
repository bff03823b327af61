import LockjawModel
import LockjawReport
import LockjawTestPrograms
import Testing

@Suite("Any report at all")
struct RandomReportTests {
  @Test(
    "A report of dangling ids, empty stacks and wild numbers is rendered, harmless, and comes back from JSON",
    arguments: 0..<40)
  func anything(seed: UInt64) throws {
    var random = RandomReport(seed: seed)
    for _ in 0..<10 {
      let report = random.report()
      let text = TextReport.render(report, source: { path, line in line % 2 == 0 ? path : nil })
      #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || isHarmless($0) })
      #expect(
        withoutColour(TextReport.render(report, style: .ansi, source: { path, line in line % 2 == 0 ? path : nil }))
          == text)
      #expect(OneLine.render(report).unicodeScalars.allSatisfy(isHarmless))
      #expect(Signature.of(report).utf8.count == 17)
      #expect(try ReportDocument.decode(ReportDocument.encode(report)) == report)
    }
  }

  @Test("The signature of a random cycle does not depend on where it is entered", arguments: 0..<40)
  func rotation(seed: UInt64) {
    var random = RandomReport(seed: seed)
    var report = random.report()
    let length = random.number(1...8)
    report.findings = [
      Finding(
        kind: .deadlock, certainty: .proven, summary: "",
        edges: (0..<length).map { position in
          var edge = random.edge()
          edge.waiter = tid(Int32(position))
          edge.holders = [tid(Int32((position + 1) % length))]
          return edge
        })
    ]
    let expected = Signature.of(report)
    let steps = random.number(0...length - 1)
    let edges = report.findings[0].edges
    report.findings[0].edges = Array(edges[steps...] + edges[..<steps])
    #expect(Signature.of(report) == expected)
  }
}

/// Reports without any sense, the same for the same seed. Ids are drawn from a few, so that some meet and some dangle.
struct RandomReport {
  private var generator: SplitMix
  init(seed: UInt64) { generator = SplitMix(seed: seed) }

  mutating func bits() -> UInt64 { generator.next() }
  mutating func number(_ range: ClosedRange<Int>) -> Int { range.lowerBound + Int(bits() % UInt64(range.count)) }
  mutating func pick<Element>(_ choices: [Element]) -> Element { choices[number(0...choices.count - 1)] }
  mutating func several<Element>(_ most: Int, _ make: (inout RandomReport) -> Element) -> [Element] {
    (0..<number(0...most)).map { _ in make(&self) }
  }
  mutating func maybe<Element>(_ make: (inout RandomReport) -> Element) -> Element? {
    bits() % 2 == 0 ? make(&self) : nil
  }

  mutating func text() -> String {
    pick([
      "", " ", "a", "a b", "L1", "\u{1b}[31m", "x\ny", "<<>>", "((", "operator<", "f<int>(T)", "::h0123456789abcdef",
      "{{closure}}#",
      "\u{202e}", "é日本", "#1", "a->b", "> >", "lock+8", ".isra.0", "  two  blanks ", "\"", "/", "//a/", "a/b.rs",
      "x.cpp",
      String(repeating: "long ", count: 60), String(repeating: "W", count: 300), "\u{10ffff}", "\0",
    ])
  }
  mutating func thread() -> ThreadID { ThreadID(pick([0, 1, 2, 3, 4, -1, .max, .min])) }
  mutating func lockID() -> String { pick(["L1", "L2", "L3", "", "L99999999999999999999", "x"]) }
  mutating func seconds() -> Double { pick([0, 1e-9, 0.5, 3.25, 1e9, -4, 1e300, .leastNonzeroMagnitude]) }

  mutating func frame() -> Frame {
    Frame(
      function: maybe { $0.text() }, file: maybe { $0.text() }, line: maybe { $0.pick([0, 1, -1, .max, .min]) },
      module: text(),
      offset: bits(), isInlined: bits() % 2 == 0, isPlumbing: bits() % 3 == 0, isBeyondTables: bits() % 4 == 0)
  }
  mutating func edge() -> Edge {
    Edge(
      waiter: thread(), lock: lockID(), mode: pick([.exclusive, .read, .write, .signal]),
      holders: several(3) { $0.thread() },
      evidence: pick([.arena, .ownerField, .lockWord, .landingPad, .forwardRun, .stack, .none]),
      waitsAt: maybe { $0.frame() },
      heldSinceAt: maybe { $0.frame() }, heldIn: maybe { $0.frame() }, releasedAt: maybe { $0.frame() },
      guardType: maybe { $0.text() },
      guardVariable: maybe {
        GuardVariable(
          name: $0.text(), file: $0.maybe { $0.text() }, line: $0.maybe { $0.pick([0, 1, -1, .max, .min]) })
      },
      heldMode: maybe { $0.pick([.exclusive, .read, .write, .signal]) }, waitingForSeconds: seconds())
  }
  mutating func tally() -> LockTally {
    LockTally(
      operations: bits(), failures: pick([0, 1, .max]), waits: pick([0, 1, 2, .max]), waitSeconds: seconds(),
      longestWaitSeconds: seconds(), timedHolds: bits(), estimatedHoldSeconds: maybe { $0.seconds() },
      longestHoldSeconds: seconds(), waitingNow: pick([0, 1, 2, -1, .max]), waitingNowSeconds: seconds())
  }
  mutating func section() -> ProfileSection {
    ProfileSection(
      classes: several(3) {
        LockClassProfile(
          type: $0.pick(LockType.allCases), origin: $0.pick([.initialised, .firstUsed, .notToldApart]),
          at: $0.maybe { $0.frame() }, lockCount: $0.pick([0, 1, 2, -1, .max]), names: $0.several(3) { $0.text() },
          tally: $0.tally(),
          sites: $0.several(7) {
            SiteProfile(at: $0.maybe { $0.frame() }, mode: $0.pick([.exclusive, .read, .write]), tally: $0.tally())
          }, omittedSites: $0.pick([0, 1, 100]))
      }, omittedClasses: pick([0, 1, 100]), lockCount: pick([0, 1, 2]), tally: tally())
  }
  mutating func flightRecord() -> FlightRecord {
    FlightRecord(
      operations: several(5) {
        OperationEntry(
          kind: $0.pick(RecordedOperation.Kind.allCases), lock: Address($0.bits()), type: $0.pick(LockType.allCases),
          mode: $0.pick([.exclusive, .read, .write, .signal]), site: $0.maybe { $0.frame() }, secondsAgo: $0.seconds(),
          isContended: $0.bits() % 2 == 0, outcome: $0.maybe { $0.pick([.acquired, .timeout, .error]) })
      }, olderInRing: pick([0, 1, 4000]), lost: pick([0, 1, .max]))
  }
  mutating func report() -> Report {
    Report(
      verdict: pick(FindingKind.allCases), signature: text(),
      process: ProcessReport(
        pid: pick([0, 1, -1, .max]), command: text(), executable: text(), buildID: text(), started: text(),
        condition: text()),
      findings: several(4) {
        Finding(
          kind: $0.pick(FindingKind.allCases), certainty: $0.pick([.proven, .inferred, .suspect]), summary: $0.text(),
          edges: $0.several(5) { $0.edge() }, bystanders: $0.several(12) { $0.thread() },
          evidence: $0.several(3) { $0.text() },
          heartbeat: $0.maybe {
            MissedHeartbeat(
              name: $0.text(), thread: $0.thread(), withinSeconds: $0.seconds(), lastSecondsAgo: $0.seconds(),
              count: $0.bits())
          })
      },
      locks: several(4) {
        LockReport(
          id: $0.lockID(), address: Address($0.bits()), type: $0.pick(LockType.allCases), library: $0.text(),
          name: $0.maybe { $0.text() }, state: $0.text(), initialisedAt: $0.maybe { $0.frame() })
      },
      threads: several(6) {
        ThreadReport(
          tid: $0.thread(), name: $0.text(), state: $0.text(), stack: $0.several(6) { $0.frame() },
          holds: $0.several(3) { $0.lockID() }, waitsFor: $0.maybe { $0.lockID() },
          flightRecord: $0.maybe { $0.flightRecord() })
      },
      history: several(3) {
        HistoryEntry(
          thread: $0.thread(), threadName: $0.text(), lock: Address($0.bits()), type: $0.pick(LockType.allCases),
          mode: $0.pick([.exclusive, .read, .write, .signal]), site: $0.maybe { $0.frame() },
          beganSecondsAgo: $0.seconds(),
          durationSeconds: $0.seconds(),
          outcome: $0.pick([
            .inProgress, .acquired, .timeout, .interrupted, .refusedAsDeadlock, .error, .cancelled, .ownerDied,
          ]))
      },
      profile: maybe {
        Profile(
          level: $0.pick(RecordingLevel.allCases), locks: $0.section(), signals: $0.section(),
          notes: $0.several(2) { $0.text() })
      },
      modules: several(3) {
        ModuleCoverage(
          module: $0.text(), path: $0.text(), buildID: $0.text(), addresses: $0.pick([0, 1, 1_000_000]),
          withLine: $0.pick([0, 1, 17]), functionOnly: $0.pick([0, 3]),
          shortage: $0.maybe { $0.pick([.stripped, .replaced, .linesNotLookedFor, .splitDebugInformationMissing]) })
      },
      diagnostics: several(3) { $0.text() },
      losses: Dictionary(several(3) { ($0.text(), $0.bits()) }) { first, _ in first },
      timing: Dictionary(several(3) { ($0.pick(["detect", "pause", "x", "\u{1b}"]), $0.seconds()) }) { first, _ in first
      },
      source: text())
  }
}
