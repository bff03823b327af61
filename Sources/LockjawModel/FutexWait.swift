/// The arguments of a futex wait that a thread sleeps in, as the kernel has them.
package struct FutexWait: Hashable, Sendable {
  /// The word slept on; often a part of the lock, sometimes a word of the waiter's own.
  package var word: Address
  /// The operation with its flags (futex(2)); 0 also where a stop has made the call a `restart_syscall`.
  package var operation: UInt32
  /// What the word had to be for the thread to fall asleep. Of a PI futex without meaning.
  package var expected: UInt32
  package var hasTimeLimit: Bool

  package init(word: Address, operation: UInt32, expected: UInt32, hasTimeLimit: Bool) {
    self.word = word
    self.operation = operation
    self.expected = expected
    self.hasTimeLimit = hasTimeLimit
  }

  /// Without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME.
  package var command: UInt32 { operation & 0x7F }
  /// FUTEX_LOCK_PI and FUTEX_LOCK_PI2: the kernel keeps the owner's thread id in the word.
  package var isPriorityInheriting: Bool { command == 6 || command == 13 }
  /// FUTEX_WAIT_BITSET, as Rust's standard library and glibc's conditions call it.
  package var isBitset: Bool { command == 9 }
}
