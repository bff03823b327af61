import LockjawInspect
import LockjawModel

/// A thread asleep in the kernel on a futex word, as its registers have it (futex(2)).
package struct FutexSleep: Hashable, Sendable {
  package var thread: ThreadID
  package var word: Address
  /// Without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME.
  package var command: Int
  /// What the word had to be for the thread to sleep.
  package var expected: UInt32
  package var hasTimeLimit: Bool

  package static let wait = 0
  package static let lockPI = 6
  package static let waitBitset = 9
  package static let lockPI2 = 13
  private static let waitRequeuePI = 11

  private static let futexCall = 202
  private static let restartCall = 219
  private static let flags = 0x180

  package init(thread: ThreadID, word: Address, command: Int, expected: UInt32, hasTimeLimit: Bool) {
    self.thread = thread
    self.word = word
    self.command = command
    self.expected = expected
    self.hasTimeLimit = hasTimeLimit
  }

  /// `nil` for a thread that is not in such a wait.
  ///
  /// A wait with a time limit that was interrupted before goes on as `restart_syscall`. Other calls do too, so that one
  /// counts only with `isInFutexFunction`: the C library's frames say that it is a futex wait.
  package init?(_ thread: Snapshot.Thread, isInFutexFunction: Bool = false) {
    guard let call = thread.blockingCall else { return nil }
    let isRestarted = call.number == Self.restartCall && isInFutexFunction
    guard call.number == Self.futexCall || isRestarted else { return nil }
    let command = Int(truncatingIfNeeded: call.arguments[1]) & ~Self.flags
    switch command {
    case Self.wait, Self.waitBitset, Self.waitRequeuePI, Self.lockPI, Self.lockPI2: break
    default: return nil
    }
    self.init(
      thread: thread.tid, word: Address(call.arguments[0]), command: command,
      expected: UInt32(truncatingIfNeeded: call.arguments[2]), hasTimeLimit: call.arguments[3] != 0)
  }

  package var isPriorityInheriting: Bool { command == Self.lockPI || command == Self.lockPI2 }
}

/// What a sleeping thread waits for.
package struct ObjectWait: Hashable, Sendable {
  package var type: LockType
  package var mode: LockMode
  /// Where the lock begins; the word may lie inside.
  package var object: Address
  /// Of a join the target's tid.
  package var companion: Address
  package init(type: LockType, mode: LockMode, object: Address, companion: Address = Address(0)) {
    self.type = type
    self.mode = mode
    self.object = object
    self.companion = companion
  }
}
