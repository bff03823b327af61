import LockjawModel
import Testing

@testable import LockjawGraph

/// What two sides say differently of a lock is in the finding about it, whatever rule the finding comes from.
@Suite struct ContradictionTests {
  /// Thread 1 has a mutex by its word, thread 9 by the arena; thread 2 waits.
  private static func twoOwners(for seconds: Double) -> Scene {
    var scene = Scene()
    scene.thread(1)
    scene.thread(2, waits: .mutex(0xa000, for: seconds, owner: 1))
    scene.thread(9, holds: [.mutex(0xa000)])
    scene.agree()
    scene.words[Address(0xa000)]?.owner = ThreadID(1)
    scene.kernel[ThreadID(1)] = .running
    return scene
  }
  private static let stale =
    "lock word: mutex 0xa000 is owned by thread 1; the arena's entry that thread 9 holds it is stale and was dropped."

  @Test("The word names one owner and the arena another: said in a long hold and in contention", arguments: [20.0, 1])
  func owners(seconds: Double) throws {
    let finding = try #require(Self.twoOwners(for: seconds).diagnosis().findings.first)
    #expect(finding.kind == (seconds == 20 ? .longHold : .contention))
    #expect(finding.edges.first?.holders == tids(1))
    #expect(finding.evidence.filter { $0 == Self.stale }.count == 1)
  }

  @Test("A free lock's entry is said to be stale where somebody waits for it without end")
  func free() throws {
    var scene = Self.twoOwners(for: 20)
    scene.words[Address(0xa000)]?.isTaken = false
    scene.words[Address(0xa000)]?.owner = nil
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.kind == .hangUnknown)
    #expect(
      finding.evidence.contains { $0.hasPrefix("lock word: mutex 0xa000 is free; the arena's entry that thread 9") })
  }

  @Test("A holder that frames name and the word contradicts is said to come from frames, not from the arena")
  func frames() throws {
    var scene = Self.twoOwners(for: 20)
    scene[9].held[0].evidence = .landingPad
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(
      finding.evidence.contains(
        "lock word: mutex 0xa000 is owned by thread 1; that by its frames thread 9 holds it is contradicted and was dropped."
      ))
  }

  @Test("An rwlock that counts other readers than the arena lists: said in a long hold, and once in a cycle")
  func readers() throws {
    var scene = Scene()
    scene.thread(1, holds: [.read(0xa000)])
    scene.thread(2, waits: .write(0xa000, for: 20))
    scene.agree()
    scene.kernel[ThreadID(1)] = .running
    #expect(scene.diagnosis().findings.first?.evidence.contains { $0.contains("readers inside") } == false)
    scene.words[Address(0xa000)]?.readerCount = 3
    let text = "lock word: rwlock 0xa000 counts 3 readers inside, the arena lists 1."
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.kind == .longHold)
    #expect(finding.evidence.filter { $0 == text }.count == 1)

    scene.thread(3, holds: [.mutex(0xb000)])
    scene[1].wait = .mutex(0xb000, for: 20, owner: 2)
    scene[2].held = [.mutex(0xb000)]
    scene.threads.removeLast()
    scene.agree()
    scene.words[Address(0xa000)]?.readerCount = 3
    let cycle = try #require(scene.diagnosis().findings.first)
    #expect(cycle.kind == .deadlock && cycle.certainty == .suspect)
    #expect(cycle.evidence.filter { $0.contains("counts 3 readers inside") }.count == 1)
  }

  private static func unheld() -> Scene {
    var scene = Scene()
    scene.thread(1, waits: .read(0xa000, for: 20))
    scene.thread(2)
    scene.agree()
    scene.words[Address(0xa000)]?.isTaken = true
    return scene
  }

  @Test("A waiter that runs has been woken and is about to have the lock: no hang")
  func wokenWaiter() {
    var scene = Self.unheld()
    #expect(scene.diagnosis().verdict == .hangUnknown)
    scene.kernel[ThreadID(1)] = .running
    #expect(!scene.diagnosis().findings.contains { $0.kind.isHang })
  }

  @Test("A waiter that the kernel has doing something else is said to")
  func kernel() throws {
    var scene = Self.unheld()
    let state = KernelState.systemCall(number: 0, name: "read")
    scene.kernel[ThreadID(1)] = state
    let finding = try #require(scene.diagnosis().findings.first)
    #expect(finding.kind == .hangUnknown)
    #expect(finding.evidence.contains("kernel: thread 1 is \(state.words), not asleep for the rwlock."))
  }
}
