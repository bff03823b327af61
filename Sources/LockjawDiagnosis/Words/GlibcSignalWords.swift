import LockjawModel

/// `sem_t`, 32 bytes: the value in the low, the number of waiters in the high half of 64 bits at 0.
package struct GlibcSemaphoreWord: Hashable, Sendable {
  package static let byteCount = 32
  package var value: UInt32
  package var waiters: UInt32

  init(_ word: WordBytes) {
    value = word.int32(at: 0)
    waiters = word.int32(at: 4)
  }

  /// Taken means: no permit is left. Who has them, a semaphore does not record.
  func lockWord(at address: Address) -> LockWord {
    LockWord(
      address: address, type: .semaphore, recordsOwner: false, isTaken: value == 0,
      description: "value \(value), " + (waiters == 1 ? "1 waiter" : "\(waiters) waiters"),
      byteCount: Self.byteCount)
  }
}

/// `pthread_cond_t`, 48 bytes: references of waiters at 36, from bit 3 upwards. The groups before it changed between
/// releases; this field did not.
package struct GlibcConditionWord: Hashable, Sendable {
  package static let byteCount = 48
  package var waiterReferences: UInt32

  init(_ word: WordBytes) { waiterReferences = word.int32(at: 36) }

  package var waiters: Int { Int(waiterReferences >> 3) }

  /// Never taken: nobody holds a condition.
  func lockWord(at address: Address) -> LockWord {
    LockWord(
      address: address, type: .condition, recordsOwner: false, isTaken: false,
      description: waiters == 1 ? "1 waiter" : "\(waiters) waiters", byteCount: Self.byteCount)
  }
}

/// `pthread_barrier_t`, 32 bytes: arrivals ever at 0, those of finished rounds at 4, threads per round at 8.
package struct GlibcBarrierWord: Hashable, Sendable {
  package static let byteCount = 32
  package var arrivals: UInt32
  package var roundStart: UInt32
  package var count: UInt32

  init(_ word: WordBytes) {
    arrivals = word.int32(at: 0)
    roundStart = word.int32(at: 4)
    count = word.int32(at: 8)
  }

  func lockWord(at address: Address) -> LockWord {
    LockWord(
      address: address, type: .barrier, recordsOwner: false, isTaken: false,
      description: "\(arrivals &- roundStart) of \(count) threads have arrived", byteCount: Self.byteCount)
  }
}

/// `pthread_spinlock_t`, 4 bytes. On x86 glibc counts down: 1 is free, 0 and below is locked.
package struct GlibcSpinWord: Hashable, Sendable {
  package static let byteCount = 4
  package var value: Int32

  init(_ word: WordBytes) { value = Int32(bitPattern: word.int32(at: 0)) }

  func lockWord(at address: Address) -> LockWord {
    LockWord(
      address: address, type: .spinlock, recordsOwner: false, isTaken: value <= 0,
      description: value <= 0 ? "locked" : "free", byteCount: Self.byteCount)
  }
}

/// `pthread_once_t`, 4 bytes: bit 0 in progress, bit 1 done, the rest a fork counter.
package struct GlibcOnceWord: Hashable, Sendable {
  package static let byteCount = 4
  package var value: UInt32

  init(_ word: WordBytes) { value = word.int32(at: 0) }

  package var isInProgress: Bool { value & 1 != 0 }
  package var isDone: Bool { value & 2 != 0 }

  func lockWord(at address: Address) -> LockWord {
    LockWord(
      address: address, type: .once, recordsOwner: false, isTaken: isInProgress && !isDone,
      description: isDone ? "done" : isInProgress ? "in progress" : "not begun", byteCount: Self.byteCount)
  }
}
