import LockjawModel
import Testing

@testable import LockjawDiagnosis

@Suite struct TimedWaitsTests {
  private func thread(_ tid: Int32, _ type: LockType, isTimed: Bool) -> ThreadState {
    var state = ThreadState(tid: ThreadID(tid), name: "", slot: Int(tid))
    state.wait = Wait(
      sequence: 1, type: type, mode: .exclusive, object: Address(0x1000), site: CallSite(address: Address(0)),
      since: .unknown, deadline: isTimed ? Instant(nanoseconds: 1) : nil)
    return state
  }

  @Test("Waits for locks with a time limit are listed, as what no look can judge; others are not")
  func listed() throws {
    let sentence = try #require(
      TimedWaits.sentence([
        thread(9, .rwlock, isTimed: true), thread(7, .mutex, isTimed: true), thread(8, .mutex, isTimed: false),
        thread(6, .condition, isTimed: true),
      ]))
    #expect(sentence.hasPrefix("Waits with a time limit (threads 7, 9): "))
    #expect(TimedWaits.sentence([thread(8, .mutex, isTimed: false), thread(6, .futex, isTimed: true)]) == nil)
  }

  @Test("Of many, the first are named and the rest counted")
  func many() throws {
    let sentence = try #require(TimedWaits.sentence((1...20).map { thread($0, .mutex, isTimed: true) }))
    #expect(sentence.contains("(threads 1, 2, 3, 4, 5, 6, 7, 8 and 12 more)"))
  }
}
