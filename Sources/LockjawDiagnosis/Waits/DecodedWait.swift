import LockjawModel

/// What a sleeping thread waits for.
package struct DecodedWait: Hashable, Sendable {
  /// What the answer rests on, the strongest first.
  package enum Basis: String, Hashable, Sendable, Comparable {
    /// The function that sleeps has a name, and the memory agrees with it.
    case function
    /// The waiter's own record in the lock library names the lock, and is consistent with itself.
    case record
    /// Only the system call's arguments and the words around them fit; other locks might, too.
    case pattern
    case nothing

    private var rank: Int {
      switch self {
      case .function: 0
      case .record: 1
      case .pattern: 2
      case .nothing: 3
      }
    }
    package static func < (a: Basis, b: Basis) -> Bool { a.rank < b.rank }
  }

  package var thread: ThreadID
  /// The lock's own address, by which all its waiters and holders go; `nil` where it is not known.
  package var lock: Address?
  package var type: LockType
  package var mode: LockMode
  package var library: LockLibrary
  package var hasTimeLimit: Bool
  /// The time limit is the library's own: when it runs out, the thread goes to sleep for the same thing again.
  package var isRenewed = false
  package var basis: Basis
  /// Of a join: the thread that is waited for.
  package var joined: ThreadID?
  /// One sentence: what was seen, and what is in doubt.
  package var evidence: String

  package init(
    thread: ThreadID, lock: Address?, type: LockType, mode: LockMode, library: LockLibrary, hasTimeLimit: Bool,
    basis: Basis, joined: ThreadID? = nil, evidence: String
  ) {
    self.thread = thread
    self.lock = lock
    self.type = type
    self.mode = mode
    self.library = library
    self.hasTimeLimit = hasTimeLimit
    self.basis = basis
    self.joined = joined
    self.evidence = evidence
  }
}

extension SleepingThread {
  /// A decoded wait of this thread.
  func wait(
    _ library: LockLibrary, _ type: LockType, _ mode: LockMode, lock: Address?, _ basis: DecodedWait.Basis,
    joined: ThreadID? = nil, _ evidence: String
  ) -> DecodedWait {
    DecodedWait(
      thread: tid, lock: lock, type: type, mode: mode, library: library, hasTimeLimit: futex.hasTimeLimit,
      basis: basis, joined: joined, evidence: evidence)
  }
}
