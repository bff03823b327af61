import Glibc
import LockjawArena
import LockjawModel
import Testing

/// `stress.c` does everything at random and checks its own slots; here a reader looks on.
@Suite("Everything at once") struct StressTests {
  /// Seconds of each level; `Tools/soak-stress` sets more.
  static let seconds = getenv("LOCKJAW_STRESS_SECONDS").flatMap { Int(String(cString: $0)) } ?? 4
  static let seed = UInt32.random(in: 1...1_000_000)

  @Test(
    "Under random load with a reader attached, slots equal the program's own account and no record is torn",
    arguments: ["sites", "all"])
  func stress(level: String) async throws {
    let program = try await Compiler.shared.executable("stress.c", flags: ["-O1"])
    let directory = try ScratchDirectory()
    let said = "\(directory.path)/said"
    let started = try run(
      "/bin/sh",
      [
        "-c",
        "{ LD_PRELOAD=\(shimPath) \(program) \(Self.seconds) \(Self.seed); echo status $?; } > \(said) 2>&1 &",
      ],
      environment: ["LOCKJAW_DIR": directory.path, "LOCKJAW_RECORD": level, "LOCKJAW_RING": "1024", "LOCKJAW_LOG": "1"])
    try #require(started.status == 0)
    func words() -> String { (try? String(decoding: readFile(said), as: UTF8.self)) ?? "" }
    let deadline = ContinuousClock.now + .seconds(Self.seconds + 100)

    var watcher = Watcher()
    while !words().contains("status "), ContinuousClock.now < deadline {
      watcher.look(at: directory.path)
      // Not Task.sleep: with the pool's threads taken by other tests it comes back when the program has long ended.
      usleep(5000)
    }
    let end = words()
    try #require(end.contains("\nok\n") && end.contains("status 137"), "seed \(Self.seed): \(end)")
    #expect(watcher.looks > 0, "somebody was looking")
    let arena = try #require(watcher.arena)
    try check(arena, against: end, lost: arena.losses()["uncounted"] ?? 0)

    let complete = Set(
      arena.siteCounts().compactMap { count in count.object.map { Lock(type: count.type, object: $0) } })
    let torn = watcher.seen.subtracting(complete)
    #expect(torn.isEmpty, "seed \(Self.seed): \(torn.count) of \(watcher.seen.count) pairs are nobody's")
    #expect(watcher.disorder == 0, "seed \(Self.seed): a thread's operations went back in number")
  }

  private func check(_ arena: ArenaReader, against end: String, lost: UInt64) throws {
    let counts = arena.siteCounts()
    var difference: UInt64 = 0
    for line in end.split(separator: "\n") where line.hasPrefix("use ") {
      let fields = line.split(separator: " ")
      let object = try #require(UInt64(fields[1], radix: 16))
      let code = try #require(UInt64(fields[2], radix: 16))..<#require(UInt64(fields[3], radix: 16))
      let truth = try #require(UInt64(fields[4]))
      let counted = counts.filter { $0.object == Address(object) && code.contains($0.site.address.rawValue) }
        .reduce(0) { $0 + $1.operations }
      #expect(counted <= truth)
      difference += truth - min(counted, truth)
    }
    #expect(difference <= lost, "seed \(Self.seed): what is not counted is said to be lost")
  }

  /// What was seen of a lock; a record made of two would show a pair that no complete count has.
  private struct Lock: Hashable {
    var type: LockType
    var object: Address
  }

  /// Looks at the arena of the program, not at those of its children.
  private struct Watcher {
    var arena: ArenaReader?
    var seen: Set<Lock> = []
    var looks = 0
    var disorder = 0

    mutating func look(at directory: String) {
      if arena == nil, let first = ArenaDirectory(path: directory).entries().first {
        arena = try? ArenaReader(path: first.path)
      }
      guard let arena else { return }
      looks += 1
      for thread in arena.threads(includingIdle: true) {
        if let wait = thread.wait, wait.type != .join { seen.insert(Lock(type: wait.type, object: wait.object)) }
      }
      for history in arena.operations().histories {
        var last: UInt64?
        for operation in history.operations {
          if let last, operation.number <= last { disorder += 1 }
          last = operation.number
          if operation.type != .join { seen.insert(Lock(type: operation.type, object: operation.object)) }
        }
      }
      _ = arena.siteCounts()
    }
  }
}
