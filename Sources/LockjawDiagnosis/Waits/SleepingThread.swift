import LockjawInspect
import LockjawModel

/// A thread asleep in a futex wait, and what tells what it sleeps for.
///
/// The one form in which such threads come to the decoder, whether the shim recorded the wait or a snapshot shows it.
package struct SleepingThread: Sendable {
  package var tid: ThreadID
  package var futex: FutexWait
  /// Symbolised, innermost first; as many frames as could be had, perhaps none.
  package var stack: [Frame]
  package var stackPointer: Address
  /// What call-preserved registers hold: a lock's address may be in one of them and nowhere else.
  package var preserved: [UInt64]

  package init(
    tid: ThreadID, futex: FutexWait, stack: [Frame], stackPointer: Address, preserved: [UInt64] = []
  ) {
    self.tid = tid
    self.futex = futex
    self.stack = stack
    self.stackPointer = stackPointer
    self.preserved = preserved
  }

  /// - Parameter registers: at the wait; those of the shim's frame, or of the stopped thread.
  init(tid: ThreadID, futex: FutexWait, stack: [Frame], registers: Registers) {
    self.init(
      tid: tid, futex: futex, stack: stack, stackPointer: registers.stackPointer,
      preserved: [registers.rbx, registers.rbp, registers.r12, registers.r13, registers.r14, registers.r15])
  }
}
