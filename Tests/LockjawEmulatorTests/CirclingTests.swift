import LockjawModel
import Testing

@testable import LockjawEmulator

/// Frames that go round: when that is noticed, and what is tried then.
@Suite("Circling frames")
struct CirclingTests {
  /// How many calls to one place it takes, a round being so many instructions.
  private func callsUntilCircling(_ instructionsOfARound: Int) -> Int? {
    var watch = CircleWatch()
    for call in 0..<10_000 {
      // Other calls between them do not hide it.
      _ = watch.isCircling(0x9000, call * instructionsOfARound)
      if watch.isCircling(0x1000, call * instructionsOfARound) { return call + 1 }
    }
    return nil
  }

  @Test("A frame that drops three hundred guards one by one is not taken for a loop; one that works in rounds soon is")
  func rounds() throws {
    #expect(try #require(callsUntilCircling(20)) > 300)
    #expect(try #require(callsUntilCircling(3)) > 300)
    #expect(try #require(callsUntilCircling(1_500)) == 4)
    #expect(try #require(callsUntilCircling(250)) == 9)
  }

  @Test("What led out for two threads is tried first for the third, and a loop without an end is left alone")
  func experience() {
    var circling = CirclingFrames()
    var tried: [CirclingFrames.Way] = []
    func run(_ returnAddress: UInt64, leadsOut: (CirclingFrames.Way) -> Bool) {
      tried = []
      circling.tryWays(out: returnAddress, .frame) { way, _ in
        tried.append(way)
        return leadsOut(way) ? .leadsOut : .circles
      }
    }
    for _ in 0..<2 {
      run(0x1000) { $0 == .flippedBranch(3) }
      #expect(tried.first == .result(0) && tried.last == .flippedBranch(3) && tried.count == 5)
    }
    run(0x1000) { $0 == .flippedBranch(3) }
    #expect(tried == [.flippedBranch(3)])
    #expect(circling.isCircling(0x1000))
    // Where that does not help, everything is tried as before.
    run(0x1000) { $0 == .flippedBranch(4) }
    #expect(tried.contains(.result(0)) && tried.last == .flippedBranch(4))

    for _ in 0..<2 {
      run(0x2000) { _ in false }
      #expect(tried.count == 13)
    }
    run(0x2000) { _ in false }
    #expect(tried == [.result(0)])
    // Another place knows nothing of it, and what ends by itself is run once.
    run(0x3000) { $0 == .result(0) }
    #expect(tried == [.result(0)] && !circling.isCircling(0x3000))
  }

  @Test("abseil's words: unlocking and locking are told apart by what they want, whoever waits")
  func abseil() {
    let mutex = LockSemantics(.abseilMutex, at: Address(0x1000))
    func meaning(_ access: LockAccess, word: UInt64 = 0, isRepeated: Bool = false) -> (LockOperation, UInt64?) {
      mutex.meaning(of: access, offset: 0, width: 8, word: word, isRepeated: isRepeated)
    }
    // Held, with a queue behind it: a look finds it held and nobody waiting, the same instruction's next look finds it free.
    let written: UInt64 = 0x7F00_0000_1200 | 8 | 4
    #expect(meaning(.load, word: written) == (.neutral, 8))
    #expect(meaning(.load, word: written, isRepeated: true) == (.neutral, 0))
    #expect(meaning(.load, word: 0x7F00_0000_1200 | 1 | 4).1 == 0x201)
    #expect(meaning(.load).1 == 0)
    #expect(meaning(.compareExchange(expected: 8, new: 0)) == (.release(.write), 8))
    #expect(meaning(.compareExchange(expected: 0, new: 8)) == (.acquire(.write), 0))
    #expect(meaning(.compareExchange(expected: 0x201, new: 0x101)) == (.release(.read), 0x201))
    #expect(meaning(.compareExchange(expected: 0x101, new: 0)) == (.release(.read), 0x101))
    #expect(meaning(.compareExchange(expected: 0, new: 0x101)) == (.acquire(.read), 0))
    #expect(meaning(.compareExchange(expected: 0x201, new: 0x301)) == (.acquire(.read), 0x201))
    // It queues itself.
    #expect(meaning(.compareExchange(expected: 8, new: 0x7F00_0000_1300 | 8 | 4)).0 == .acquire(nil))
    // Somebody else has it as before.
    #expect(meaning(.compareExchange(expected: 8, new: 8 | 64)).0 == .neutral)
  }
}
