import LockjawModel
import Testing

@testable import LockjawGraph

/// One pass over a large process: build the graph, search it. The budget is 5 ms in release for 10,000 threads.
@Suite(.serialized) struct GraphSpeedTests {
  /// Ten threads deadlock in a ring; of the others a third waits in chains, a tenth of these for the ring, a third for
  /// conditions, and a third runs and holds locks. Every waiter's word is known.
  private static func process() -> Scene {
    var scene = Scene()
    CycleTests.ring(10, from: 1, into: &scene)
    for tid: Int32 in 11...10_000 {
      let own: [Held] = [.mutex(UInt64(tid) << 8), .read(0xffff_0000 + UInt64(tid % 64) << 8)]
      switch tid % 3 {
      case 0:
        let ahead = tid % 30 == 0 ? tid % 10 + 1 : max(11, tid - 3)
        scene.thread(tid, holds: own, waits: .mutex(UInt64(ahead) << 8, for: 1, owner: ahead))
      case 1: scene.thread(tid, waits: .condition(UInt64(tid) << 20, mutex: UInt64(tid) << 8))
      default: scene.thread(tid, holds: own)
      }
    }
    for thread in scene.threads {
      guard let wait = thread.wait, wait.type == .mutex else { continue }
      scene.words[wait.object] = LockWord(
        address: wait.object, type: .mutex, owner: ThreadID(Int32(wait.object.rawValue >> 8)), recordsOwner: true,
        isTaken: true, variant: "normal", description: "locked", byteCount: 40)
    }
    return scene
  }

  private static func milliseconds(_ runs: Int, _ body: () -> Void) -> (median: Double, worst: Double) {
    let clock = ContinuousClock()
    let times = (0..<runs).map { _ in
      let elapsed = clock.measure(body).components
      return Double(elapsed.seconds) * 1e3 + Double(elapsed.attoseconds) / 1e15
    }.sorted()
    return (times[times.count / 2], times[times.count - 1])
  }

  @Test("One pass over 10,000 threads, 10 of them deadlocked, takes milliseconds")
  func pass() throws {
    let scene = Self.process()
    #expect(scene.graph.candidates().map(\.members.count) == [10])
    let alive = Set(scene.threads.map(\.tid))
    let withWords = Self.milliseconds(21) {
      let graph = WaitForGraph(threads: scene.threads, words: scene.words, kernel: scene.kernel, aliveThreads: alive)
      precondition(graph.candidates().count == 1)
    }
    let arenaAlone = Self.milliseconds(21) {
      precondition(WaitForGraph(threads: scene.threads).candidates().count == 1)
    }
    let diagnosis = Self.milliseconds(5) { precondition(scene.diagnosis().verdict == .deadlock) }
    print(
      "graph pass, 10,000 threads: median \(withWords.median) ms (worst \(withWords.worst)) with words, "
        + "\(arenaAlone.median) ms (worst \(arenaAlone.worst)) from the arena alone, "
        + "\(diagnosis.median) ms with all findings")
    // Debug code is many times slower and the machine may be busy: this catches only a change of complexity.
    #if DEBUG
      #expect(withWords.median < 500)
    #else
      #expect(withWords.median < 25)
    #endif
  }

  @Test("5,000 writers behind 5,000 readers that want to write as well are linear, not 25 million edges")
  func crowd() throws {
    var scene = Scene()
    for tid: Int32 in 1...5_000 {
      scene.thread(tid, holds: [.read(0xa000)], waits: .write(0xa000))
      scene.thread(5_000 + tid, waits: .write(0xa000))
    }
    scene.agree()
    let time = Self.milliseconds(3) {
      let candidates = scene.graph.candidates()
      precondition(candidates.first?.members.count == 5_000 && candidates.first?.bystanders.count == 5_000)
    }
    print("graph pass, 5,000 writers behind 5,000 upgraders: median \(time.median) ms")
    #if DEBUG
      #expect(time.median < 1000)
    #else
      #expect(time.median < 50)
    #endif
  }
}
