import CLockjawNative
import Synchronization

/// How far CLOCK_MONOTONIC is ahead of the clocks that processors' schedulers date by.
///
/// They drift apart by what a hypervisor takes of each and by what interrupts do, so each is asked for itself, by a thread that runs
/// there. What was heard stays true for a moment: until then a thousand threads' sleeps cost one question a processor.
enum SchedulerClocks {
  private struct Answer {
    /// `nil`: nobody could say.
    var offset: Int64?
    var until: UInt64
  }
  private static let known = Mutex<[Int32: Answer]>([:])
  private static let validNanoseconds: UInt64 = 100_000_000
  /// A processor that is not to be had is not asked again so soon: each time costs the limit.
  private static let silentNanoseconds: UInt64 = 3_000_000_000
  private static let limitMilliseconds: Int64 = 300

  /// In nanoseconds; `nil` where this process may not run there, or does not come to.
  static func offset(of processor: Int32) -> Int64? {
    if let answer = known.withLock({ $0[processor] }), monotonicNanoseconds() < answer.until { return answer.offset }
    var offset: Int64 = 0
    let isKnown = lj_scheduler_offset(processor, limitMilliseconds, &offset)
    let answer = Answer(
      offset: isKnown ? offset : nil,
      until: monotonicNanoseconds() &+ (isKnown ? validNanoseconds : silentNanoseconds))
    known.withLock { $0[processor] = answer }
    return answer.offset
  }
}
