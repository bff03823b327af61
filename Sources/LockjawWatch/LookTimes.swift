import LockjawModel

/// When a wait is looked at although no other wait has begun or ended.
///
/// T1. After a first look's time and after the stall: then it is a finding of its own.
/// T2. Whenever it has lasted for twice as long as at its last look after that. What a hang is made of changes without a wait's
///     beginning or end: a holder that ran lets go without waking anybody, a thread that was about to sleep sleeps. On a
///     machine that is short of processors that comes after any moment one could fix. So nothing is told later than at twice the
///     age at which it came true, and a wait of an hour has cost ten looks.
struct LookTimes {
  private let firstLook: UInt64
  private let stall: UInt64

  /// - Parameters: in seconds; what is shorter than a millisecond or longer than a century counts as that.
  init(firstLook: Double, stall: Double) {
    func nanoseconds(_ seconds: Double) -> UInt64 { UInt64(min(max(seconds, 1e-3), 3.2e9) * 1e9) }
    self.firstLook = nanoseconds(min(firstLook, stall))
    self.stall = nanoseconds(stall)
  }

  /// The first of a wait's times after `now`.
  func next(of wait: Wait, after now: Instant) -> Instant {
    let age = now.nanoseconds > wait.since.nanoseconds ? now.nanoseconds - wait.since.nanoseconds : 0
    var limit = age < firstLook ? firstLook : stall
    while limit <= age {
      let (doubled, isOverflow) = limit.multipliedReportingOverflow(by: 2)
      guard !isOverflow else { return Instant(nanoseconds: .max) }
      limit = doubled
    }
    let (next, isOverflow) = wait.since.nanoseconds.addingReportingOverflow(limit)
    return Instant(nanoseconds: isOverflow ? .max : next)
  }
}
