import LockjawModel
import Testing

@testable import LockjawWatch

/// When a follower looks for heartbeats, and what it calls missed.
@Suite struct HeartbeatWatchTests {
  private var watch = HeartbeatWatch()
  private static let second: UInt64 = 1_000_000_000

  private static func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: second + milliseconds * 1_000_000) }

  private static func beat(at milliseconds: UInt64, within: UInt32 = 200, name: String = "loop") -> Heartbeat {
    Heartbeat(name: name, withinMilliseconds: within, last: at(milliseconds), thread: ThreadID(1), count: 1)
  }

  private mutating func look(_ beats: [Heartbeat], at milliseconds: UInt64, stopped: Bool = false) -> Bool {
    watch.look(beats, now: Self.at(milliseconds)) { stopped }
  }

  @Test("It looks again right after the first beat is due, and not at all where none is expected")
  mutating func due() {
    #expect(!look([], at: 0) && watch.nextLook == nil)
    #expect(!look([Self.beat(at: 0), Self.beat(at: 0, within: 50, name: "fast")], at: 10))
    #expect(watch.nextLook == Instant(nanoseconds: Self.at(50).nanoseconds + 1))
    #expect(!look([Self.beat(at: 0)], at: 200), "due, not late")
  }

  @Test("One that does not come is news once, and news again after it has come and failed to")
  mutating func once() {
    #expect(!look([Self.beat(at: 0)], at: 10))
    #expect(look([Self.beat(at: 0)], at: 201))
    #expect(watch.missed.map(\.name) == ["loop"])
    #expect(!look([Self.beat(at: 0)], at: 900))
    #expect(!look([Self.beat(at: 950)], at: 960) && watch.missed.isEmpty)
    #expect(look([Self.beat(at: 950)], at: 1151))
  }

  @Test("One that was doubted is asked about again at the next look")
  mutating func doubted() {
    _ = look([Self.beat(at: 0)], at: 10)
    #expect(look([Self.beat(at: 0)], at: 201))
    watch.doubt(HeartbeatWatch.Beat(Self.beat(at: 0)))
    #expect(look([Self.beat(at: 0)], at: 1201) && !look([Self.beat(at: 0)], at: 1300))
  }

  @Test("While the process is stopped nothing is missed, and after it the loop gets its whole time")
  mutating func stopped() {
    #expect(!look([Self.beat(at: 0)], at: 10))
    for moment in stride(from: UInt64(205), through: 505, by: 50) {
      #expect(!look([Self.beat(at: 0)], at: moment, stopped: true) && watch.missed.isEmpty)
    }
    #expect(!look([Self.beat(at: 0)], at: 560) && watch.missed.isEmpty)
    #expect(look([Self.beat(at: 0)], at: 706))
  }

  @Test("A watcher that comes late itself doubts its clock first, but not for ever")
  mutating func late() {
    #expect(!look([Self.beat(at: 0)], at: 10))
    #expect(!look([Self.beat(at: 0)], at: 5000) && watch.missed.isEmpty)
    #expect(look([Self.beat(at: 0)], at: 5201))
    #expect(!look([Self.beat(at: 6000)], at: 6010))
    #expect(!look([Self.beat(at: 6000)], at: 7000) && !look([Self.beat(at: 6000)], at: 8000))
    #expect(look([Self.beat(at: 6000)], at: 9000))
  }

  @Test("A time limit beyond all time is never over")
  mutating func endless() {
    var beat = Self.beat(at: 0, within: .max)
    #expect(!look([beat], at: 10))
    beat.last = Instant(nanoseconds: .max)
    _ = look([beat], at: 20)
  }
}
