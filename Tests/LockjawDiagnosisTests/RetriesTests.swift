import LockjawModel
import Testing

@testable import LockjawDiagnosis

@Suite struct RetriesTests {
  private let lock = Address(0x1000)
  /// Waits of 50 ms that end `gap` ms before the next begins; the newest first.
  private func past(_ count: Int, gap: UInt64 = 1, outcome: PastWait.Outcome = .timeout) -> [PastWait] {
    (1...count).map { index in
      PastWait(
        type: .rwlock, mode: .write, object: lock, site: CallSite(address: Address(0)),
        begin: Instant(nanoseconds: 10_000_000_000 - UInt64(index) * (50 + gap) * 1_000_000),
        durationNanoseconds: 50_000_000, outcome: outcome)
    }
  }
  private var wait: Wait {
    Wait(
      sequence: 7, type: .rwlock, mode: .write, object: lock, site: CallSite(address: Address(0)),
      since: Instant(nanoseconds: 10_000_000_000))
  }

  @Test("Time limits that ran out one after the other are counted, back to the first")
  func counted() throws {
    let found = try #require(Retries.before(wait, in: past(12)))
    #expect(found.count == 12 && !found.isAll)
    #expect(found.since == past(12).last?.begin)
    #expect(try #require(Retries.before(wait, in: past(39))).isAll)
  }

  @Test("The wait itself, still in progress, is not among its past")
  func itself() throws {
    var events = past(3)
    events.insert(
      PastWait(
        type: .rwlock, mode: .write, object: lock, site: CallSite(address: Address(0)), begin: wait.since,
        durationNanoseconds: 0, outcome: .inProgress), at: 0)
    #expect(try #require(Retries.before(wait, in: events)).count == 3)
  }

  @Test("A success, another lock or a pause in between ends the row")
  func ended() throws {
    var events = past(10)
    events[4].outcome = .acquired
    #expect(try #require(Retries.before(wait, in: events)).count == 4)
    events = past(10)
    events[2].object = Address(0x2000)
    #expect(try #require(Retries.before(wait, in: events)).count == 2)
    #expect(Retries.before(wait, in: past(10, gap: 20)) == nil)
    #expect(Retries.before(wait, in: past(10, outcome: .acquired)) == nil)
    #expect(Retries.before(wait, in: []) == nil)
  }

  @Test("Times that cannot be are the end of the row, and no trap")
  func hostile() {
    var events = past(3)
    events[0].durationNanoseconds = .max
    #expect(Retries.before(wait, in: events) == nil)
  }
}
