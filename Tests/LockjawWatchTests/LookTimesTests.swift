import LockjawModel
import Testing

@testable import LockjawWatch

/// When a wait that goes on is looked at again; each test states a rule of `LookTimes`.
@Suite struct LookTimesTests {
  private static let begin: UInt64 = 5_000_000_000_000

  private static func wait(since nanoseconds: UInt64 = begin) -> Wait {
    Wait(
      sequence: 1, type: .mutex, mode: .exclusive, object: Address(0x1000), site: CallSite(address: Address(0x2000)),
      since: Instant(nanoseconds: nanoseconds))
  }

  /// Ages in seconds at which a wait is looked at, the first few.
  private static func ages(_ times: LookTimes, count: Int) -> [Double] {
    var ages: [Double] = []
    var now = Instant(nanoseconds: begin)
    for _ in 0..<count {
      now = times.next(of: wait(), after: now)
      ages.append(now.seconds(since: Instant(nanoseconds: begin)))
    }
    return ages
  }

  @Test("A wait is looked at after a first look's time, after the stall, and whenever it has doubled its age, for ever")
  func doubling() {
    #expect(Self.ages(LookTimes(firstLook: 1, stall: 10), count: 6) == [1, 10, 20, 40, 80, 160])
    // No first look comes after the stall.
    #expect(Self.ages(LookTimes(firstLook: 1, stall: 0.5), count: 4) == [0.5, 1, 2, 4])
  }

  @Test("The next time is always later, also where clocks disagree, a wait has no date, or the stall is absurd")
  func later() {
    let now = Instant(nanoseconds: Self.begin)
    for stall in [0, 1e-9, 10, 1e30, .infinity] {
      let times = LookTimes(firstLook: 1, stall: stall)
      for since: UInt64 in [0, 1, Self.begin - 1, Self.begin, Self.begin + 1, .max - 1, .max] {
        #expect(times.next(of: Self.wait(since: since), after: now) > now, "stall \(stall), since \(since)")
      }
    }
  }
}
