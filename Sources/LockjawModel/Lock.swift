/// What a wait or a hold is about.
package enum LockType: String, Hashable, Sendable, CaseIterable {
  case mutex, rwlock, spinlock, condition, semaphore, barrier, join, futex
  case piFutex = "pi-futex"
  case once
  /// The initialisation of a C++ function-local static.
  case staticGuard = "static-guard"
  /// A lock of the program's own, told through `lockjaw.h`.
  case custom
  /// A lock on a file (flock, fcntl), which the kernel keeps.
  case fileLock = "file-lock"
  /// A pipe or FIFO, waited on until its other end writes, reads or closes.
  case pipe
  /// A connected unix socket, likewise.
  case socket
  /// A child process, waited for until it ends.
  case child

  /// Whether holding one of these can be told from the outside, so that a wait for it has an edge.
  /// A condition, barrier or plain futex can be ended by anyone.
  package var hasHolder: Bool {
    switch self {
    case .mutex, .rwlock, .spinlock, .semaphore, .piFutex, .join, .once, .staticGuard, .custom, .fileLock, .pipe,
      .socket,
      .child:
      true
    case .condition, .barrier, .futex: false
    }
  }

  /// Kept by the kernel and not in a word of memory: other processes can have it, and `/proc` says who does.
  package var isKernelObject: Bool {
    switch self {
    case .fileLock, .pipe, .socket, .child: true
    default: false
    }
  }

  /// Whether a long wait for one is a finding by itself. To join workers for hours, or to read from a peer that has
  /// nothing to say, is nothing unusual; that makes a hang only as part of a cycle.
  package var isForShortWaits: Bool {
    switch self {
    case .mutex, .rwlock, .spinlock, .semaphore, .piFutex, .once, .staticGuard, .custom, .fileLock: true
    case .join, .pipe, .socket, .child, .condition, .barrier, .futex: false
    }
  }
}

package enum LockMode: String, Hashable, Sendable {
  case exclusive, read, write, signal
}

/// A lock's own word, decoded: the second witness beside the arena.
///
/// `nil` in a field means that this kind of lock does not say, not that the answer is no.
package struct LockWord: Hashable, Sendable {
  package enum Policy: Hashable, Sendable { case prefersReaders, prefersWriters }

  package var address: Address
  package var type: LockType
  /// The thread the word names as owner or writer. `nil`: the word names nobody.
  package var owner: ThreadID?
  /// Whether a word of this kind names its owner at all; decides what `owner == nil` means.
  package var recordsOwner: Bool
  /// Readers inside, counted by the word.
  package var readerCount: Int?
  package var isTaken: Bool
  /// rwlocks: whether a pending writer holds new readers back.
  package var policy: Policy?
  /// A writer waits in front.
  package var hasPendingWriter: Bool?
  /// Mutex type as the field's words have it: "normal", "recursive", "errorcheck", "adaptive", "robust", "PI" …
  package var variant: String?
  /// The word in words: "locked, owner 4242, waiters".
  package var description: String
  /// How many bytes from `address` belong to the object: a futex wait inside them is a wait for this lock.
  package var byteCount: Int
  /// Whose lock it is.
  package var library: LockLibrary
  /// Whether the word says that somebody waits; such marks may be out of date. `nil`: it does not say.
  package var hasWaiters: Bool?
  /// Why no sequence of correct operations leads to this word: "all bits set: impossible state of
  /// parking_lot::RawRwLock". `nil` where the word is possible.
  package var impossibility: String?

  package init(
    address: Address, type: LockType, owner: ThreadID? = nil, recordsOwner: Bool, readerCount: Int? = nil,
    isTaken: Bool, policy: Policy? = nil, hasPendingWriter: Bool? = nil, variant: String? = nil, description: String,
    byteCount: Int, library: LockLibrary = .glibc, hasWaiters: Bool? = nil, impossibility: String? = nil
  ) {
    self.address = address
    self.type = type
    self.owner = owner
    self.recordsOwner = recordsOwner
    self.readerCount = readerCount
    self.isTaken = isTaken
    self.policy = policy
    self.hasPendingWriter = hasPendingWriter
    self.variant = variant
    self.description = description
    self.byteCount = byteCount
    self.library = library
    self.hasWaiters = hasWaiters
    self.impossibility = impossibility
  }

  /// How the lock is taken, as far as the word tells; `nil` where it is free, or impossible.
  package var mode: LockMode? {
    guard isTaken, impossibility == nil else { return nil }
    if type != .rwlock { return .exclusive }
    return (readerCount ?? 0) > 0 ? .read : .write
  }

  /// How many holds the word counts; `nil` where it does not say, or says what cannot be.
  package var holderCount: Int? {
    guard impossibility == nil else { return nil }
    guard isTaken else { return 0 }
    switch type {
    case .rwlock:
      guard let readerCount else { return nil }
      return max(readerCount, 1)
    case .mutex, .spinlock, .piFutex, .once, .staticGuard: return 1
    case .custom, .semaphore, .condition, .barrier, .join, .futex, .fileLock, .pipe, .socket, .child: return nil
    }
  }
}
