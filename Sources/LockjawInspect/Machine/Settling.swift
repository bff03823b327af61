import Glibc
import LockjawModel

extension LiveProcess {
  /// A call that is made again after a stop takes microseconds of a processor; this is more, also where the kernel books
  /// what a thread has run only a hundred times a second.
  private static let restartNanoseconds: UInt64 = 10_000_000

  /// Waits for threads that a stop of ours has woken to be asleep again: for each until it is, or will not be.
  ///
  /// A thread that lacks a processor is waited for, since it falls asleep the moment it gets one. One that has had a
  /// processor for longer than it takes to make its call again was not woken by us: its wait is over, and it may run for
  /// seconds. That is read from `/proc/PID/task/TID/schedstat`; where the kernel keeps none, only `seconds` count.
  /// - Parameters:
  ///   - seconds: for all threads together.
  ///   - isAsleep: asked at least once of each thread, and not again after it said so.
  package func settle(_ threads: [ThreadID], seconds: Double = 1, _ isAsleep: (ThreadID) -> Bool) {
    var pending = threads.filter { !isAsleep($0) }
    guard !pending.isEmpty else { return }
    let end = monotonicNanoseconds() &+ UInt64(seconds * 1e9)
    var ran: [ThreadID: UInt64] = [:]
    for thread in pending { ran[thread] = processorNanoseconds(thread) }
    while monotonicNanoseconds() < end {
      usleep(500)
      pending.removeAll { thread in
        if isAsleep(thread) || self.thread(thread)?.hasEnded ?? true { return true }
        guard let now = processorNanoseconds(thread), let before = ran[thread] else { return false }
        return now &- before > Self.restartNanoseconds
      }
      if pending.isEmpty { return }
    }
  }

  private func processorNanoseconds(_ thread: ThreadID) -> UInt64? { SchedulerBooks(of: thread, self)?.ran }
}
