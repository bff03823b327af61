import LockjawInspect
import LockjawModel
import Testing

@testable import LockjawWatch

/// Which sleeps are worth stopping a process for; each test states a rule of `SleepRecord`.
@Suite struct SleepRecordTests {
  private static let worker = ThreadID(1)
  private static let other = ThreadID(2)
  private var record = SleepRecord(firstLook: 1, stall: 10)

  private static func at(_ seconds: Double) -> Instant { Instant(nanoseconds: UInt64((1000 + seconds) * 1e9)) }

  private static func sleeper(_ switches: UInt64, _ place: String = "0xa000 0x80", isFutex: Bool = true) -> Sleeper {
    Sleeper(
      stillness: Stillness(switches: switches, call: (isFutex ? "202 " : "0 ") + place), place: place,
      isInFutexWait: isFutex)
  }

  private mutating func note(
    _ seconds: Double, _ sleepers: [ThreadID: Sleeper], all: Bool = false
  ) -> Set<ThreadID> {
    record.note(sleepers, allInFutexWaits: all, at: Self.at(seconds))
    return record.due(at: Self.at(seconds))
  }

  @Test("A sleep is due after a first look and once more after the stall, each once")
  mutating func twice() {
    let asleep = [Self.worker: Self.sleeper(7)]
    #expect(note(0, asleep) == [])
    #expect(note(0.9, asleep) == [])
    #expect(note(1.1, asleep) == [Self.worker])
    // The look makes it run: another count, the same place.
    let after = [Self.worker: Self.sleeper(9)]
    record.looked(at: Self.at(1.1), signals: [], after: after)
    #expect(note(5, after) == [])
    #expect(note(10.1, after) == [Self.worker])
    #expect(record.since[Self.worker] == Self.at(0))
    record.looked(at: Self.at(10.1), signals: [], after: [Self.worker: Self.sleeper(11)])
    #expect(note(60, [Self.worker: Self.sleeper(11)]) == [])
  }

  @Test("Who has run sleeps anew, and who sleeps elsewhere after a look has not slept on")
  mutating func anew() {
    #expect(note(0, [Self.worker: Self.sleeper(7)]) == [])
    #expect(note(1.5, [Self.worker: Self.sleeper(8)]) == [])
    #expect(note(2.6, [Self.worker: Self.sleeper(8)]) == [Self.worker])
    record.looked(at: Self.at(2.6), signals: [], after: [Self.worker: Self.sleeper(10, "0xb000 0x80")])
    _ = note(2.7, [Self.worker: Self.sleeper(10, "0xb000 0x80")])
    #expect(record.since[Self.worker] == Self.at(2.7))
  }

  @Test("Waits for what anyone can end are looked at once, and again only after a long while")
  mutating func signals() {
    _ = note(0, [Self.worker: Self.sleeper(1)])
    #expect(note(1, [Self.worker: Self.sleeper(1)]) == [Self.worker])
    record.looked(at: Self.at(1), signals: [Self.worker], after: [Self.worker: Self.sleeper(2)])
    // It works, and comes back to the same place.
    _ = note(3, [Self.worker: Self.sleeper(5)])
    #expect(note(20, [Self.worker: Self.sleeper(5)]) == [])
    // The same thread in another place is another wait.
    _ = note(21, [Self.worker: Self.sleeper(6, "0xb000 0x80")])
    #expect(note(22.5, [Self.worker: Self.sleeper(6, "0xb000 0x80")]) == [Self.worker])
    // Ten stalls later the first place may be anything.
    _ = note(100, [Self.worker: Self.sleeper(7)])
    #expect(note(102, [Self.worker: Self.sleeper(7)]) == [Self.worker])
  }

  @Test("Where every thread sleeps in a futex wait for the stall, nobody is left to end anything: a look is due")
  mutating func everybody() {
    let asleep = [Self.worker: Self.sleeper(1), Self.other: Self.sleeper(1, "0xc000 0x80")]
    _ = note(0, asleep, all: true)
    #expect(note(1, asleep, all: true) == [Self.worker, Self.other])
    record.looked(at: Self.at(1), signals: [Self.worker, Self.other], after: asleep)
    #expect(note(9, asleep, all: true) == [])
    #expect(note(10, asleep, all: false) == [])
    #expect(note(10, asleep, all: true) == [Self.worker, Self.other])
    record.looked(at: Self.at(10), signals: [Self.worker, Self.other], after: asleep)
    #expect(note(30, asleep, all: true) == [])
  }

  @Test("Sleeps in other calls are dated and cost no look")
  mutating func otherCalls() {
    let asleep = [Self.worker: Self.sleeper(1, isFutex: false)]
    _ = note(0, asleep)
    #expect(note(100, asleep) == [])
    #expect(record.since[Self.worker] == Self.at(0))
  }
}
