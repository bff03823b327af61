import LockjawModel
import Testing

@testable import LockjawGraph

/// The propositions of `CandidateSearch.swift`: what a cycle is, what it is called, who stands behind it.
@Suite struct CycleTests {
  /// Threads first…first+length-1, each holding its own mutex and waiting for the next one's.
  static func ring(_ length: Int32, from first: Int32 = 1, into scene: inout Scene) {
    for step in 0..<length {
      scene.thread(
        first + step, holds: [.mutex(UInt64(first + step) << 8)],
        waits: .mutex(UInt64(first + (step + 1) % length) << 8))
    }
  }

  @Test("A ring of any length from 2 to 16 is one deadlock with all its threads", arguments: 2...16)
  func rings(length: Int) throws {
    var scene = Scene()
    Self.ring(Int32(length), from: 100, into: &scene)
    scene.agree()
    let candidate = try #require(scene.graph.candidates().first)
    #expect(scene.graph.candidates().count == 1)
    #expect(candidate.kind == .deadlock)
    #expect(candidate.members == (0..<length).map { ThreadID(100 + Int32($0)) })
    #expect(candidate.cycle.map(\.waiter) == candidate.members)
    for (index, edge) in candidate.cycle.enumerated() {
      #expect(edge.holders.first == candidate.cycle[(index + 1) % length].waiter)
    }
    #expect(scene.witnesses.judge(candidate).certainty == .proven)
  }

  @Test("A thread that waits outside the ring is a bystander, also behind another bystander")
  func bystanders() throws {
    var scene = Scene()
    scene.thread(9, waits: .mutex(8 << 8))
    scene.thread(8, holds: [.mutex(8 << 8)], waits: .mutex(1 << 8))
    Self.ring(3, into: &scene)
    scene.thread(7, holds: [.mutex(0x7700)])
    scene.thread(6, waits: .mutex(0x7700))
    scene.agree()
    let candidate = try #require(scene.graph.candidates().first)
    #expect(candidate.members == tids(1, 2, 3))
    #expect(candidate.bystanders == tids(8, 9))
  }

  @Test("A bystander of two cycles belongs to the nearer one")
  func nearerCycle() throws {
    var scene = Scene()
    Self.ring(2, from: 1, into: &scene)
    Self.ring(2, from: 11, into: &scene)
    scene.thread(20, holds: [.read(0xf0)], waits: .mutex(1 << 8))
    scene[11].held.append(.read(0xf0))
    scene.thread(21, waits: .write(0xf0))
    let candidates = scene.graph.candidates()
    #expect(candidates.map(\.members) == [tids(1, 2), tids(11, 12)])
    #expect(candidates.map(\.bystanders) == [tids(20), tids(21)])
  }

  @Test("A thread that locks a mutex it holds is deadlocked by itself")
  func relock() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa0)], waits: .mutex(0xa0, owner: 1))
    scene.agree()
    let candidate = try #require(scene.graph.candidates().first)
    #expect(candidate.kind == .selfDeadlock)
    #expect(candidate.members == tids(1))
    #expect(candidate.cycle.count == 1)
    #expect(candidate.cycle.first?.holders == tids(1))
  }

  @Test("One reader that wants to write is deadlocked by itself, while other readers may come and go")
  func loneUpgrade() throws {
    var scene = Scene()
    scene.thread(1, holds: [.read(0xa0)], waits: .write(0xa0))
    scene.thread(2, holds: [.read(0xa0)])
    scene.agree()
    let candidate = try #require(scene.graph.candidates().first)
    #expect(candidate.kind == .selfDeadlock)
    #expect(candidate.members == tids(1))
    #expect(candidate.cycle.first?.holderMode == .read)
    #expect(candidate.cycle.first?.holders == tids(1, 2))
  }

  @Test("Two readers that both want to write the same lock are an upgrade deadlock")
  func mutualUpgrade() throws {
    var scene = Scene()
    for tid: Int32 in [3, 1, 2] { scene.thread(tid, holds: [.read(0xa0)], waits: .write(0xa0)) }
    scene.agree()
    let candidate = try #require(scene.graph.candidates().first)
    #expect(candidate.kind == .upgradeDeadlock)
    #expect(candidate.members == tids(1, 2, 3))
    #expect(candidate.cycle.map(\.waiter) == tids(1, 2))
    #expect(candidate.cycle[0].holders.first == ThreadID(2))
    #expect(candidate.cycle[1].holders.first == ThreadID(1))
    #expect(scene.witnesses.judge(candidate).certainty == .proven)
  }

  @Test("A reader inside that reads again behind a pending writer is a recursive read deadlock")
  func recursiveRead() throws {
    var scene = Scene()
    scene.thread(1, holds: [.read(0xa0)], waits: .read(0xa0))
    scene.thread(2, waits: .write(0xa0))
    scene.agree(prefersWriters: true)
    let candidate = try #require(scene.graph.candidates().first)
    #expect(candidate.kind == .recursiveReadDeadlock)
    #expect(candidate.members == tids(1, 2))
    #expect(candidate.cycle.first?.blocking == .pendingWriter)
    #expect(scene.witnesses.judge(candidate).certainty == .proven)
    scene.agree()
    #expect(scene.graph.candidates().isEmpty, "A lock that prefers readers lets the reader in")
  }

  @Test("Readers of two locks behind each other's pending writers are a deadlock of two locks")
  func crossedReaders() throws {
    var scene = Scene()
    scene.thread(1, holds: [.read(0xa0)], waits: .read(0xb00))
    scene.thread(2, holds: [.read(0xb00)], waits: .read(0xa0))
    scene.thread(3, waits: .write(0xa0))
    scene.thread(4, waits: .write(0xb00))
    scene.agree(prefersWriters: true)
    let candidate = try #require(scene.graph.candidates().first)
    #expect(candidate.kind == .deadlock)
    #expect(candidate.members == tids(1, 2, 3, 4))
    #expect(candidate.cycle.map(\.waiter) == tids(1, 4, 2, 3))
  }

  @Test("A cycle with a join in it is a join cycle")
  func joinCycle() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa0)], waits: .join(2))
    scene.thread(2, waits: .mutex(0xa0))
    scene.agree()
    let candidate = try #require(scene.graph.candidates().first)
    #expect(candidate.kind == .joinCycle)
    #expect(scene.witnesses.judge(candidate).certainty == .proven)
  }

  @Test("A cycle in which one wait has a deadline is a timed cycle and never proven")
  func timedCycle() throws {
    var scene = Scene()
    Self.ring(3, into: &scene)
    scene[2].wait?.deadline = Scene.now
    scene.agree()
    let candidate = try #require(scene.graph.candidates().first)
    #expect(candidate.kind == .timedCycle)
    #expect(candidate.hasDeadline)
    #expect(candidate.members == tids(1, 2, 3))
    #expect(scene.witnesses.judge(candidate).certainty == .inferred)
  }

  @Test("A deadline past the end of the clock is none")
  func endlessDeadline() throws {
    var scene = Scene()
    Self.ring(2, into: &scene)
    scene[1].wait?.deadline = Instant(nanoseconds: .max)
    #expect(scene.graph.candidates().map(\.kind) == [.deadlock])
    #expect(scene.graph.edge(of: 1)?.deadline == nil)
  }

  @Test("A timed condition wait that re-acquires its mutex has no deadline any more: its cycle lasts")
  func timedConditionReacquires() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa000)], waits: .mutex(0xb000))
    scene.thread(2, holds: [.mutex(0xb000)], waits: .condition(0xc000, mutex: 0xa000))
    scene[2].wait?.deadline = Scene.now
    scene.agree()
    #expect(scene.graph.candidates().isEmpty)
    scene.kernel[ThreadID(2)] = .futexWait(word: Address(0xa000))
    let candidate = try #require(scene.graph.candidates().first)
    #expect(candidate.kind == .deadlock)
    #expect(candidate.members == tids(1, 2))
    #expect(scene.witnesses.judge(candidate).certainty == .proven)
  }

  @Test("A cycle that remains when timed waits are taken away is no timed cycle; the timed waiter stands behind it")
  func lastingInsideTimed() throws {
    var scene = Scene()
    // 1 and 2 wait for each other for good; 3 waits for 1 with a deadline, and 1 waits for 3 as well.
    scene.thread(1, holds: [.mutex(0x100)], waits: .write(0xa0))
    scene.thread(2, holds: [.read(0xa0)], waits: .mutex(0x100))
    scene.thread(3, holds: [.read(0xa0)], waits: .mutex(0x100, deadline: true))
    scene.agree()
    let candidates = scene.graph.candidates()
    #expect(candidates.map(\.kind) == [.deadlock])
    #expect(candidates.first?.members == tids(1, 2))
    #expect(candidates.first?.bystanders == tids(3))
    #expect(candidates.first?.hasDeadline == false)
  }

  @Test("A shortest cycle is shown where the component has several")
  func shortest() throws {
    var scene = Scene()
    Self.ring(6, into: &scene)
    // A chord: 1 also waits for 5, by waiting to write what 2 and 5 read.
    scene[1].wait = .write(0xf000)
    scene[2].held.append(.read(0xf000))
    scene[5].held.append(.read(0xf000))
    let candidate = try #require(scene.graph.candidates().first)
    #expect(candidate.members == tids(1, 2, 3, 4, 5, 6))
    #expect(candidate.cycle.map(\.waiter) == tids(1, 5, 6))
    #expect(candidate.cycle.first?.holders == tids(5, 2))
  }

  @Test("A semaphore used as a lock closes a weak cycle; one permit in a running thread's hands opens it")
  func semaphoreCycle() throws {
    var scene = Scene()
    let permit = { (object: UInt64) in
      Permit(object: Address(object), site: CallSite(address: Address(1)), takenTicks: 1, count: 1)
    }
    scene.thread(1, waits: .on(.semaphore, .exclusive, 0xb0))
    scene.thread(2, waits: .on(.semaphore, .exclusive, 0xa0))
    scene[1].permits = [permit(0xa0)]
    scene[2].permits = [permit(0xb0)]
    scene.agree()
    let candidate = try #require(scene.graph.candidates().first)
    #expect(candidate.kind == .deadlock)
    #expect(candidate.isWeak)
    #expect(scene.witnesses.judge(candidate).certainty == .suspect)
    scene.strangersPosts = [Address(0xb0)]
    #expect(scene.graph.candidates().isEmpty, "A thread that has ended posted it as a stranger")
    scene.strangersPosts = []
    scene.thread(3)
    scene[3].permits = [permit(0xb0)]
    #expect(scene.graph.candidates().isEmpty)
  }

  @Test(
    "Producers of a full queue that nobody has drained yet are a suspicion, and only once they have waited for the stall"
  )
  func boundedQueue() throws {
    var scene = Scene()
    // Both have put an item in, so each has a permit that the consumer will give back.
    let permit = Permit(object: Address(0xe0), site: CallSite(address: Address(1)), takenTicks: 1, count: 1)
    scene.thread(1, holds: [.mutex(0xa000)], waits: .on(.semaphore, .exclusive, 0xe0, for: 5))
    scene.thread(2, waits: .mutex(0xa000, for: 5, owner: 1))
    scene.thread(3)
    scene[1].permits = [permit]
    scene[2].permits = [permit]
    scene.agree()
    scene.alive = Set(tids(1, 2, 3))
    #expect(!scene.diagnosis(stall: 10).findings.contains { $0.kind.isHang })
    let finding = try #require(scene.diagnosis(stall: 4).findings.first { $0.kind == .deadlock })
    #expect(finding.certainty == .suspect)
  }

  @Test("A chain of ten thousand waiters that ends in a cycle does not exhaust the stack")
  func deepChain() throws {
    var scene = Scene()
    Self.ring(10_000, into: &scene)
    let ring = try #require(scene.graph.candidates().first)
    #expect(ring.members.count == 10_000)
    #expect(ring.cycle.count == 10_000)
    scene = Scene()
    Self.ring(2, from: 1, into: &scene)
    for tid: Int32 in 3...10_002 {
      scene.thread(tid, holds: [.mutex(UInt64(tid) << 8)], waits: .mutex(UInt64(tid - 1) << 8))
    }
    let chain = try #require(scene.graph.candidates().first)
    #expect(chain.members == tids(1, 2))
    #expect(chain.bystanders.count == 10_000)
  }

  @Test("Notes about the cycle's locks travel with it")
  func notes() throws {
    var scene = Scene()
    Self.ring(2, into: &scene)
    scene.thread(3, holds: [.mutex(1 << 8)])
    scene.agree()
    scene.words[Address(1 << 8)]?.owner = ThreadID(1)
    let candidate = try #require(scene.graph.candidates().first)
    #expect(candidate.notes.count == 1)
    #expect(candidate.notes.first?.contains("thread 3") == true)
  }
}
