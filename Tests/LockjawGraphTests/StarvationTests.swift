import LockjawModel
import Testing

@testable import LockjawGraph

@Suite struct StarvationTests {
  /// A holder that runs, and a waiter that has waited for longer than the stall.
  private var longHold: Scene {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0x1000, since: Instant(nanoseconds: 1))])
    scene.thread(2, waits: .mutex(0x1000, for: 30, owner: 1))
    scene.agree()
    scene.kernel[ThreadID(1)] = .running
    return scene
  }
  private func use(
    ran: UInt64, delayed: UInt64, watched: UInt64 = 50, intended: UInt64 = 50, throttled: UInt64? = nil
  ) -> ProcessorUse {
    ProcessorUse(
      watchedNanoseconds: watched * 1_000_000, intendedNanoseconds: intended * 1_000_000,
      ranNanoseconds: ran * 1_000_000, delayedNanoseconds: delayed * 1_000_000, totalNanoseconds: 7_000_000_000,
      hostPressurePercent: 93.2, throttledNanoseconds: throttled.map { $0 * 1_000_000 })
  }

  @Test(
    "A holder that is ready and hardly gets to run is the host's doing; one that runs, or rests, is not",
    arguments: [
      (0, 50, nil, FindingKind.hostStarved), (12, 38, nil, .hostStarved), (20, 30, nil, .longHold),
      (50, 0, nil, .longHold), (0, 0, nil, .longHold), (5, 0, 45, .hostStarved), (0, 20, 10, .longHold),
    ] as [(UInt64, UInt64, UInt64?, FindingKind)])
  func weighed(ran: UInt64, delayed: UInt64, throttled: UInt64?, expected: FindingKind) throws {
    let diagnosis = longHold.diagnosis().weighingHolders { tid in
      #expect(tid == ThreadID(1))
      return use(ran: ran, delayed: delayed, throttled: throttled)
    }
    #expect(diagnosis.verdict == expected)
    let finding = try #require(diagnosis.findings.first)
    #expect(finding.certainty == .inferred)
    #expect(finding.evidence.contains { $0.contains("it has used 7000 ms of processor time in all") })
    #expect(finding.evidence.contains { $0.contains("93 % of the time") } == (expected == .hostStarved))
  }

  @Test("A watcher that comes late itself doubts what it sees")
  func late() {
    let diagnosis = longHold.diagnosis().weighingHolders { _ in use(ran: 0, delayed: 400, watched: 400) }
    #expect(diagnosis.findings.first?.certainty == .suspect)
    #expect(diagnosis.findings.first?.evidence.last?.hasPrefix("lockjaw itself was late") ?? false)
  }

  @Test("A holder that sleeps is not watched at all")
  func asleep() {
    var scene = longHold
    scene.kernel[ThreadID(1)] = .systemCall(number: 0, name: "read")
    let diagnosis = scene.diagnosis().weighingHolders { _ in
      Issue.record("a sleeping thread was watched")
      return nil
    }
    #expect(diagnosis.verdict == .longHold)
  }

  @Test("Of a process that is stopped as a whole only what stays when it goes on is reported")
  func stopped() {
    #expect(longHold.diagnosis().ofStopped().findings.isEmpty)
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0x1000)], waits: .mutex(0x2000))
    scene.thread(2, holds: [.mutex(0x2000)], waits: .mutex(0x1000))
    scene.agree()
    #expect(scene.diagnosis().ofStopped().verdict == .deadlock)
  }

  // MARK: waiters that never get it (W5)

  private func facts(_ waiters: [LockWaiter]) -> LockFacts {
    LockFacts(
      word: LockWord(
        address: Address(0x1000), type: .rwlock, recordsOwner: true, readerCount: 2, isTaken: true, description: "",
        byteCount: 56), waiters: waiters)
  }
  private func waiter(
    _ tid: Int32, timeouts: Int, for seconds: Double, limited: Bool = true, isAllItsHistory: Bool = false
  ) -> LockWaiter {
    LockWaiter(
      thread: ThreadID(tid), mode: .write, since: Instant(nanoseconds: Scene.now.nanoseconds - UInt64(seconds * 1e9)),
      hasTimeLimit: limited, timeouts: timeouts, isAllItsHistory: isAllItsHistory)
  }

  @Test("Waiters that run out of time again and again, while others pass the lock on, are suspected of a livelock")
  func livelock() throws {
    let finding = try #require(
      facts([waiter(1, timeouts: 10, for: 12), waiter(2, timeouts: 40, for: 20)])
        .starvation(now: Scene.now, stall: 10) { true })
    #expect(finding.kind == .livelock && finding.certainty == .suspect)
    #expect(finding.members == tids(1, 2))
  }

  @Test("A full history that reaches back a second is as good as the stall")
  func fullHistory() {
    let full = facts([waiter(1, timeouts: 39, for: 1.9, isAllItsHistory: true)])
    #expect(full.starvation(now: Scene.now, stall: 10) { true } != nil)
    let short = facts([waiter(1, timeouts: 39, for: 0.4, isAllItsHistory: true)])
    #expect(short.starvation(now: Scene.now, stall: 10) { true } == nil)
  }

  @Test("Few tries, a short time, a waiter without a limit, or a lock that one keeps: no livelock")
  func noLivelock() {
    func isFound(_ waiters: [LockWaiter], passes: Bool = true) -> Bool {
      facts(waiters).starvation(now: Scene.now, stall: 10) { passes } != nil
    }
    #expect(!isFound([waiter(1, timeouts: 9, for: 20)]))
    #expect(!isFound([waiter(1, timeouts: 100, for: 9)]))
    #expect(!isFound([waiter(1, timeouts: 100, for: 20), waiter(2, timeouts: 0, for: 1)]))
    #expect(!isFound([waiter(1, timeouts: 100, for: 20, limited: false)]))
    #expect(!isFound([waiter(1, timeouts: 100, for: 20)], passes: false))
    #expect(!isFound([]))
  }
}
