import LockjawModel

/// What a look without the arena cannot tell of waits with time limits.
///
/// A livelock is a waiter that runs out of time again and again and never gets the lock. Several looks show that its thread
/// has run and sleeps for the same lock once more; they do not show that it never had the lock in between, since an acquire
/// without a wait leaves no trace, in the kernel or in the word. A thread that takes a contended lock a hundred times a
/// second looks exactly so. The shim's history has how each wait ended.
enum TimedWaits {
  private static let namedThreads = 8

  /// - Returns: `nil` where nobody waits for a lock with a time limit.
  static func sentence(_ threads: [ThreadState]) -> String? {
    let timed = threads.filter { thread in
      thread.wait.map { $0.deadline != nil && $0.type.hasHolder && !$0.type.isKernelObject } ?? false
    }.map(\.tid).sorted()
    guard !timed.isEmpty else { return nil }
    let names = timed.prefix(namedThreads).map { "\($0)" }.joined(separator: ", ")
    let more = timed.count > namedThreads ? " and \(timed.count - namedThreads) more" : ""
    return
      "Waits with a time limit (\(timed.count == 1 ? "thread" : "threads") \(names)\(more)): how often they have run out "
      + "before, and whether the lock was got in between, is on no record, so a livelock cannot be told from ordinary "
      + "retries. 'lockjaw run' records it."
  }
}
