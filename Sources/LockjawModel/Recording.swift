/// How much a preloaded process records.
package enum RecordingLevel: String, Hashable, Sendable, CaseIterable {
  /// Who holds and who waits.
  case state
  /// Also how often each lock was taken at each call site, and for how long it was held and waited for.
  case sites
  /// Also every operation with its time, the newest of each thread.
  case all
}

/// What was done to one lock from one call site, over all threads. Counts are exact from the moment the level was
/// raised on, unless the arena's losses say "uncounted".
package struct SiteCount: Hashable, Sendable {
  package enum Purpose: Hashable, Sendable {
    case use
    /// The object was initialised here: locks that share this site are of one class.
    case initialisation
  }
  package var purpose: Purpose
  /// `nil`: locks for which their thread's table had no row left; counted by site only.
  package var object: Address?
  /// 0 where it is not known.
  package var site: CallSite
  package var type: LockType
  /// Of the first operation.
  package var mode: LockMode
  /// Acquires, recursive ones included; of a semaphore posts, of a condition signals and broadcasts; or initialisations.
  package var operations: UInt64
  /// Waits that have ended, however they ended, and the time they took together.
  package var waits: UInt64
  package var waitNanoseconds: UInt64
  package var longestWaitNanoseconds: UInt64
  /// Tries that found it taken, and waits that ended without it.
  package var failures: UInt64
  /// Holds that began without a wait and were timed, chosen at random, about one in 64; and the sum of their lengths.
  package var timedHolds: UInt64
  package var timedHoldNanoseconds: UInt64
  /// Holds that began with a wait and have ended; every one is timed.
  package var contendedHolds: UInt64
  package var contendedHoldNanoseconds: UInt64
  /// Of all that were timed.
  package var longestHoldNanoseconds: UInt64
  /// Of the first use, or the latest initialisation; see `TickClock`.
  package var seenTicks: UInt64

  package init(
    purpose: Purpose, object: Address?, site: CallSite, type: LockType, mode: LockMode, operations: UInt64 = 0,
    waits: UInt64 = 0, waitNanoseconds: UInt64 = 0, longestWaitNanoseconds: UInt64 = 0, failures: UInt64 = 0,
    timedHolds: UInt64 = 0, timedHoldNanoseconds: UInt64 = 0, contendedHolds: UInt64 = 0,
    contendedHoldNanoseconds: UInt64 = 0, longestHoldNanoseconds: UInt64 = 0, seenTicks: UInt64 = 0
  ) {
    self.purpose = purpose
    self.object = object
    self.site = site
    self.type = type
    self.mode = mode
    self.operations = operations
    self.waits = waits
    self.waitNanoseconds = waitNanoseconds
    self.longestWaitNanoseconds = longestWaitNanoseconds
    self.failures = failures
    self.timedHolds = timedHolds
    self.timedHoldNanoseconds = timedHoldNanoseconds
    self.contendedHolds = contendedHolds
    self.contendedHoldNanoseconds = contendedHoldNanoseconds
    self.longestHoldNanoseconds = longestHoldNanoseconds
    self.seenTicks = seenTicks
  }

  /// Estimated: the mean of the timed holds for each uncontended acquire, and the contended holds as they were.
  /// `nil` where none was timed.
  package var estimatedHoldNanoseconds: UInt64? {
    guard timedHolds > 0 || contendedHolds > 0 else { return nil }
    let uncontended = operations > contendedHolds ? operations - contendedHolds : 0
    let mean = timedHolds > 0 ? Double(timedHoldNanoseconds) / Double(timedHolds) : 0
    let estimate = mean * Double(uncontended) + Double(contendedHoldNanoseconds)
    return estimate < Double(UInt64.max) ? UInt64(estimate) : UInt64.max
  }

  /// Takes in another thread's counts of the same lock and site.
  package mutating func add(_ other: SiteCount) {
    operations &+= other.operations
    waits &+= other.waits
    waitNanoseconds &+= other.waitNanoseconds
    longestWaitNanoseconds = max(longestWaitNanoseconds, other.longestWaitNanoseconds)
    failures &+= other.failures
    timedHolds &+= other.timedHolds
    timedHoldNanoseconds &+= other.timedHoldNanoseconds
    contendedHolds &+= other.contendedHolds
    contendedHoldNanoseconds &+= other.contendedHoldNanoseconds
    longestHoldNanoseconds = max(longestHoldNanoseconds, other.longestHoldNanoseconds)
    let isEarlier = other.seenTicks < seenTicks
    if isEarlier == (purpose == .use) {
      seenTicks = other.seenTicks
      mode = other.mode
      site.callers = other.site.callers
    }
  }
}

/// One lock operation of the history at level `all`.
package struct RecordedOperation: Hashable, Sendable {
  package enum Kind: UInt8, Hashable, Sendable, CaseIterable {
    case acquire, release
    /// The release before it was refused: the thread still has the lock.
    case releaseFailed
    case tryFailed, waitBegin, waitEnd, signal, broadcast, initialise, destroy
  }
  /// Counts the operations of a slot; what is missing between two numbers was lost, or was no operation of the program's.
  package var number: UInt64
  package var tid: ThreadID
  package var kind: Kind
  package var type: LockType
  package var mode: LockMode
  package var object: Address
  /// Return address of the call; 0 where it is not known.
  package var site: Address
  /// See `TickClock`.
  package var ticks: UInt64
  /// In a sandbox there is no clock: `ticks` only orders this thread's operations.
  package var isTimed: Bool
  /// An acquire that came after a recorded wait.
  package var isContended: Bool
  /// An acquire inside a condition wait, of the mutex that it had given up.
  package var isRelock: Bool
  /// Of a wait's end.
  package var outcome: PastWait.Outcome?

  package init(
    number: UInt64, tid: ThreadID, kind: Kind, type: LockType, mode: LockMode, object: Address, site: Address,
    ticks: UInt64, isTimed: Bool = true, isContended: Bool = false, isRelock: Bool = false,
    outcome: PastWait.Outcome? = nil
  ) {
    self.number = number
    self.tid = tid
    self.kind = kind
    self.type = type
    self.mode = mode
    self.object = object
    self.site = site
    self.ticks = ticks
    self.isTimed = isTimed
    self.isContended = isContended
    self.isRelock = isRelock
    self.outcome = outcome
  }
}

/// What is left of the operations of one slot's threads.
package struct RecordedHistory: Hashable, Sendable {
  package var slot: Int
  /// In the order of their numbers.
  package var operations: [RecordedOperation]
  /// Overwritten by newer ones or, where rings stop when they are full, never written.
  package var lost: UInt64
  /// Begun and not finished: the thread is in the middle of one, or died there.
  package var unfinished: Int

  package init(slot: Int, operations: [RecordedOperation], lost: UInt64, unfinished: Int) {
    self.slot = slot
    self.operations = operations
    self.lost = lost
    self.unfinished = unfinished
  }
}

/// Turns ticks into time.
package struct TickClock: Hashable, Sendable {
  package enum Source: Hashable, Sendable {
    /// Ticks are nanoseconds of CLOCK_MONOTONIC.
    case monotonic
    case timeStampCounter
  }
  /// A moment on both clocks.
  package struct Point: Hashable, Sendable {
    package var ticks: UInt64
    package var instant: Instant
    package init(ticks: UInt64, instant: Instant) {
      self.ticks = ticks
      self.instant = instant
    }
  }
  package let source: Source
  private let origin: Point
  /// 0 where ticks are nanoseconds, or where one point is all there is.
  package let nanosecondsPerTick: Double

  /// - Parameter points: moments on both clocks; the further apart, the better. `nil` for a time-stamp counter with
  ///   fewer than two of them.
  package init?(source: Source, points: [Point]) {
    self.source = source
    guard source == .timeStampCounter else {
      origin = Point(ticks: 0, instant: Instant(nanoseconds: 0))
      nanosecondsPerTick = 1
      return
    }
    guard let first = points.min(by: { $0.ticks < $1.ticks }), let last = points.max(by: { $0.ticks < $1.ticks }),
      last.ticks > first.ticks, last.instant.nanoseconds > first.instant.nanoseconds
    else { return nil }
    origin = first
    nanosecondsPerTick =
      Double(last.instant.nanoseconds - first.instant.nanoseconds) / Double(last.ticks - first.ticks)
  }

  /// Meaningless for operations that are not timed.
  package func instant(ofTicks ticks: UInt64) -> Instant {
    guard source == .timeStampCounter else { return Instant(nanoseconds: ticks) }
    let isAfter = ticks >= origin.ticks
    let distance = Double(isAfter ? ticks - origin.ticks : origin.ticks - ticks) * nanosecondsPerTick
    guard distance < 9e18 else { return origin.instant }
    let nanoseconds = UInt64(distance)
    return Instant(
      nanoseconds: isAfter
        ? origin.instant.nanoseconds &+ nanoseconds
        : origin.instant.nanoseconds > nanoseconds ? origin.instant.nanoseconds - nanoseconds : 0)
  }
}
