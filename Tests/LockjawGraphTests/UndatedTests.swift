import LockjawModel
import Testing

@testable import LockjawGraph

/// Cores of the kernel and of gcore say of no thread since when it has waited; and findings that rest on guesses.
@Suite struct UndatedTests {
  /// Thread 1 has a mutex and does `state`; thread 2 waits for it, since nobody knows when.
  private static func hold(_ state: KernelState) -> Scene {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa000)])
    scene.thread(2, waits: .mutex(0xa000))
    scene[2].wait?.since = .unknown
    scene.agree()
    scene.kernel[ThreadID(1)] = state
    scene.alive = [ThreadID(1), ThreadID(2)]
    return scene
  }

  @Test("A holder that sleeps in a system call is shown as one, suspect, and that its age is not known is said")
  func sleepingHolder() throws {
    let scene = Self.hold(.systemCall(number: 0, name: "read"))
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.kind == .longHold)
    #expect(finding.certainty == .suspect)
    #expect(finding.culprit == ThreadID(1))
    #expect(finding.evidence.first == "Thread 1 holds 0xa000 and keeps 1 thread waiting; \(Survey.undated).")
    #expect(!finding.evidence.contains { $0.contains("0.0 s") })
  }

  @Test("A holder that runs makes it contention, of an unknown age", arguments: [KernelState.running, nil])
  func runningHolder(state: KernelState?) throws {
    var scene = Self.hold(.running)
    scene.kernel[ThreadID(1)] = state
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.kind == .contention)
    #expect(finding.evidence == ["1 thread waits for 1 lock, \(Survey.undated)."])
  }

  @Test("A dated wait that is shorter than the stall is contention as before, though another is undated")
  func mixed() throws {
    var scene = Self.hold(.running)
    scene.thread(3, waits: .mutex(0xa000, for: 2))
    scene.alive?.insert(ThreadID(3))
    scene.agree()
    scene.kernel[ThreadID(1)] = .running
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.kind == .contention)
    #expect(finding.evidence == ["2 threads wait for 1 lock, the longest for 2 s."])
  }

  @Test(
    "An undated wait for a lock that nobody is known to hold is a suspected hang where everybody sleeps, else contention"
  )
  func unheld() throws {
    var scene = Scene()
    scene.thread(1, waits: .read(0xa000))
    scene[1].wait?.since = .unknown
    scene.agree()
    scene.words[Address(0xa000)]?.isTaken = true
    scene.alive = [ThreadID(1), ThreadID(2)]
    scene.kernel[ThreadID(2)] = .systemCall(number: 34, name: "pause")
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.kind == .hangUnknown)
    #expect(finding.certainty == .suspect)
    #expect(finding.evidence.contains("They wait, \(Survey.undated)."))
    for state in [KernelState.running, .unknown(reason: "no right."), nil] {
      scene.kernel[ThreadID(2)] = state
      #expect(scene.diagnosis().verdict == .contention, "\(String(describing: state))")
    }
  }

  // MARK: guesses

  private static func twoHangs() -> Diagnosis {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa000)], waits: .mutex(0xb000, for: 20, owner: 2))
    scene.thread(2, holds: [.mutex(0xb000)], waits: .mutex(0xa000, for: 20, owner: 1))
    scene.thread(3, waits: .read(0xc000, for: 20))
    scene.thread(4, holds: [.mutex(0xd000)])
    scene.thread(5, waits: .mutex(0xd000, for: 20, owner: 4))
    scene.agree()
    scene.kernel[ThreadID(4)] = .running
    scene.words[Address(0xc000)]?.isTaken = true
    return scene.diagnosis()
  }

  @Test("A hang that rests on a guessed wait is suspect and says so; without a guess nothing changes")
  func doubted() throws {
    let diagnosis = Self.twoHangs()
    #expect(diagnosis.findings.map(\.kind) == [.deadlock, .longHold, .hangUnknown])
    #expect(diagnosis.findings.map(\.certainty) == [.proven, .inferred, .suspect])
    #expect(diagnosis.doubting([]) == diagnosis)

    let doubted = diagnosis.doubting([ThreadID(2)])
    #expect(doubted.findings.map(\.certainty) == [.suspect, .inferred, .suspect])
    #expect(doubted.findings[0].evidence.last?.contains("told by values in memory only") == true)
    #expect(doubted.findings[0].evidence.dropLast() == diagnosis.findings[0].evidence[...])
    #expect(doubted.findings[1...] == diagnosis.findings[1...])
    // Of suspected hangs the most serious is the verdict.
    #expect(doubted.verdict == .deadlock)
  }

  @Test("A guess of a bystander, of a holder, or in what is no hang doubts nothing")
  func undoubted() {
    let diagnosis = Self.twoHangs()
    #expect(diagnosis.doubting([ThreadID(4), ThreadID(5), ThreadID(99)]) == diagnosis)
  }

  @Test("A hang that is doubted gives the verdict to a surer one")
  func surer() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa000)], waits: .mutex(0xb000, for: 20, owner: 2))
    scene.thread(2, holds: [.mutex(0xb000)], waits: .mutex(0xa000, for: 20, owner: 1))
    scene.thread(3, holds: [.mutex(0xd000)])
    scene.threads[2].phase = .exitedHolding(at: Scene.now)
    scene.thread(4, waits: .mutex(0xd000, for: 20))
    scene.agree()
    scene.alive = [ThreadID(1), ThreadID(2), ThreadID(4)]
    #expect(scene.diagnosis().verdict == .deadlock)
    #expect(scene.diagnosis().doubting([ThreadID(1)]).verdict == .orphanedLock)
  }
}
