import LockjawModel
import Testing

@testable import LockjawGraph

/// The rules for what is no cycle: L, U and N of `LongHoldRule`, `UnknownHangRule`, `ContentionRule`.
@Suite struct DiagnosisTests {
  @Test("A process without waits is healthy")
  func healthy() {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa000)])
    #expect(scene.diagnosis() == Diagnosis(verdict: .healthy, findings: []))
  }

  @Test("Waits for conditions, barriers, futexes and joins alone are idleness, however long")
  func idle() throws {
    var scene = Scene()
    scene.thread(1, waits: .condition(0xc000, mutex: 0xa000, for: 1000))
    scene.thread(2, waits: .on(.barrier, .signal, 0xd000, for: 1000))
    scene.thread(3, waits: .join(1, for: 1000))
    scene.thread(4, waits: .on(.futex, .signal, 0xe000, for: 1000))
    scene.thread(5)
    scene.agree()
    scene.kernel[ThreadID(5)] = .systemCall(number: 232, name: "epoll_wait")
    let diagnosis = scene.diagnosis()
    #expect(diagnosis.verdict == .idle)
    #expect(diagnosis.findings.first?.members == tids(1, 2, 3, 4))
  }

  @Test("A deadlock is the verdict over everything else, and its bystanders are not reported again")
  func deadlockFirst() throws {
    var scene = Scene()
    CycleTests.ring(2, into: &scene)
    scene.thread(3, waits: .mutex(1 << 8, for: 100))
    scene.thread(4, holds: [.mutex(0xf000)])
    scene.thread(5, waits: .mutex(0xf000, for: 0.1, owner: 4))
    scene.agree()
    let diagnosis = scene.diagnosis()
    #expect(diagnosis.verdict == .deadlock)
    #expect(diagnosis.findings.map(\.kind) == [.deadlock, .contention])
    #expect(diagnosis.findings[0].certainty == .proven)
    #expect(diagnosis.findings[0].bystanders == tids(3))
    #expect(diagnosis.findings[1].members == tids(5))
  }

  @Test("A cycle that its witnesses refute is no finding")
  func refuted() throws {
    var scene = Scene()
    CycleTests.ring(2, into: &scene)
    scene.agree()
    var second = scene
    second[1].wait?.sequence = 9
    let witnesses = Witnesses(
      first: scene.threads, second: second.threads, words: scene.words, kernel: scene.kernel)
    let diagnosis = Diagnosis.of(scene.graph, witnesses: witnesses, now: Scene.now, stall: 10)
    #expect(diagnosis.verdict == .contention)
  }

  @Test("Without witnesses a cycle is inferred")
  func unwitnessed() {
    var scene = Scene()
    CycleTests.ring(2, into: &scene)
    let diagnosis = Diagnosis.of(scene.graph, now: Scene.now, stall: 10)
    #expect(diagnosis.findings.first?.certainty == .inferred)
  }

  @Test(
    "Of a process that ended nobody knows when, a cycle that must have lasted is suspect, and its unknown age is said")
  func endUnknown() throws {
    var scene = Scene()
    for (tid, own, other): (Int32, UInt64, UInt64) in [(1, 0xa000, 0xb000), (2, 0xb000, 0xa000)] {
      scene.thread(tid, waits: .on(.semaphore, .exclusive, other, for: 0.001))
      scene[tid].permits = [
        Permit(object: Address(own), site: CallSite(address: Address(1)), takenTicks: 1, count: 1)
      ]
    }
    scene.agree()
    #expect(scene.diagnosis().verdict == .contention)
    let finding = try #require(scene.diagnosis(isEndUnknown: true).findings.first)
    #expect((finding.kind, finding.certainty) == (.deadlock, .suspect))
    #expect(finding.evidence.contains { $0.contains("nobody recorded when the process ended") })
    // One that is known to have lasted needs no such words; nor does a cycle of locks that only their owners release.
    let lasted = try #require(scene.diagnosis(stall: 0.0005, isEndUnknown: true).findings.first)
    #expect(!lasted.evidence.contains { $0.contains("nobody recorded when the process ended") })
    var mutexes = Scene()
    CycleTests.ring(2, into: &mutexes)
    mutexes.agree()
    let ring = try #require(mutexes.diagnosis(isEndUnknown: true).findings.first)
    #expect((ring.kind, ring.certainty) == (.deadlock, .proven))
  }

  @Test("A semaphore's cycle is suspect, and none before the stall; that ended threads may have posted it is said")
  func unknownPosts() throws {
    var scene = Scene()
    for (tid, own, other): (Int32, UInt64, UInt64) in [(1, 0xa000, 0xb000), (2, 0xb000, 0xa000)] {
      scene.thread(tid, waits: .on(.semaphore, .exclusive, other, for: 11))
      scene[tid].permits = [
        Permit(object: Address(own), site: CallSite(address: Address(1)), takenTicks: 1, count: 1)
      ]
    }
    scene.thread(3)
    scene.agree()
    scene.kernel[ThreadID(3)] = .running
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.certainty == .suspect)
    #expect(!finding.evidence.contains { $0.contains("threads that have ended") })
    #expect(scene.diagnosis(stall: 12).verdict == .contention)
    scene.strangersPosts = nil
    let doubted = try #require(scene.diagnosis().findings.first)
    #expect(doubted.certainty == .suspect)
    #expect(doubted.evidence.contains { $0.contains("threads that have ended") })
    #expect(scene.diagnosis().verdict == .deadlock)
    #expect(scene.diagnosis(stall: 12).verdict == .contention)
  }

  // MARK: long holds

  @Test("A wait longer than the stall blames the holder and says what the kernel says of it")
  func longHold() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa000)])
    scene.thread(2, holds: [.mutex(0xb000)], waits: .mutex(0xa000, for: 12.3, owner: 1))
    scene.thread(3, waits: .mutex(0xb000, for: 11, owner: 2))
    scene.agree()
    scene.kernel[ThreadID(1)] = .systemCall(number: 0, name: "read")
    let diagnosis = scene.diagnosis()
    let finding = try #require(diagnosis.findings.first)
    #expect(diagnosis.verdict == .longHold)
    #expect(diagnosis.findings.count == 1)
    #expect(finding.culprit == ThreadID(1))
    #expect(finding.culpritState == .systemCall(number: 0, name: "read"))
    #expect(finding.members == tids(2))
    #expect(finding.bystanders == tids(3))
    #expect(finding.evidence[0].contains("at least 12.3 s"))
    #expect(finding.evidence[1] == "kernel: thread 1 is in the system call read.")
  }

  @Test("A holder that itself waits, but not for long, is to blame rather than the lock's holder behind it")
  func busyHolder() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa000)])
    scene.thread(2, holds: [.mutex(0xb000)], waits: .mutex(0xa000, for: 0.01, owner: 1))
    scene.thread(3, waits: .mutex(0xb000, for: 20, owner: 2))
    scene.agree()
    let findings = scene.diagnosis().findings
    #expect(findings.map(\.kind) == [.longHold, .contention])
    #expect(findings[0].culprit == ThreadID(2))
    #expect(findings[1].members == tids(2))
  }

  @Test("A holder asleep in a futex wait is named with that wait")
  func asleepHolder() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa000)], waits: .on(.futex, .signal, 0xf000, for: 30))
    scene.thread(2, waits: .mutex(0xa000, for: 25, owner: 1))
    scene.thread(3)
    scene.agree()
    scene.kernel[ThreadID(3)] = .running
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.kind == .longHold)
    #expect(finding.culprit == ThreadID(1))
    #expect(finding.evidence.last == "arena: thread 1 itself waits in a futex wait on 0xf000, for 30 s.")
  }

  @Test("A lock that its present holder got lately is a convoy, not a long hold")
  func convoy() throws {
    var scene = Scene()
    let lately = Instant(nanoseconds: Scene.now.nanoseconds - 1_000_000)
    scene.thread(1, holds: [.mutex(0xa000, since: lately)])
    scene.thread(2, waits: .mutex(0xa000, for: 20, owner: 9))
    scene.agree()
    #expect(scene.diagnosis().verdict == .contention)
    scene[1].held = [.mutex(0xa000)]
    #expect(scene.diagnosis().verdict == .contention, "The wait began while thread 9 was the owner")
    scene[2].wait = .mutex(0xa000, for: 20, owner: 1)
    #expect(scene.diagnosis().verdict == .longHold)
  }

  @Test("Joining a busy thread for long is no long hold")
  func longJoin() {
    var scene = Scene()
    scene.thread(1, waits: .join(2, for: 1000))
    scene.thread(2)
    scene.agree()
    scene.kernel[ThreadID(2)] = .running
    #expect(scene.diagnosis().verdict == .healthy)
  }

  @Test("Short waits for a lock are contention")
  func contention() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa000)])
    for tid: Int32 in 2...6 { scene.thread(tid, waits: .mutex(0xa000, for: 0.5, owner: 1)) }
    scene.agree()
    let diagnosis = scene.diagnosis()
    #expect(diagnosis.verdict == .contention)
    #expect(diagnosis.findings.first?.evidence == ["5 threads wait for 1 lock, the longest for 500 ms."])
    #expect(diagnosis.findings.first?.edges.count == 5)
  }

  // MARK: hangs without a holder

  @Test("A long wait for a lock that nobody is known to hold is a hang, with the word's words")
  func phantom() throws {
    var scene = Scene()
    scene.thread(1, waits: .read(0xa000, for: 20))
    scene.thread(2)
    scene.agree()
    scene.kernel[ThreadID(2)] = .running
    scene.words[Address(0xa000)]?.isTaken = true
    scene.words[Address(0xa000)]?.description = "write-locked by nobody"
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.kind == .hangUnknown)
    #expect(finding.certainty == .suspect)
    #expect(finding.evidence == ["lock word: rwlock 0xa000 is write-locked by nobody, and nobody is known to hold it."])
    scene[1].wait?.deadline = Scene.now
    #expect(scene.diagnosis().verdict == .contention)
  }

  private static func futexes() -> Scene {
    var scene = Scene()
    scene.thread(1, waits: .join(2, for: 30))
    scene.thread(2, waits: .on(.futex, .signal, 0xa000, for: 30))
    scene.thread(3, waits: .on(.futex, .signal, 0xb000, for: 2))
    scene.agree()
    scene.alive = [ThreadID(1), ThreadID(2), ThreadID(3)]
    return scene
  }

  @Test("Plain futex waits are a hang where every thread sleeps in one without a deadline")
  func everyoneAsleep() throws {
    let finding = try #require(Self.futexes().diagnosis().findings.first)
    #expect(finding.kind == .hangUnknown)
    #expect(finding.certainty == .suspect)
    #expect(finding.members == tids(2, 3))
    #expect(finding.edges.map(\.waiter) == tids(2, 3))
    #expect(finding.edges.allSatisfy { $0.holders.isEmpty && $0.evidence == .none })
  }

  @Test(
    "Plain futex waits are idleness while one thread is in another system call, cannot be asked, or has a deadline",
    arguments: [KernelState.systemCall(number: 0, name: "read"), .unknown(reason: "no right."), nil])
  func oneAwake(state: KernelState?) {
    var scene = Self.futexes()
    scene.alive?.insert(ThreadID(4))
    scene.kernel[ThreadID(4)] = state
    #expect(scene.diagnosis().verdict == .idle)
    scene = Self.futexes()
    scene[3].wait?.deadline = Scene.now
    #expect(scene.diagnosis().verdict == .idle)
    scene = Self.futexes()
    scene[2].wait = .on(.futex, .signal, 0xa000, for: 3)
    #expect(scene.diagnosis().verdict == .idle)
  }

  @Test("A process in which a thread runs is not idle, whatever the others wait for")
  func oneRuns() {
    var scene = Self.futexes()
    scene.alive?.insert(ThreadID(4))
    scene.kernel[ThreadID(4)] = .running
    #expect(scene.diagnosis() == Diagnosis(verdict: .healthy, findings: []))
  }

  @Test("Where nobody records who takes semaphores, idleness says that they may be locks")
  func unrecordedSemaphores() throws {
    var scene = Scene()
    scene.thread(1, waits: .on(.semaphore, .exclusive, 0xa000, for: 100))
    scene.thread(2)
    scene.agree()
    scene.kernel[ThreadID(2)] = .systemCall(number: 34, name: "pause")
    #expect(scene.diagnosis().verdict == .idle)
    #expect(
      scene.diagnosis().findings.first?.evidence.contains { $0.contains("semaphores are used as locks") } == false)
    scene.strangersPosts = nil
    #expect(scene.diagnosis().findings.first?.evidence.contains { $0.contains("semaphores are used as locks") } == true)
  }

  @Test("Of a dead process, plain futex waits are a hang where every thread in the arena waits")
  func deadProcess() throws {
    var scene = Self.futexes()
    scene.alive = nil
    scene.kernel = [:]
    #expect(scene.diagnosis().verdict == .idle, "Threads that neither wait nor hold may be missing from the list")
    scene.listsEveryThread = true
    #expect(scene.diagnosis().verdict == .hangUnknown)
    scene.thread(4)
    #expect(scene.diagnosis().verdict == .idle)
  }

  @Test("A semaphore with value 0 that nobody has is a signal: idle, or a hang when all sleep")
  func semaphoreSignal() {
    var scene = Scene()
    scene.thread(1, waits: .on(.semaphore, .exclusive, 0xa000, for: 100))
    scene.thread(2)
    scene.agree()
    scene.kernel[ThreadID(2)] = .systemCall(number: 34, name: "pause")
    #expect(scene.diagnosis().verdict == .idle)
    scene.threads.removeLast()
    #expect(scene.diagnosis().verdict == .hangUnknown)
  }

  @Test("A suspected hang is the verdict only where no surer hang is known")
  func verdictOrder() {
    var scene = Scene.orphan()
    scene.thread(11, holds: [.mutex(0xc000)], waits: .mutex(0xd000))
    scene.thread(12, holds: [.mutex(0xd000)], waits: .mutex(0xc000))
    scene.agree()
    scene.alive = [ThreadID(2), ThreadID(3), ThreadID(11), ThreadID(12)]
    #expect(scene.diagnosis().verdict == .deadlock)
    scene.kernel[ThreadID(11)] = .running
    #expect(scene.diagnosis().verdict == .orphanedLock)
    #expect(scene.diagnosis().findings.map(\.kind) == [.deadlock, .orphanedLock])
  }
}
