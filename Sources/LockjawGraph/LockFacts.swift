import LockjawModel

/// A thread that sleeps for a lock, whatever told so.
package struct LockWaiter: Hashable, Sendable {
  package var thread: ThreadID
  package var mode: LockMode
  /// When its wait began; of one that has tried again and again, the first try.
  package var since: Instant
  package var hasTimeLimit: Bool
  /// Waits of this thread for this lock that ended by their time limit, one right after the other, up to this one.
  package var timeouts: Int
  /// Its history is full of these and reaches no further back: it may have tried for much longer.
  package var isAllItsHistory: Bool
  /// Only values and their surroundings say that it is this lock.
  package var isGuess: Bool
  /// It has been woken and has not run yet.
  package var isWoken: Bool

  package init(
    thread: ThreadID, mode: LockMode, since: Instant, hasTimeLimit: Bool = false, timeouts: Int = 0,
    isAllItsHistory: Bool = false,
    isGuess: Bool = false, isWoken: Bool = false
  ) {
    self.thread = thread
    self.mode = mode
    self.since = since
    self.hasTimeLimit = hasTimeLimit
    self.timeouts = timeouts
    self.isAllItsHistory = isAllItsHistory
    self.isGuess = isGuess
    self.isWoken = isWoken
  }
}

/// All that is known about one lock somebody waits for.
package struct LockFacts: Hashable, Sendable {
  /// The same lock, looked at again.
  package struct SecondLook: Hashable, Sendable {
    /// `nil`: could not be read any more.
    package var word: LockWord?
    /// Waiters that sleep in the same wait as at the first look.
    package var stillWaiting: Set<ThreadID>
    /// Every thread of the process sleeps: nobody is on the way to change anything.
    package var everybodySleeps: Bool
    package init(word: LockWord?, stillWaiting: Set<ThreadID>, everybodySleeps: Bool) {
      self.word = word
      self.stillWaiting = stillWaiting
      self.everybodySleeps = everybodySleeps
    }
  }

  package var word: LockWord
  package var waiters: [LockWaiter]
  /// `nil`: the ladder was not climbed.
  package var holders: HolderAccount?
  /// Every thread id of the process; `nil` where nobody can say.
  package var aliveThreads: Set<ThreadID>?
  package var secondLook: SecondLook?
  /// Of a process that runs on after its threads were looked at all at once: the lock, looked at once more. `nil` where word
  /// and waiters are of one moment.
  package var afterwards: SecondLook?

  package init(
    word: LockWord, waiters: [LockWaiter], holders: HolderAccount? = nil, aliveThreads: Set<ThreadID>? = nil,
    secondLook: SecondLook? = nil, afterwards: SecondLook? = nil
  ) {
    self.word = word
    self.waiters = waiters
    self.holders = holders
    self.aliveThreads = aliveThreads
    self.secondLook = secondLook
    self.afterwards = afterwards
  }

  /// The word names an owner that is no thread of the process.
  package var ownerIsGone: Bool {
    guard word.isTaken, let owner = word.owner, let aliveThreads else { return false }
    return !aliveThreads.contains(owner)
  }
}
