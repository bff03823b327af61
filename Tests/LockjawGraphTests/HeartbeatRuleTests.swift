import LockjawModel
import Testing

@testable import LockjawGraph

/// Each test states one proposition of `HeartbeatRule.swift`.
@Suite struct HeartbeatRuleTests {
  private let late = Heartbeat(
    name: "loop", withinMilliseconds: 100, last: Instant(nanoseconds: 5), thread: ThreadID(1), count: 9)
  private let lock = Address(0x50), other = Address(0x60)

  private func held(_ object: Address) -> Held {
    Held(object: object, type: .mutex, mode: .exclusive, site: CallSite(address: Address(1)))
  }

  private func wait(_ object: Address, _ type: LockType = .mutex) -> Wait {
    Wait(
      sequence: 3, type: type, mode: .exclusive, object: object, site: CallSite(address: Address(2)),
      since: Instant(nanoseconds: 999_000_000_000))
  }

  private func judged(_ scene: Scene, _ missed: [Heartbeat]? = nil) -> Diagnosis {
    scene.diagnosis().adding(missed ?? [late], of: scene.graph) { scene.kernel[$0] }
  }

  @Test("A late heartbeat is a proven finding of its own, and a hang, whatever its thread does")
  func alone() {
    var scene = Scene()
    scene.thread(1)
    let diagnosis = judged(scene)
    #expect(diagnosis.verdict == .missedHeartbeat && diagnosis.verdict.isHang)
    #expect(diagnosis.findings.map(\.kind) == [.missedHeartbeat])
    #expect(diagnosis.findings[0].certainty == .proven && diagnosis.findings[0].culprit == ThreadID(1))
    #expect(judged(scene, []).findings.allSatisfy { $0.kind != .missedHeartbeat })
  }

  @Test("A deadlock that its thread is part of, or stuck behind, explains it and says so")
  func explained() throws {
    for beater in [Int32(1), 3] {
      var scene = Scene()
      scene.thread(1, holds: [held(lock)], waits: wait(other))
      scene.thread(2, holds: [held(other)], waits: wait(lock))
      scene.thread(3, waits: wait(lock))
      scene.agree()
      var beat = late
      beat.thread = ThreadID(beater)
      let diagnosis = judged(scene, [beat])
      #expect(diagnosis.findings.map(\.kind) == [.deadlock])
      #expect(try #require(diagnosis.findings.first).evidence.contains { $0.contains("heartbeat: \"loop\" is missed") })
    }
  }

  @Test("A lock whose holder goes on explains nothing: the heartbeat is reported with what its thread waits for")
  func contended() throws {
    var scene = Scene()
    scene.thread(1, waits: wait(lock))
    scene.thread(2, holds: [held(lock)])
    scene.agree()
    scene.kernel[ThreadID(2)] = .running
    let diagnosis = judged(scene)
    #expect(diagnosis.verdict == .missedHeartbeat)
    let finding = try #require(diagnosis.findings.first { $0.kind == .missedHeartbeat })
    #expect(finding.edges.map(\.waiter) == [ThreadID(1)] && finding.edges.map(\.holders) == [[ThreadID(2)]])
  }

  @Test("A process in which one is missed is not idle, and one that is stopped has missed none")
  func idleAndStopped() {
    var scene = Scene()
    scene.thread(1, waits: wait(lock, .condition))
    scene.listsEveryThread = true
    scene.kernel[ThreadID(1)] = .futexWait(word: lock)
    let diagnosis = judged(scene)
    #expect(!diagnosis.findings.contains { $0.kind == .idle })
    #expect(diagnosis.ofStopped().findings.allSatisfy { $0.kind != .missedHeartbeat })
  }

  @Test("Where the host keeps its thread from running, it is missed, and only a suspicion")
  func starved() throws {
    var scene = Scene()
    scene.thread(1)
    scene.kernel[ThreadID(1)] = .running
    let use = ProcessorUse(
      watchedNanoseconds: 20_000_000, intendedNanoseconds: 20_000_000, ranNanoseconds: 0,
      delayedNanoseconds: 19_000_000, totalNanoseconds: 1)
    let starved = try #require(judged(scene).weighingHolders { _ in use }.findings.first)
    #expect(starved.kind == .missedHeartbeat && starved.certainty == .suspect)
    var busy = use
    (busy.ranNanoseconds, busy.delayedNanoseconds) = (19_000_000, 0)
    #expect(try #require(judged(scene).weighingHolders { _ in busy }.findings.first).certainty == .proven)
  }
}
