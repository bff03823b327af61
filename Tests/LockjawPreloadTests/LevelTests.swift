import CLockjawABI
import Glibc
import LockjawArena
import LockjawModel
import Testing

/// What `levels.c` says that it did, and what the arena it left says of the same.
private struct Truth {
  struct Use {
    var object: Address
    var code: Range<UInt64>
    var operations: UInt64
    var failures: UInt64
    /// `nil`: not known beforehand.
    var waits: UInt64?
  }
  var uses: [Use] = []
  /// Operations of each thread that lived one after the other.
  var lives: [(tid: ThreadID, pairs: Int)] = []
  var mutex = Address(0)
  var tid = ThreadID(0)
  /// Nanoseconds of CLOCK_MONOTONIC before the first operation and after the last.
  var span: ClosedRange<UInt64>?
  let arena: ArenaReader

  init(_ outcome: Outcome, _ directory: ScratchDirectory) throws {
    try #require(outcome.status == 128 + SIGKILL && !outcome.timedOut && outcome.errors == "", "\(outcome)")
    let path = try #require(ArenaDirectory(path: directory.path).entries().first?.path)
    arena = try ArenaReader(path: path)
    for line in outcome.output.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      func hexadecimal(_ index: Int) throws -> UInt64 { try #require(UInt64(words[index], radix: 16)) }
      switch words.first {
      case "mutex":
        mutex = Address(try hexadecimal(1))
        tid = ThreadID(try #require(Int32(words[3])))
      case "use":
        uses.append(
          Use(
            object: Address(try hexadecimal(1)), code: try hexadecimal(2)..<hexadecimal(3),
            operations: try #require(UInt64(words[4])), failures: try #require(UInt64(words[5])),
            waits: UInt64(words[6])
          ))
      case "span":
        span = try #require(UInt64(words[1]))...#require(UInt64(words[2]))
      case "life":
        lives.append((ThreadID(try #require(Int32(words[1]))), try #require(Int(words[2]))))
      default: break
      }
    }
  }

  /// The rows for one use: all objects where it names none.
  func counted(_ use: Use) -> SiteCount? {
    let rows = arena.siteCounts().filter {
      (use.object.rawValue == 0 || $0.object == use.object) && use.code.contains($0.site.address.rawValue)
    }
    guard var sum = rows.first else { return nil }
    for row in rows.dropFirst() { sum.add(row) }
    return sum
  }

  func check() throws {
    try #require(!uses.isEmpty)
    for use in uses {
      let found = try #require(self.counted(use), "\(use)")
      #expect(found.operations == use.operations, "\(use)")
      #expect(found.failures == use.failures, "\(use)")
      if let waits = use.waits { #expect(found.waits == waits, "\(use)") }
    }
  }
}

private func eventually(_ what: String, _ condition: () -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(100)
  while !condition() {
    try #require(ContinuousClock.now < deadline, "never came true: \(what)")
    try await Task.sleep(for: .milliseconds(2))
  }
}

@Suite("Recording levels") struct LevelTests {
  private func truth(_ level: String, _ arguments: [String], _ settings: [String: String] = [:]) async throws -> Truth {
    let directory = try ScratchDirectory()
    let outcome = try await runPreloaded(
      "levels.c", arguments, flags: ["-O2"], environment: settings.merging(["LOCKJAW_RECORD": level]) { $1 },
      directory: directory)
    return try Truth(outcome, directory)
  }

  @Test("Counts per lock and call site are the program's own, for every kind of object", arguments: ["sites", "all"])
  func exactCounts(level: String) async throws {
    let truth = try await truth(level, ["sites"])
    try truth.check()
    #expect(truth.arena.losses() == [:])
    let mutex = truth.arena.siteCounts().filter { $0.object == truth.mutex && $0.purpose == .use }
    #expect(mutex.allSatisfy { $0.type == .mutex })
    #expect(mutex.contains { $0.waits > 0 && $0.waitNanoseconds > 0 && $0.contendedHolds > 0 })
    let timed = mutex.reduce(0) { $0 + $1.timedHolds }
    #expect(timed > 20_000 / 128 && timed < 20_000 / 32, "one in 64: \(timed)")
    #expect(mutex.contains { ($0.estimatedHoldNanoseconds ?? 0) > 0 })
    // The lock that was initialised says where.
    let inits = try #require(truth.uses.first)
    #expect(truth.counted(inits)?.purpose == .initialisation)
  }

  @Test("Conditions count their waits and broadcasts; taking the mutex again is no call of the program's")
  func conditions() async throws {
    let truth = try await truth("sites", ["cond"])
    try truth.check()
  }

  @Test("Callers of a lock's first use are addresses of code, whatever the caller has in its frame pointer")
  func callers() async throws {
    let rows = try await truth("sites", ["bait"]).arena.siteCounts()
    #expect(!rows.isEmpty && rows.allSatisfy { $0.site.callers.isEmpty }, "\(rows)")
  }

  @Test("With more locks than there are rows, counts stay exact for the call site")
  func manyLocks() async throws {
    let truth = try await truth("sites", ["many"])
    try truth.check()
    let rows = truth.arena.siteCounts()
    // Every row there is, each for a pair of its own: one that was not found again would have been made twice.
    let places = (0..<UInt32(LJ_SITE_TABLES - 1)).reduce(0) { $0 + Int(lj_site_rows($1)) }
    #expect(rows.filter { $0.object != nil }.count == places && rows.contains { $0.object == nil })
    #expect(truth.arena.losses() == [:])
  }

  @Test(
    "A child that a handler forks inside any instruction of an operation goes on with it unharmed",
    arguments: ["state", "sites", "all"])
  func forked(level: String) async throws {
    #expect(try await truth(level, ["fork"]).arena.level == RecordingLevel(rawValue: level))
  }

  @Test("At level state nothing is counted and no memory is taken for it")
  func state() async throws {
    let truth = try await truth("state", ["ring", "1000"])
    #expect(truth.arena.siteCounts() == [] && truth.arena.operations().histories == [])
    #expect(truth.arena.level == .state)
  }

  @Test(
    "A signal handler that locks after any single instruction of an operation loses no count and no hold",
    arguments: ["state", "sites", "all"])
  func stepped(level: String) async throws {
    let truth = try await truth(level, ["step"])
    #expect(truth.arena.losses() == [:])
    guard level != "state" else { return }
    try truth.check()
    for history in truth.arena.operations().histories { #expect(history.unfinished == 0) }
  }

  @Test(
    "Operations of signal handlers are counted and recorded beside those they interrupt", arguments: ["sites", "all"])
  func handlers(level: String) async throws {
    let truth = try await truth(level, ["handler"], ["LOCKJAW_RING": "256"])
    #expect(truth.arena.losses() == [:])
    try truth.check()
    for history in truth.arena.operations().histories { #expect(history.unfinished == 0) }
  }

  @Test("A ring has the newest operations, in order and dated, and says how many were lost", arguments: [200, 5000])
  func ring(pairs: Int) async throws {
    let truth = try await truth("all", ["ring", "\(pairs)"], ["LOCKJAW_RING": "1000"])
    let (histories, _) = truth.arena.operations()
    let history = try #require(histories.first)
    let operations = history.operations
    let newest = try #require(operations.last)
    #expect(newest.kind == .release)
    #expect(operations.allSatisfy { $0.tid == truth.tid && $0.type == .mutex && $0.isTimed })
    #expect(zip(operations, operations.dropFirst()).allSatisfy { $0.number < $1.number && $0.ticks <= $1.ticks })
    // LOCKJAW_RING is rounded up to a power of two; clock readings and the thread's beginning take a place too.
    #expect(pairs == 200 ? operations.count == 400 : (1000...1024).contains(operations.count), "\(operations.count)")
    #expect(history.lost == (pairs == 200 ? 0 : newest.number + 1 - 1024) || history.lost == newest.number + 2 - 1024)
    #expect(history.unfinished == 0)
    let pairsSeen = operations.drop { $0.kind == .release }
    #expect(pairsSeen.enumerated().allSatisfy { $1.kind == ($0 % 2 == 0 ? .acquire : .release) })
    #expect(operations.allSatisfy { $0.object == truth.mutex && $0.site.rawValue != 0 })
  }

  /// What Linux made of the same CPUID bit that the shim asks.
  private func processorHasConstantCounter() throws -> Bool {
    let text = String(decoding: try readFile("/proc/cpuinfo"), as: UTF8.self)
    let flags = text.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
    return flags.split(separator: " ").contains("nonstop_tsc")
  }

  @Test(
    "Operations are dated within the time in which they were done, by the processor's counter where it is constant and else by the system's clock",
    arguments: ["", "auto", "monotonic"])
  func dates(clock: String) async throws {
    let truth = try await truth("all", ["ring", "2000"], ["LOCKJAW_RING": "8192", "LOCKJAW_CLOCK": clock])
    let (histories, clockRead) = truth.arena.operations()
    let operations = try #require(histories.first?.operations.filter { $0.object == truth.mutex })
    #expect(operations.count == 4000)
    let expected: TickClock.Source =
      try clock != "monotonic" && processorHasConstantCounter() ? .timeStampCounter : .monotonic
    let known = try #require(clockRead)
    #expect(known.source == expected)
    #expect(zip(operations, operations.dropFirst()).allSatisfy { $0.ticks <= $1.ticks })
    // Both clocks are read one after the other, so a thread that loses its processor in between is off by that long.
    let span = try #require(truth.span)
    let tolerance: UInt64 = expected == .monotonic ? 0 : 20_000_000
    let dates = operations.map { known.instant(ofTicks: $0.ticks).nanoseconds }
    #expect(zip(dates, dates.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(dates[0] + tolerance >= span.lowerBound && dates[3999] <= span.upperBound + tolerance)
    // The program sleeps for 50 ms between its first half and its second.
    #expect(dates[2000] - dates[1999] + tolerance >= 50_000_000)
  }

  @Test("A ring that stops has the oldest operations")
  func stoppingRing() async throws {
    let truth = try await truth("all", ["ring", "5000"], ["LOCKJAW_RING": "256", "LOCKJAW_RING_MODE": "stop"])
    let history = try #require(truth.arena.operations().histories.first)
    #expect(history.operations.count <= 256 && history.operations.count > 250)
    #expect(history.operations.first?.kind == .acquire && (history.operations.first?.number ?? 9) < 3)
    #expect(history.lost >= 2 * 5000 - 256)
  }

  @Test("Threads that had the same slot one after the other are told apart")
  func lives() async throws {
    let truth = try await truth("all", ["lives"])
    let operations = truth.arena.operations().histories.flatMap(\.operations)
    #expect(truth.lives.count == 20)
    for life in truth.lives {
      #expect(operations.filter { $0.tid == life.tid && $0.kind == .acquire }.count == life.pairs, "\(life)")
    }
    // Overwritten but for the end, the rest is still told apart.
    let small = try await self.truth("all", ["lives"], ["LOCKJAW_RING": "256"])
    let kept = small.arena.operations().histories.flatMap(\.operations)
    for life in small.lives.suffix(4) {
      #expect(kept.filter { $0.tid == life.tid && $0.kind == .acquire }.count == life.pairs, "\(life)")
    }
    // The main thread joins them.
    #expect(Set(kept.map(\.tid)).isSubset(of: Set(small.lives.map(\.tid) + [small.tid])))
  }

  @Test("A reader may raise the level while the program runs", arguments: [RecordingLevel.sites, .all])
  func switching(level: RecordingLevel) async throws {
    let program = try await Compiler.shared.executable("levels.c", flags: ["-O2"])
    let directory = try ScratchDirectory()
    // In the background: it waits for this test.
    let outcome = try run(
      "/bin/sh", ["-c", "LD_PRELOAD=\(shimPath) \(program) switch > \(directory.path)/said 2>&1 &"],
      environment: ["LOCKJAW_DIR": directory.path, "LOCKJAW_LOG": "1"])
    try #require(outcome.status == 0)
    func said() -> String { (try? String(decoding: readFile("\(directory.path)/said"), as: UTF8.self)) ?? "" }
    try await eventually("it is ready") { said().contains("ready\n") }
    let path = try #require(ArenaDirectory(path: directory.path).entries().first?.path)
    let arena = try ArenaReader(path: path, forCollecting: true)
    #expect(arena.level == .state && arena.levelIsFixed == nil)
    #expect(arena.siteCounts() == [])
    #expect(arena.record(level))
    #expect(arena.level == level)
    try await eventually("the second round is over") { said().contains("end\n") }
    let truth = try Truth(
      Outcome(status: 128 + SIGKILL, output: said(), errors: "", timedOut: false), directory)
    let counted = truth.arena.siteCounts().filter { $0.object == truth.mutex }.reduce(0) { $0 + $1.operations }
    #expect(counted == 200, "the second round, and nothing of the first")
    let history = truth.arena.operations().histories.first
    #expect((history != nil) == (level == .all))
    if let history { #expect(history.operations.filter { $0.kind == .acquire }.count == Int(counted)) }
  }

  @Test(
    "Nonsense in a setting is one line where lines are asked for, and the default",
    arguments: [
      ("LOCKJAW_RECORD", "everything"), ("LOCKJAW_RECORD", "ALL"), ("LOCKJAW_RING", "-1"), ("LOCKJAW_RING", "a lot"),
      ("LOCKJAW_RING", "0"), ("LOCKJAW_RING", "99999999999999999999999"), ("LOCKJAW_RING", "12x"),
      ("LOCKJAW_RING_MODE", "maybe"), ("LOCKJAW_CLOCK", "sundial"), ("LOCKJAW_KEEP", "maybe"), ("LOCKJAW_KEEP", "11"),
    ])
  func nonsense(variable: String, value: String) async throws {
    for log in ["1", "0"] {
      let directory = try ScratchDirectory()
      let outcome = try await runPreloaded(
        "life.c", ["nothing"], environment: [variable: value, "LOCKJAW_LOG": log], directory: directory)
      #expect(directory.entries == [], "nothing is kept by default")
      #expect(outcome.status == 0 && outcome.output == "ok\n", "\(outcome)")
      #expect(outcome.errors.contains(variable) == (log == "1"), "\(outcome)")
      #expect(outcome.errors.filter { $0 == "\n" }.count == (log == "1" ? 1 : 0))
    }
  }
}
