import LockjawModel
import Testing

@testable import LockjawEmulator

/// What a run proves after a call that it had to give up.
@Suite("Calls that were given up")
struct GapTests {
  /// Where the frame has a guard, or where an earlier one stood: nothing tells.
  private func frame(_ write: (inout FrameCode) -> Void) -> FrameCode {
    var frame = FrameCode(stack: [0, FrameCode.lock, 0, FrameCode.caller])
    write(&frame)
    frame.leave()
    return frame
  }

  /// Who holds the lock, of which the word says that one thread does.
  private func holders(_ frame: FrameCode, count: Int? = 1) -> FoundHolders {
    let lock = LockSemantics(.rustMutex, at: Address(FrameCode.lock))
    var run = frame.run
    let end = run.forward(FrameCode.frame(words: 4), result: 0, limit: .first, watching: [lock])
    let thread = SearchedThread(tid: ThreadID(7), frames: [], fsBase: 0)
    let answer = FrameAnswer(parts: [FrameAnswer.Part(rung: .forwardRun, events: run.events, end: end)])
    let found = FrameAnswer.holds(of: 0, in: thread, answers: [(0, answer)], locks: [lock])
    return CountCheck.check(
      SearchedLock(lock, expected: ExpectedHolders(mode: .exclusive, count: count)), found, threads: [thread],
      unansweredFrames: 0)
  }

  @Test("A guard that a frame drops proves a hold, whatever it calls afterwards")
  func before() {
    let found = holders(
      frame {
        $0.dropGuard()
        $0.call(FrameCode.never)
      })
    #expect(found.holds.map(\.strength) == [.run])
    #expect(found.check == .confirmed && found.doubtful.isEmpty)
  }

  @Test(
    "A guard where a call should have put one proves nothing, though the lock counts one holder: not where the call was given up, nor where it does not return and is passed over",
    arguments: [FrameCode.never, FrameCode.panics])
  func resultOfACall(callee: UInt64) {
    let found = holders(
      frame {
        $0.add([0x48, 0x8D, 0x7C, 0x24, 0x08])  // lea rdi, [rsp + 8]
        $0.call(callee)
        $0.dropGuard()
      })
    #expect(found.holds.isEmpty)
    #expect(found.check == .short(by: 1))
    #expect(found.doubtful.map(\.tid) == [ThreadID(7)])
  }

  @Test(
    "A result that is missing elsewhere leaves the frame's guards, if the count confirms them",
    arguments: [true, false])
  func resultElsewhere(isOwnCall: Bool) {
    let code = frame {
      // Into the frame of `endsNever`, which has returned by the drop; or none.
      $0.add(isOwnCall ? [0x31, 0xFF] : [0x48, 0x8D, 0x7C, 0x24, 0xF0])  // xor edi, edi; lea rdi, [rsp - 16]
      $0.call(isOwnCall ? FrameCode.never : FrameCode.endsNever)
      $0.dropGuard()
    }
    let found = holders(code)
    #expect(found.holds.map(\.strength) == [.incompleteRun])
    #expect(found.check == .confirmed)
    guard !found.holds.isEmpty else { return }
    for count in [2, nil] {
      var read = SearchedLock(LockSemantics(.rustRwLock, at: Address(FrameCode.lock)), expected: nil)
      read.expected = ExpectedHolders(mode: .read, count: count)
      var hold = found.holds[0]
      hold.mode = .read
      let unconfirmed = CountCheck.check(read, [hold], threads: [], unansweredFrames: 0)
      #expect(unconfirmed.holds.isEmpty && unconfirmed.doubtful == [hold])
      #expect(unconfirmed.check == (count.map { .short(by: $0) } ?? .unchecked))
    }
  }

  @Test("Who waits until a time comes to an end: the clocks of a run go on")
  func clock() {
    var frame = FrameCode(stack: [0, 0, 0, FrameCode.caller])
    frame.add([0x48, 0x8D, 0x34, 0x24])  // lea rsi, [rsp]
    frame.call(FrameCode.clock)
    frame.add([0x4C, 0x8B, 0x24, 0x24])  // mov r12, [rsp]
    frame.add([0x49, 0x83, 0xC4, 0x05])  // add r12, 5
    let loop = frame.code.count
    frame.add([0x48, 0x8D, 0x34, 0x24])  // lea rsi, [rsp]
    frame.call(FrameCode.clock)
    frame.add([0x4C, 0x39, 0x24, 0x24])  // cmp [rsp], r12
    frame.add([0x72, UInt8(truncatingIfNeeded: loop - frame.code.count - 2)])  // jb loop
    frame.leave()
    var run = frame.run
    let end = run.forward(FrameCode.frame(words: 4), result: 0, limit: .first, watching: [])
    let instructions = run.instructions
    #expect(end == .complete && instructions < 20)
  }
}
