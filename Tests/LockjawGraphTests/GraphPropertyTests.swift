import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawGraph

/// Random processes against the brute-force oracle. A failure names its seed; `RandomScene(seed:threads:)` brings the
/// same process back.
@Suite struct GraphPropertyTests {
  /// Counts what the seeds covered, so that a generator gone tame fails too.
  private struct Coverage {
    var cycles = 0
    var lengths: Set<Int> = []
    var kinds: Set<FindingKind> = []
    var bystanders = 0
    var withoutCycle = 0
  }

  private func check(seed: UInt64, threads: Int, _ coverage: inout Coverage) throws {
    let random = RandomScene(seed: seed, threads: threads)
    let scene = random.scene
    let oracle = BruteForce(scene, prefersWriters: random.prefersWriters)
    let expected = oracle.cycles()
    let found = scene.graph.stuckAnalysis().map(\.candidate)
    let seen = found.map { BruteForce.Cycle(members: $0.members, bystanders: $0.bystanders, isTimed: $0.hasDeadline) }
    try #require(seen == expected, "seed \(seed), \(threads) threads")
    if expected.isEmpty { coverage.withoutCycle += 1 }

    let nodeOf = Dictionary(uniqueKeysWithValues: scene.threads.indices.map { (scene.threads[$0].tid, $0) })
    for candidate in found {
      let cycle = candidate.cycle.map(\.waiter)
      try #require(!cycle.isEmpty && Set(cycle).count == cycle.count, "seed \(seed): a simple cycle")
      try #require(Set(cycle).isSubset(of: candidate.members), "seed \(seed): of members")
      try #require(cycle.first == cycle.min(), "seed \(seed): rotated to its smallest thread")
      for (index, edge) in candidate.cycle.enumerated() {
        let next = cycle[(index + 1) % cycle.count]
        try #require(edge.holders.first == next, "seed \(seed): an edge leads to the next")
        let (from, to) = (try #require(nodeOf[edge.waiter]), try #require(nodeOf[next]))
        try #require(oracle.waitsFor[from][to], "seed \(seed): the oracle knows the edge \(edge.waiter) → \(next)")
        try #require(
          Set(edge.holders)
            == Set(scene.threads.indices.filter { oracle.waitsFor[from][$0] }.map { scene.threads[$0].tid }),
          "seed \(seed): all holders of \(edge.waiter)'s lock")
      }
      let shortest = oracle.shortestCycle(among: candidate.members)
      // C3: of several upgraders of one rwlock two are shown, though each also waits for itself.
      let isMutualUpgrade =
        cycle.count == 2
        && candidate.cycle.allSatisfy { $0.type == .rwlock && $0.mode == .write && $0.holderMode == .read }
        && candidate.cycle[0].object == candidate.cycle[1].object
      try #require(isMutualUpgrade || cycle.count == shortest, "seed \(seed): shortest is \(shortest)")
      coverage.cycles += 1
      coverage.lengths.insert(cycle.count)
      coverage.kinds.insert(candidate.kind)
      coverage.bystanders += candidate.bystanders.count
    }
  }

  @Test("Members, bystanders and the cycle shown equal a brute-force search's, on thousands of small processes")
  func small() throws {
    var coverage = Coverage()
    for seed: UInt64 in 1...4000 { try check(seed: seed, threads: 12, &coverage) }
    #expect(coverage.cycles > 1000)
    #expect(coverage.bystanders > 500)
    #expect(coverage.withoutCycle > 200)
    #expect(
      coverage.kinds.isSuperset(of: [
        .deadlock, .selfDeadlock, .upgradeDeadlock, .recursiveReadDeadlock, .joinCycle, .timedCycle,
      ]))
  }

  @Test("… and on processes of up to 200 threads, with cycles of 2 to 16")
  func large() throws {
    var coverage = Coverage()
    for seed: UInt64 in 1...120 { try check(seed: seed, threads: 200, &coverage) }
    #expect(coverage.cycles > 60)
    #expect(coverage.lengths.isSuperset(of: 2...8))
  }

  @Test("The order of the threads changes nothing but that order")
  func order() throws {
    for seed: UInt64 in 1...300 {
      let random = RandomScene(seed: seed, threads: 20)
      var generator = SplitMix(seed: seed)
      var shuffled = random.scene
      shuffled.threads.shuffle(using: &generator)
      let key = { (candidate: Candidate) in
        "\(candidate.kind) \(candidate.members) \(candidate.bystanders) \(candidate.cycle.count)"
      }
      #expect(
        random.scene.graph.candidates().map(key) == shuffled.graph.candidates().map(key), "seed \(seed)")
    }
  }

  @Test("Kernel states added later give the graph that they would have given from the start")
  func addedStates() {
    for seed: UInt64 in 1...300 {
      var scene = RandomScene(seed: seed, threads: 12).scene
      var generator = SplitMix(seed: seed)
      var states: [ThreadID: KernelState] = [:]
      for index in scene.threads.indices where Bool.random(using: &generator) {
        let mutex = scene.threads.randomElement(using: &generator)?.held.first?.object ?? Address(0)
        if Int.random(in: 0..<3, using: &generator) == 0 {
          scene.threads[index].wait = .condition(0xcccc_0000, mutex: mutex.rawValue)
        }
        states[scene.threads[index].tid] = [.running, .gone, .futexWait(word: mutex)].randomElement(using: &generator)
      }
      scene.kernel = [:]
      let added = scene.graph.adding(states)
      scene.kernel = states
      #expect(added.edges == scene.graph.edges, "seed \(seed)")
      #expect(added.candidates() == scene.graph.candidates(), "seed \(seed)")
    }
  }

  @Test("Any thread states at all, with words that contradict them, end in a diagnosis and not in a crash")
  func hostile() {
    for seed: UInt64 in 1...1500 {
      var random = RandomScene(seed: seed, threads: 10).scene
      var generator = SplitMix(seed: ~seed)
      let types = LockType.allCases
      for index in random.threads.indices {
        random.threads[index].tid = ThreadID(Int32.random(in: -2...6, using: &generator))
        random.threads[index].wait?.type = types.randomElement(using: &generator) ?? .mutex
        random.threads[index].wait?.sequence = generator.next() % 4
        random.threads[index].wait?.companion = Address(
          generator.next() >> UInt64.random(in: 0..<64, using: &generator))
        random.threads[index].wait?.since = Instant(nanoseconds: generator.next())
        for held in random.threads[index].held.indices {
          random.threads[index].held[held].type = types.randomElement(using: &generator) ?? .mutex
          random.threads[index].held[held].count = Int.random(in: -1...1, using: &generator) * .max
        }
        if Bool.random(using: &generator) { random.threads[index].phase = .exitedHolding(at: Scene.now) }
      }
      for object in random.threads.compactMap(\.wait?.object) {
        random.words[object] = LockWord(
          address: object, type: types.randomElement(using: &generator) ?? .mutex,
          owner: Bool.random(using: &generator) ? ThreadID(Int32.random(in: -2...6, using: &generator)) : nil,
          recordsOwner: Bool.random(using: &generator), readerCount: Int.random(in: -1...2, using: &generator),
          isTaken: Bool.random(using: &generator), policy: .prefersWriters, hasPendingWriter: nil, variant: "x",
          description: "", byteCount: Int.random(in: -1...1, using: &generator) * .max)
      }
      let diagnosis = random.diagnosis(stall: 0.5)
      for finding in diagnosis.findings { #expect(!finding.evidence.isEmpty, "seed \(seed)") }
    }
  }
}
