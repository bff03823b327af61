/// What was counted of lock operations, over one call site, one class of locks or all of them.
///
/// Counts are exact. Waits are all timed; holds are timed where they began with a wait, and of the others about one in 64.
package struct LockTally: Hashable, Sendable {
  /// Acquires, recursive ones included; of conditions signals and broadcasts, of semaphores permits taken and posts, of
  /// futexes wakes.
  package var operations: UInt64
  /// Tries that found it taken, and waits that ended without it.
  package var failures: UInt64
  /// Waits that have ended.
  package var waits: UInt64
  package var waitSeconds: Double
  package var longestWaitSeconds: Double
  /// How many holds were timed: what the two fields after it rest on.
  package var timedHolds: UInt64
  /// All holds together, estimated; `nil` where none was timed.
  package var estimatedHoldSeconds: Double?
  package var longestHoldSeconds: Double
  /// Waits that go on. They are not among `waits`.
  package var waitingNow: Int
  /// How long those have lasted, together.
  package var waitingNowSeconds: Double

  package init(
    operations: UInt64 = 0, failures: UInt64 = 0, waits: UInt64 = 0, waitSeconds: Double = 0,
    longestWaitSeconds: Double = 0, timedHolds: UInt64 = 0, estimatedHoldSeconds: Double? = nil,
    longestHoldSeconds: Double = 0, waitingNow: Int = 0, waitingNowSeconds: Double = 0
  ) {
    self.operations = operations
    self.failures = failures
    self.waits = waits
    self.waitSeconds = waitSeconds
    self.longestWaitSeconds = longestWaitSeconds
    self.timedHolds = timedHolds
    self.estimatedHoldSeconds = estimatedHoldSeconds
    self.longestHoldSeconds = longestHoldSeconds
    self.waitingNow = waitingNow
    self.waitingNowSeconds = waitingNowSeconds
  }

  /// Time waited, by waits that have ended and by those that go on.
  package var allWaitSeconds: Double { waitSeconds + waitingNowSeconds }
}

/// One call site of a class's locks.
package struct SiteProfile: Hashable, Sendable {
  /// The program's own frame; `nil` where the site is not known.
  package var at: Frame?
  /// Of the site's first operation.
  package var mode: LockMode
  package var tally: LockTally
  package init(at: Frame?, mode: LockMode, tally: LockTally) {
    self.at = at
    self.mode = mode
    self.tally = tally
  }
}

/// Locks that were initialised at one place, or, where nobody saw an initialisation, first used there.
package struct LockClassProfile: Hashable, Sendable {
  package enum Origin: String, Hashable, Sendable {
    case initialised
    case firstUsed = "first-used"
    /// Locks that their threads' tables could not tell apart any more: one call site's.
    case notToldApart = "not-told-apart"
  }
  package var type: LockType
  package var origin: Origin
  package var at: Frame?
  /// How many locks are of it; 0: not known.
  package var lockCount: Int
  /// What some of them are called, by the program or by its symbols.
  package var names: [String]
  package var tally: LockTally
  /// The most waited-for first.
  package var sites: [SiteProfile]
  package var omittedSites: Int
  package init(
    type: LockType, origin: Origin, at: Frame?, lockCount: Int, names: [String] = [], tally: LockTally,
    sites: [SiteProfile], omittedSites: Int = 0
  ) {
    self.type = type
    self.origin = origin
    self.at = at
    self.lockCount = lockCount
    self.names = names
    self.tally = tally
    self.sites = sites
    self.omittedSites = omittedSites
  }
}

/// Some classes, and what was counted of all of their kind.
package struct ProfileSection: Hashable, Sendable {
  /// The most waited-for first.
  package var classes: [LockClassProfile]
  package var omittedClasses: Int
  package var lockCount: Int
  package var tally: LockTally
  package init(
    classes: [LockClassProfile] = [], omittedClasses: Int = 0, lockCount: Int = 0, tally: LockTally = LockTally()
  ) {
    self.classes = classes
    self.omittedClasses = omittedClasses
    self.lockCount = lockCount
    self.tally = tally
  }
  package var isEmpty: Bool { classes.isEmpty && omittedClasses == 0 }
}

/// What a process recorded at levels `sites` and `all`, by classes of locks and their call sites.
package struct Profile: Hashable, Sendable {
  /// In force when it was read.
  package var level: RecordingLevel
  /// Mutexes, rwlocks, spinlocks, one-time initialisations, the program's own locks: waiting for one is contention.
  package var locks: ProfileSection
  /// Conditions, semaphores, barriers, joins, futexes: waiting for one is as often what a thread is there for.
  package var signals: ProfileSection
  /// What limits it, in sentences.
  package var notes: [String]
  package init(level: RecordingLevel, locks: ProfileSection, signals: ProfileSection, notes: [String] = []) {
    self.level = level
    self.locks = locks
    self.signals = signals
    self.notes = notes
  }
  package var isEmpty: Bool { locks.isEmpty && signals.isEmpty }
}
