import LockjawModel
import Testing

@testable import LockjawEmulator

@Suite("Semantics of absl::Mutex")
struct AbseilSemanticsTests {
  /// What an access means, and what the run finds.
  private struct Seen: Equatable {
    var operation: LockOperation
    var word: UInt64?
    init(_ operation: LockOperation, _ word: UInt64?) {
      self.operation = operation
      self.word = word
    }
  }

  @Test("abseil's words: unlocking and locking are told apart by what they want, whoever waits")
  func abseil() {
    let mutex = LockSemantics(.abseilMutex, at: Address(0x1000))
    func meaning(_ access: LockAccess, word: UInt64 = 0, isRepeated: Bool = false) -> Seen {
      let (operation, presented) = mutex.meaning(of: access, offset: 0, width: 8, word: word, isRepeated: isRepeated)
      return Seen(operation, presented)
    }
    // Held, with a queue behind it: a look finds it held and nobody waiting, the same instruction's next look finds it free.
    let written: UInt64 = 0x7F00_0000_1200 | 8 | 4
    #expect(meaning(.load, word: written) == Seen(.neutral, 8))
    #expect(meaning(.load, word: written, isRepeated: true) == Seen(.neutral, 0))
    #expect(meaning(.load, word: 0x7F00_0000_1200 | 1 | 4).word == 0x201)
    #expect(meaning(.load).word == 0)
    #expect(meaning(.compareExchange(expected: 8, new: 0)) == Seen(.release(.write), 8))
    #expect(meaning(.compareExchange(expected: 0, new: 8)) == Seen(.acquire(.write), 0))
    #expect(meaning(.compareExchange(expected: 0x201, new: 0x101)) == Seen(.release(.read), 0x201))
    #expect(meaning(.compareExchange(expected: 0x101, new: 0)) == Seen(.release(.read), 0x101))
    #expect(meaning(.compareExchange(expected: 0, new: 0x101)) == Seen(.acquire(.read), 0))
    #expect(meaning(.compareExchange(expected: 0x201, new: 0x301)) == Seen(.acquire(.read), 0x201))
    // It queues itself.
    #expect(meaning(.compareExchange(expected: 8, new: 0x7F00_0000_1300 | 8 | 4)).operation == .acquire(nil))
    // Somebody else has it as before.
    #expect(meaning(.compareExchange(expected: 8, new: 8 | 64)).operation == .neutral)
  }
}
