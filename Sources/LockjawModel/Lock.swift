/// What a wait or a hold is about.
package enum LockType: String, Hashable, Sendable, CaseIterable {
  case mutex, rwlock, spinlock, condition, semaphore, barrier, join, futex
  case piFutex = "pi-futex"
  case once

  /// Whether holding one of these can be told from the outside, so that a wait for it has an edge.
  /// A condition, barrier or plain futex can be ended by anyone.
  package var hasHolder: Bool {
    switch self {
    case .mutex, .rwlock, .spinlock, .semaphore, .piFutex, .join, .once: true
    case .condition, .barrier, .futex: false
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

  package init(
    address: Address, type: LockType, owner: ThreadID? = nil, recordsOwner: Bool, readerCount: Int? = nil,
    isTaken: Bool, policy: Policy? = nil, hasPendingWriter: Bool? = nil, variant: String? = nil, description: String,
    byteCount: Int
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
  }
}
