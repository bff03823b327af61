import LockjawArena
import LockjawModel

/// What a thread's history says of waits with time limits that it has tried before.
struct Retries {
  private let arena: ArenaReader?

  /// - Parameter arena: `nil`: nothing is known of the past.
  init(_ arena: ArenaReader?) { self.arena = arena }

  /// The waits for the same lock that ran out of time right before this one, without a pause in between: a thread that was
  /// away for longer may have had the lock meanwhile, since an acquire without a wait leaves no trace.
  /// - Returns: how many, when the first of them began, and whether a full history has nothing else.
  func before(_ wait: Wait, of thread: ThreadState) -> (count: Int, since: Instant, isAll: Bool)? {
    guard let past = arena?.history(ofSlot: thread.slot) else { return nil }
    return Self.before(wait, in: past)
  }

  /// Fewer events than these are no full history: a thread that has only begun.
  private static let fullHistory = 32

  /// - Parameter past: newest first.
  static func before(_ wait: Wait, in past: [PastWait]) -> (count: Int, since: Instant, isAll: Bool)? {
    var count = 0
    var since = wait.since
    for one in past where one.begin < wait.since {
      let (end, overflow) = one.begin.nanoseconds.addingReportingOverflow(one.durationNanoseconds)
      guard !overflow, one.outcome == .timeout, one.object == wait.object, one.type == wait.type,
        end <= since.nanoseconds,
        since.nanoseconds - end <= one.durationNanoseconds / 10
      else { break }
      count += 1
      since = one.begin
    }
    // The wait itself may be among its past.
    return count == 0 ? nil : (count, since, count >= fullHistory && count >= past.count - 1)
  }
}
