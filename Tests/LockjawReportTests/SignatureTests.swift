import LockjawModel
import LockjawReport
import Testing

@Suite("Signatures")
struct SignatureTests {
  private let original = Signature.of(SampleCycles.deadlock)

  @Test("A signature is LJ1- and thirteen digits of base32")
  func form() {
    #expect(original.hasPrefix("LJ1-"))
    let digits = original.dropFirst(4)
    #expect(digits.count == 13)
    #expect(digits.allSatisfy { "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".contains($0) })
  }

  @Test("The deadlock of the samples keeps its signature from release to release")
  func stable() {
    // A changed rule breaks everyone's known-hang lists: change the prefix LJ1 with it.
    #expect(original == "LJ1-G7UBULGN7PVW3")
  }

  @Test("It does not matter where the cycle is entered", arguments: 0..<5)
  func rotation(by steps: Int) {
    var report = SampleCycles.ringOfFive
    // Make the five edges differ, so that their order is visible.
    for index in report.findings[0].edges.indices { report.findings[0].edges[index].waitsAt?.function = "eat\(index)" }
    report.threads = []
    let expected = Signature.of(report)
    let edges = report.findings[0].edges
    report.findings[0].edges = Array(edges[steps...] + edges[..<steps])
    #expect(Signature.of(report) == expected)
  }

  @Test("What lies beyond functions without unwind tables does not count: of the hang's arena it is not known")
  func beyondTables() {
    var report = SampleCycles.deadlock
    let edge = report.findings[0].edges[0]
    let position = report.threads.firstIndex { $0.tid == edge.waiter } ?? 0
    report.threads[position].stack =
      Array(report.threads[position].stack.prefix { $0 != edge.waitsAt }) + [edge.waitsAt!]
    let cut = Signature.of(report)
    report.threads[position].stack.append(at("beyond", "bank.c", 99).beyondTables)
    #expect(Signature.of(report) == cut)
    report.threads[position].stack[report.threads[position].stack.count - 1].isBeyondTables = false
    #expect(Signature.of(report) != cut)
  }

  /// A cycle of as many threads as there are names; each waits in the function of its name.
  private func cycle(_ functions: [String]) -> Report {
    var report = SampleCycles.ringOfFive
    let edge = report.findings[0].edges[0]
    report.threads = []
    report.findings[0].edges = functions.enumerated().map { position, function in
      var edge = edge
      edge.waiter = ThreadID(Int32(position + 1))
      edge.holders = [ThreadID(Int32((position + 1) % functions.count + 1))]
      edge.waitsAt?.function = function
      return edge
    }
    return report
  }

  @Test("Nor where edges are alike: every pattern of eight has one signature for all its rotations")
  func rotationOfLikeEdges() {
    var patterns: [String: Set<[String]>] = [:]
    for bits in 0..<256 {
      let pattern = (0..<8).map { bits >> $0 & 1 == 0 ? "eat" : "think" }
      let rotations = pattern.indices.map { Array(pattern[$0...] + pattern[..<$0]) }
      patterns[Signature.of(cycle(pattern)), default: []].insert(rotations.min { $0.lexicographicallyPrecedes($1) }!)
    }
    // 36 necklaces of eight beads in two colours; no two share a signature, none has two.
    #expect(patterns.count == 36)
    #expect(patterns.values.allSatisfy { $0.count == 1 })
  }

  @Test("A cycle of thirty thousand threads has one, too, in no time to speak of", .timeLimit(.minutes(1)))
  func longCycle() {
    let functions = (0..<30_000).map { "eat\($0 % 3)" }
    #expect(Signature.of(cycle(functions)) == Signature.of(cycle(Array(functions[3001...] + functions[..<3001]))))
  }

  @Test("The order of the cycle matters: two bugs over the same places are two")
  func order() {
    var report = SampleCycles.ringOfFive
    report.threads = []
    for index in report.findings[0].edges.indices { report.findings[0].edges[index].waitsAt?.function = "eat\(index)" }
    let expected = Signature.of(report)
    report.findings[0].edges[1].waitsAt?.function = "eat2"
    report.findings[0].edges[2].waitsAt?.function = "eat1"
    #expect(Signature.of(report) != expected)
  }

  @Test("Thread ids, thread names, addresses, lock ids, times and certainty do not matter")
  func accidents() {
    var report = SampleCycles.deadlock
    func moved(_ thread: ThreadID) -> ThreadID { ThreadID(thread.rawValue + 1000) }
    func renamed(_ lock: String) -> String { lock == "L1" ? "L7" : "L3" }
    for index in report.threads.indices {
      report.threads[index].tid = moved(report.threads[index].tid)
      report.threads[index].name = "other"
    }
    for index in report.locks.indices {
      report.locks[index].address = Address(report.locks[index].address.rawValue &+ 0x1000)
      report.locks[index].id = renamed(report.locks[index].id)
      report.locks[index].state = "locked"
    }
    for index in report.findings[0].edges.indices {
      let edge = report.findings[0].edges[index]
      report.findings[0].edges[index].waiter = moved(edge.waiter)
      report.findings[0].edges[index].holders = edge.holders.map(moved)
      report.findings[0].edges[index].lock = renamed(edge.lock)
      report.findings[0].edges[index].waitingForSeconds *= 7
      report.findings[0].edges[index].evidence = .lockWord
    }
    report.findings[0].certainty = .inferred
    report.findings[0].bystanders = [ThreadID(1)]
    report.process.pid = 1
    #expect(Signature.of(report) == original)
  }

  @Test("A rebuild does not matter: lines, offsets, directories, clones and hashes change, the name stays")
  func rebuild() {
    func rebuilt(_ frame: Frame) -> Frame {
      var frame = frame
      frame.line = frame.line.map { $0 + 9 }
      frame.offset += 64
      frame.file = frame.file.map { "/build/2" + $0 }
      frame.function = frame.function.map { $0 + ".constprop.0" }
      return frame
    }
    var report = SampleCycles.deadlock
    for index in report.findings[0].edges.indices {
      let edge = report.findings[0].edges[index]
      report.findings[0].edges[index].waitsAt = edge.waitsAt.map(rebuilt)
      report.findings[0].edges[index].heldSinceAt = edge.heldSinceAt.map(rebuilt)
    }
    for index in report.threads.indices { report.threads[index].stack = report.threads[index].stack.map(rebuilt) }
    #expect(Signature.of(report) == original)
  }

  @Test("Plumbing does not matter: another C library or shim gives the same signature")
  func plumbingFrames() {
    var report = SampleCycles.deadlock
    for index in report.threads.indices { report.threads[index].stack.removeAll(where: \.isPlumbing) }
    #expect(Signature.of(report) == original)
  }

  @Test(
    "How the process is looked at does not matter: only a preloaded library knows where locks were acquired and made")
  func knowledge() {
    var report = SampleCycles.deadlock
    for index in report.findings[0].edges.indices { report.findings[0].edges[index].heldSinceAt = nil }
    #expect(Signature.of(report) == original)
    report.locks[0].name = nil
    let unnamed = Signature.of(report)
    report.locks[0].initialisedAt = at("make_lock")
    #expect(Signature.of(report) == unnamed)
  }

  @Test("How many threads pile up behind a lock does not matter")
  func pile() {
    var report = SampleOthers.orphanedLock
    let expected = Signature.of(report)
    report.findings[0].edges.removeLast()
    #expect(Signature.of(report) == expected)
  }

  @Test("Which element of an array of locks is hit does not matter")
  func element() {
    var report = SampleCycles.deadlock
    report.locks[0].name = "locks+40"
    let one = Signature.of(report)
    report.locks[0].name = "locks+1200"
    #expect(Signature.of(report) == one)
  }

  @Test("Functions further up than three above the wait do not matter")
  func depth() {
    var report = SampleCycles.deadlock
    let frames = (1...4).map { at("outer\($0)") }
    report.threads[1].stack = [SampleCycles.transfer31] + frames
    let expected = Signature.of(report)
    report.threads[1].stack[4] = at("elsewhere")
    #expect(Signature.of(report) == expected)
    report.threads[1].stack[3] = at("elsewhere")
    #expect(Signature.of(report) != expected)
  }

  private static let changes: [(String, @Sendable (inout Report) -> Void)] = [
    ("verdict", { $0.findings[0].kind = .timedCycle }),
    ("lock", { $0.locks[0].name = "other_lock" }),
    ("type", { $0.locks[0].type = .rwlock }),
    ("library", { $0.locks[0].library = "parking_lot" }),
    ("mode", { $0.findings[0].edges[0].mode = .write }),
    ("caller", { $0.threads[1].stack[4].function = "other_worker" }),
    (
      "waits at",
      {
        $0.threads[1].stack[3].function = "refund"
        $0.findings[0].edges[0].waitsAt?.function = "refund"
      }
    ),
  ]

  @Test(
    "Another verdict, lock, mode or place of waiting is another bug", arguments: changes.map(\.0))
  func difference(what: String) throws {
    var report = SampleCycles.deadlock
    try #require(Self.changes.first { $0.0 == what }).1(&report)
    #expect(Signature.of(report) != original)
  }

  @Test("The samples' hangs all have different signatures")
  func distinct() {
    let reports = [
      SampleCycles.deadlock, SampleCycles.ringOfFive, SampleCycles.selfDeadlock, SampleCycles.upgrade,
      SampleCycles.recursiveRead, SampleCycles.joinCycle, SampleCycles.timedCycle, SampleOthers.orphanedLock,
      SampleOthers.longHold, SampleOthers.contention, SampleOthers.hangUnknown, SampleOthers.idle, SampleOthers.healthy,
    ]
    #expect(Set(reports.map(Signature.of)).count == reports.count)
  }
}
