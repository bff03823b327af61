import LockjawModel

/// What an instruction does to a word: all that tells a release from an acquire.
package enum LockAccess: Hashable, Sendable {
  case load
  case store(UInt64)
  case exchange(UInt64)
  /// XADD, ADD, SUB, INC, DEC; the sign is the operand's.
  case add(Int64)
  /// AND, OR, and single bits cleared or set.
  case and(UInt64)
  case or(UInt64)
  case compareExchange(expected: UInt64, new: UInt64)
  /// Any other change.
  case other
}

/// What such an access means for the lock.
package enum LockOperation: Hashable, Sendable {
  /// `nil`: the operation does not say which mode (`pthread_rwlock_unlock` ends either).
  case release(LockMode?)
  case acquire(LockMode?)
  /// Neither: a look, or a bit that says who waits.
  case neutral
}

/// A kind of lock as its instructions show it: which changes of its word release it, and which acquire it.
///
/// Judged by the change an instruction *wants* (a difference, or what a compare-exchange expects and what it puts there),
/// never by the word before: a compare-exchange that fails because a waiter's bit is set is still an attempt to release.
/// A new kind is a new case with its row in `meaning(of:)`.
package struct LockSemantics: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// `std::sync::Mutex` and `RwLock` since 1.62, on Linux: futex words.
    case rustMutex, rustRwLock
    /// parking_lot 0.12 `RawMutex` (a byte), `RawRwLock` (a word).
    case parkingLotMutex, parkingLotRwLock
    /// Known by the functions called on them, not by their words.
    case glibcMutex, glibcRwlock
    /// `absl::Mutex`, read or written.
    case abseilMutex
    /// A word that holds its owner's thread id: Swift's `Mutex`, other priority-inheriting futexes.
    case piFutex
    /// Any other 32-bit word of a lock with one holder: zero is free.
    case futexWord
  }
  package var kind: Kind
  package var address: Address

  package init(_ kind: Kind, at address: Address) {
    self.kind = kind
    self.address = address
  }

  /// Bytes from `address` that are the lock's own.
  package var byteCount: Int {
    switch kind {
    case .rustMutex, .futexWord, .piFutex: 4
    case .rustRwLock, .parkingLotRwLock, .abseilMutex: 8
    case .parkingLotMutex: 1
    case .glibcMutex: 40
    case .glibcRwlock: 56
    }
  }

  /// Whether the lock's own instructions are seen, not only calls.
  var isWatchedInMemory: Bool { kind != .glibcMutex && kind != .glibcRwlock }

  /// What an access `offset` bytes into the lock means, and what the run is to find there instead of the word of the
  /// snapshot: a value with which releases and acquires go their short way. Who waits for whom is known already; to
  /// wake a waiter in the copy would be work for nothing. `presented` is `nil` where the word itself will do.
  /// - Parameters:
  ///   - word: what stands there.
  ///   - isRepeated: the same instruction has loaded the word, and nothing has been done to it since.
  func meaning(
    of access: LockAccess, offset: Int, width: Int, word: UInt64, isRepeated: Bool
  ) -> (operation: LockOperation, presented: UInt64?) {
    switch kind {
    case .rustMutex, .futexWord: singleHolder(access, offset, width)
    case .piFutex: piFutex(access, offset, width)
    case .rustRwLock: rustRwLock(access, offset, width)
    case .parkingLotMutex: parkingLotMutex(access, offset, width)
    case .parkingLotRwLock: parkingLotRwLock(access, offset, width)
    case .abseilMutex: abseilMutex(access, offset, word, isRepeated)
    case .glibcMutex, .glibcRwlock: (.neutral, nil)
    }
  }

  // MARK: Rows

  /// Zero is free, anything else is taken (std's futex mutex: 1 locked, 2 contended; Drepper's "Futexes are tricky" mutexes).
  private func singleHolder(_ access: LockAccess, _ offset: Int, _ width: Int) -> (LockOperation, UInt64?) {
    guard offset == 0, width == 4 || kind == .futexWord else { return (.neutral, nil) }
    switch access {
    case .load: return (.neutral, 0)
    case .store(0), .exchange(0): return (.release(.exclusive), 1)
    case .store, .exchange: return (.acquire(.exclusive), 0)
    case .compareExchange(0, let new): return new == 0 ? (.neutral, nil) : (.acquire(.exclusive), 0)
    case .compareExchange(let expected, 0): return (.release(.exclusive), expected)
    case .add(let difference):
      guard kind == .futexWord else { return (.neutral, nil) }
      return difference < 0 ? (.release(.exclusive), UInt64(bitPattern: 0 &- difference)) : (.acquire(.exclusive), 0)
    case .and: return kind == .futexWord ? (.release(.exclusive), 1) : (.neutral, nil)
    case .or: return kind == .futexWord ? (.acquire(.exclusive), 0) : (.neutral, nil)
    case .compareExchange, .other: return (.neutral, nil)
    }
  }

  /// The owner's thread id in the low 30 bits (futex(2), "Priority-inheritance futexes").
  private func piFutex(_ access: LockAccess, _ offset: Int, _ width: Int) -> (LockOperation, UInt64?) {
    guard offset == 0, width == 4 else { return (.neutral, nil) }
    let thread: UInt64 = 0x3FFF_FFFF
    switch access {
    case .load: return (.neutral, 0)
    case .store(0), .exchange(0): return (.release(.exclusive), nil)
    case .compareExchange(let expected, let new):
      if expected & thread == 0, new & thread != 0 { return (.acquire(.exclusive), expected) }
      if expected & thread != 0, new & thread == 0 { return (.release(.exclusive), expected) }
      return (.neutral, nil)
    default: return (.neutral, nil)
    }
  }

  /// std 1.62 and later, sys/sync/rwlock/futex.rs: readers in the low 30 bits, all of them set: a writer; then two bits for
  /// those who wait. Four bytes further: `writer_notify`.
  private func rustRwLock(_ access: LockAccess, _ offset: Int, _ width: Int) -> (LockOperation, UInt64?) {
    guard offset == 0, width == 4 else { return (.neutral, nil) }
    let writer: UInt64 = 0x3FFF_FFFF
    switch access {
    case .load: return (.neutral, 0)
    // Two readers before, so that the one who leaves is not the last, who would look for waiters.
    case .add(-1): return (.release(.read), 2)
    // A writer leaves, or becomes a reader.
    case .add(-0x3FFF_FFFF), .add(-0x3FFF_FFFE): return (.release(.write), writer)
    case .compareExchange(let expected, let new):
      let (before, after) = (expected & writer, new & writer)
      if after == writer, before != writer { return (.acquire(.write), expected) }
      if before == writer, after != writer { return (.release(.write), expected) }
      if after == before &+ 1 { return (.acquire(.read), expected) }
      if after &+ 1 == before { return (.release(.read), expected) }
      return (.neutral, nil)
    default: return (.neutral, nil)
    }
  }

  /// parking_lot 0.12 raw_mutex.rs: 1 locked, 2 somebody is parked.
  private func parkingLotMutex(_ access: LockAccess, _ offset: Int, _ width: Int) -> (LockOperation, UInt64?) {
    guard offset == 0, width == 1 else { return (.neutral, nil) }
    switch access {
    case .load: return (.neutral, 0)
    case .store(let new), .exchange(let new):
      return new & 1 == 0 ? (.release(.exclusive), 1) : (.acquire(.exclusive), 0)
    case .compareExchange(let expected, let new):
      if expected & 1 == 1, new & 1 == 0 { return (.release(.exclusive), expected) }
      if expected & 1 == 0, new & 1 == 1 { return (.acquire(.exclusive), expected) }
      return (.neutral, nil)
    default: return (.neutral, nil)
    }
  }

  /// parking_lot 0.12 raw_rwlock.rs: readers from bit 4, 8 writer, 4 upgradable (who counts as a reader too), 2 and 1
  /// somebody is parked.
  private func parkingLotRwLock(_ access: LockAccess, _ offset: Int, _ width: Int) -> (LockOperation, UInt64?) {
    guard offset == 0, width == 8 else { return (.neutral, nil) }
    func change(_ difference: Int64) -> LockOperation {
      switch difference {
      // An upgradable reader leaves, gives up the right to upgrade, or becomes the writer.
      case -20, -4, -12: .release(.read)
      // The writer leaves, or becomes a reader.
      case -8, 8: .release(.write)
      case 4, 20: .acquire(.read)
      case let readers where readers & 15 == 0 && readers < 0: .release(.read)
      case let readers where readers & 15 == 0 && readers > 0: .acquire(.read)
      default: .neutral
      }
    }
    switch access {
    case .load: return (.neutral, 0)
    case .add(let difference):
      let meaning = change(difference)
      // Two readers and nobody parked; or the writer alone.
      return (meaning, meaning == .release(.write) ? 8 : meaning == .release(.read) ? 36 : nil)
    case .compareExchange(let expected, let new):
      if expected & 8 == 0, new & 8 != 0 { return (.acquire(.write), expected) }
      let meaning = change(Int64(bitPattern: (new & ~3) &- (expected & ~3)))
      return (meaning, meaning == .neutral ? nil : expected)
    default: return (.neutral, nil)
    }
  }
}
