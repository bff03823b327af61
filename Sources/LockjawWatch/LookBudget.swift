import Glibc
import LockjawModel

/// How often a process may be looked at without a share of the machine's time going into it that anyone would notice.
///
/// After a look comes a rest of so many times what it has cost. Cost is the time that the process stood still or this one
/// kept a processor, whichever is longer: waiting for a processor on a busy machine, or for a server's answer, takes nothing from
/// anybody, and to rest for it would make lockjaw blind where it is needed most.
struct LookBudget {
  /// Of the time, one part in so many goes into looking,
  private static let usualRests = 20.0
  /// or in so many, where the rest would be so long that what begins in it is told late. The first look, which reads symbols
  /// that later ones have, is such a one.
  private static let fewestRests = 4.0

  /// In seconds; past it the second factor counts.
  private let longestRest: Double
  private var next = Instant(nanoseconds: 0)

  init(longestRest: Double) { self.longestRest = longestRest }

  /// Whether a look is within the budget.
  func allows(at now: Instant) -> Bool { now >= next }

  /// A look is over.
  /// - Parameter cost: in seconds.
  mutating func spent(_ cost: Double, at now: Instant) {
    let rest = max(min(Self.rest(after: cost), longestRest), cost * Self.fewestRests)
    next = Instant(nanoseconds: now.nanoseconds &+ UInt64(rest * 1e9))
  }

  /// Seconds to rest after a look that has cost so many.
  static func rest(after cost: Double) -> Double { min(max(cost, 0), 3600) * usualRests }

  /// Seconds for which the threads of this process have kept processors so far.
  static var processorSeconds: Double {
    var time = timespec()
    // It fails for clocks that are not there; this one always is.
    _ = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
