import LockjawModel
import Testing

@testable import LockjawGraph

/// H11, W7: what the kernel keeps, had by processes.
@Suite struct KernelObjectTests {
  private let journal: UInt64 = 0xA000_0000_0000_0001
  private let table: UInt64 = 0xA000_0000_0000_0002

  private func has(_ object: UInt64, _ type: LockType = .fileLock) -> Held {
    Held(object: Address(object), type: type, mode: .exclusive, site: CallSite(address: Address(0)), evidence: .kernel)
  }
  private func wait(_ object: UInt64, _ type: LockType = .fileLock, for seconds: Double = 1) -> Wait {
    var wait = Wait.on(type, .exclusive, object, for: seconds)
    wait.isFromKernel = true
    return wait
  }

  /// Threads 1 and 11 of one process, 2 of another; each process has one file locked and wants the other's.
  private func scene(secondThread: Wait?) -> Scene {
    var scene = Scene()
    scene.thread(1, holds: [has(journal)], waits: wait(table))
    scene.thread(11, holds: [has(journal)], waits: secondThread)
    scene.thread(2, holds: [has(table)], waits: wait(journal))
    scene[2].process = 2
    for tid: Int32 in [1, 2, 11] { scene.kernel[ThreadID(tid)] = .systemCall(number: 73, name: "flock") }
    return scene
  }

  @Test("Two processes that each have what the other waits for are a deadlock, never a proven one")
  func cycle() throws {
    let diagnosis = scene(secondThread: wait(table)).diagnosis()
    #expect(diagnosis.verdict == .deadlock)
    let finding = try #require(diagnosis.findings.first)
    #expect(finding.certainty == .inferred)
    #expect(finding.members == tids(1, 2, 11))
    #expect(finding.edges.allSatisfy { $0.evidence == .kernel && $0.hold != nil })
    #expect(finding.evidence.contains { $0.contains("thread 2 is one of process 2") })
  }

  @Test("Any thread of a process can let go of what it has, so one that waits for nothing is enough")
  func freeThread() {
    #expect(scene(secondThread: nil).diagnosis().findings.allSatisfy { !$0.kind.isHang })
  }

  @Test("A thread that is not asleep in a call refutes nothing and proves nothing: the cycle is suspect")
  func running() {
    var scene = scene(secondThread: wait(table))
    scene.kernel[ThreadID(2)] = .running
    #expect(scene.diagnosis().findings.first?.certainty == .suspect)
  }

  @Test(
    "Waiting long for a child, a pipe or a socket is nothing by itself; for a file lock it is a long hold",
    arguments: [LockType.child, .pipe, .socket, .fileLock])
  func longWait(type: LockType) {
    var scene = Scene()
    scene.thread(1, waits: wait(journal, type, for: 100))
    scene.thread(2, holds: [has(journal, type)])
    scene.kernel = [ThreadID(1): .systemCall(number: 61, name: "wait4"), ThreadID(2): .running]
    let kinds = scene.diagnosis(stall: 10).findings.map(\.kind)
    #expect(kinds == (type == .fileLock ? [.longHold] : []))
  }

  @Test("A mutex and a child's end make one cycle")
  func mixed() throws {
    var scene = Scene()
    scene.thread(1, holds: [.mutex(0x1000)], waits: wait(journal, .child))
    scene.thread(2, holds: [has(journal, .child)], waits: .mutex(0x1000))
    scene[2].process = 2
    scene.kernel = [
      ThreadID(1): .systemCall(number: 61, name: "wait4"), ThreadID(2): .futexWait(word: Address(0x1000)),
    ]
    scene.words[Address(0x1000)] = LockWord(
      address: Address(0x1000), type: .mutex, owner: ThreadID(1), recordsOwner: true, isTaken: true, description: "",
      byteCount: 40)
    let diagnosis = scene.diagnosis()
    #expect(diagnosis.verdict == .deadlock)
    #expect(diagnosis.findings.first?.certainty == .inferred)
  }
}
