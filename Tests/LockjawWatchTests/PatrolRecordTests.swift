import LockjawInspect
import LockjawModel
import Testing

@testable import LockjawWatch

/// Which sleeps in the kernel a patrol stops a process for.
@Suite struct PatrolRecordTests {
  private static let pid: Int32 = 4711
  private var record = PatrolRecord()

  private static func sleeper(_ thread: Int32, _ switches: UInt64, _ call: String = "73 0x3 0x2") -> KernelSleeper {
    KernelSleeper(thread: ThreadID(thread), stillness: Stillness(switches: switches, call: call))
  }

  private mutating func patrol(_ sleepers: Set<KernelSleeper>) -> Set<KernelSleeper> {
    record.begin()
    return record.due(sleepers, of: Self.pid)
  }

  @Test("A sleep is due when two patrols have met it")
  mutating func twice() {
    let asleep = Self.sleeper(1, 7)
    #expect(patrol([asleep]) == [])
    #expect(patrol([asleep]) == [asleep])
    // Not looked at for want of time: it stays due.
    #expect(patrol([asleep]) == [asleep])
    #expect(patrol([Self.sleeper(1, 8)]) == [])
  }

  @Test("A look that makes the thread run for an instant is the only one at its sleep")
  mutating func once() {
    let (asleep, after) = (Self.sleeper(1, 7), Self.sleeper(1, 9))
    _ = patrol([asleep])
    let due = patrol([asleep])
    record.looked(at: due, of: Self.pid, after: [after])
    for _ in 0..<4 { #expect(patrol([after]) == []) }
    // It has woken, and sleeps anew.
    let next = Self.sleeper(1, 11)
    #expect(patrol([next]) == [])
    #expect(patrol([next]) == [next])
  }

  @Test("After a look, a thread in another call, or one that was not looked at, is a new sleep")
  mutating func others() {
    let asleep = Self.sleeper(1, 7)
    _ = patrol([asleep])
    let due = patrol([asleep])
    let after: Set = [Self.sleeper(1, 9, "61 0x7"), Self.sleeper(2, 3)]
    record.looked(at: due, of: Self.pid, after: after)
    #expect(patrol(after) == [])
    #expect(patrol(after) == after)
  }
}
