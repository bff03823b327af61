import LockjawModel
import Testing

@testable import LockjawGraph

extension Scene {
  /// The first thread ended holding what the second waits for, which holds what the third waits for.
  static func orphan() -> Scene {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0xa000)])
    scene.threads[0].phase = .exitedHolding(at: Scene.now)
    scene.thread(2, holds: [.mutex(0xb000)], waits: .mutex(0xa000))
    scene.thread(3, waits: .mutex(0xb000, owner: 2))
    scene.agree()
    scene.alive = [ThreadID(2), ThreadID(3)]
    return scene
  }
}

/// The rule for locks whose owner is gone: O of `OrphanRule`.
@Suite struct OrphanRuleTests {
  @Test("A mutex whose owner exited is orphaned: proven by its slot, its word and the kernel")
  func orphanProven() throws {
    let diagnosis = Scene.orphan().diagnosis()
    let finding = try #require(diagnosis.findings.first)
    #expect(diagnosis.verdict == .orphanedLock)
    #expect(finding.certainty == .proven)
    #expect(finding.culprit == ThreadID(1))
    #expect(finding.members == tids(2))
    #expect(finding.bystanders == tids(3))
    #expect(finding.edges.first?.hold?.site.address == Address(0x40))
    #expect(diagnosis.findings.count == 1)
  }

  @Test("Without the word, or without the kernel's list, an orphaned lock is inferred")
  func orphanInferred() {
    var scene = Scene.orphan()
    scene.words = [:]
    #expect(scene.diagnosis().findings.first?.certainty == .inferred)
    scene = Scene.orphan()
    scene.alive = nil
    #expect(scene.diagnosis().findings.first?.certainty == .inferred)
    #expect(scene.diagnosis().verdict == .orphanedLock)
  }

  @Test("A dead owner that only the word names is an orphan once the wait is longer than the stall")
  func orphanByWord() throws {
    var scene = Scene.orphan()
    scene.threads.removeFirst()
    #expect(scene.diagnosis().verdict == .contention)
    scene[2].wait = .mutex(0xa000, for: 11)
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.kind == .orphanedLock)
    #expect(finding.certainty == .inferred)
    scene.words[Address(0xa000)]?.variant = "normal, process-shared"
    let shared = try #require(scene.diagnosis().findings.first)
    #expect(shared.kind == .longHold)
    #expect(shared.culprit == ThreadID(1))
    #expect(shared.evidence.contains { $0.contains("may be shared with another process") })
    scene.words[Address(0xa000)]?.variant = "normal, robust"
    #expect(scene.diagnosis().verdict == .longHold)
  }

  @Test(
    "A dead owner that only the word names is a suspicion where a living thread may have the lock under that number")
  func orphanUnderAnotherNumber() throws {
    var scene = Scene.orphan()
    scene.threads.removeFirst()
    scene[2].wait = .mutex(0xa000, for: 11)
    scene.thread(4)
    scene[4].heldIsIncomplete = true
    scene.alive?.insert(ThreadID(4))
    var finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.kind == .orphanedLock)
    #expect(finding.certainty == .suspect)
    #expect(finding.evidence.contains { $0.contains("the list of thread 4 lacks locks") })
    scene[4].heldIsIncomplete = false
    #expect(scene.diagnosis().findings.first?.certainty == .inferred)
    scene[4].held = [.mutex(0xa000)]
    finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.certainty == .suspect)
    #expect(finding.evidence.contains { $0.contains("thread 4 lists it") })
  }

  @Test("An orphan whose word may be older than the process is a suspicion; one that the arena lists is not doubted")
  func orphanFromBeforeFork() throws {
    var scene = Scene.orphan()
    #expect(scene.diagnosis().doubtingOwners { _ in true }.findings.first?.certainty == .proven)
    scene.threads.removeFirst()
    scene[2].wait = .mutex(0xa000, for: 11)
    #expect(scene.diagnosis().doubtingOwners { $0 != ThreadID(1) }.findings.first?.certainty == .inferred)
    let finding = try #require(scene.diagnosis().doubtingOwners { $0 == ThreadID(1) }.findings.first)
    #expect(finding.kind == .orphanedLock)
    #expect(finding.certainty == .suspect)
  }

  @Test("A robust mutex hands a dead owner's lock on, and is no orphan before the stall")
  func robustOrphan() {
    var scene = Scene.orphan()
    scene.words[Address(0xa000)]?.variant = "robust"
    #expect(scene.diagnosis().verdict == .contention)
  }

  @Test("A lock that its dead owner released is no orphan")
  func released() {
    var scene = Scene.orphan()
    scene.words[Address(0xa000)]?.isTaken = false
    scene.words[Address(0xa000)]?.owner = nil
    #expect(scene.diagnosis().verdict == .contention)
  }

  @Test("A reader that exited inside an rwlock orphans it for writers")
  func orphanedReader() throws {
    var scene = Scene()
    scene.thread(1, holds: [.read(0xa000)])
    scene.threads[0].phase = .exitedHolding(at: Scene.now)
    scene.thread(2, waits: .write(0xa000))
    scene.agree()
    scene.alive = [ThreadID(2)]
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.kind == .orphanedLock)
    #expect(finding.certainty == .proven)
  }
}
