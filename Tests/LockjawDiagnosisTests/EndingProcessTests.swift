import LockjawModel
import Testing

@testable import LockjawDiagnosis

/// What is seen of a process while a signal ends it.
@Suite("A process that is being ended")
struct EndingProcessTests {
  private let asleep = KernelState.futexWait(word: Address(0xa000))

  @Test("leaves no orphaned lock: its waiters are awake or gone, where an orphan's sleep on")
  func waiters() {
    #expect(SecondLook.areBeingEnded([.running]))
    #expect(SecondLook.areBeingEnded([.gone, .running]))
    #expect(!SecondLook.areBeingEnded([.running, asleep]))
    #expect(!SecondLook.areBeingEnded([.systemCall(number: 202, name: "futex")]))
  }

  @Test("is not told from the kernel's silence")
  func silence() {
    #expect(!SecondLook.areBeingEnded([.unknown(reason: "no right.")]))
    #expect(!SecondLook.areBeingEnded([.gone, .unknown(reason: "no right.")]))
  }
}
