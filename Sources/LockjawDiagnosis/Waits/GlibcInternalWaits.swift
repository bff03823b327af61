import LockjawInspect
import LockjawModel

/// Waits for a lock inside glibc that keeps its owner: a stdio stream's, above all.
extension WaitDecoder {
  /// The two functions in which glibc sleeps for its own locks (nptl/lowlevellock.c, 2.34 to 2.41), without underscores. Mutexes that
  /// a program made sleep there as well; their owner fields are no pointers.
  private static let functions: Set<String> = ["lll_lock_wait_private", "lll_lock_wait"]
  /// What the word says while somebody sleeps, and so what a sleeper expects.
  private static let waitedFor: UInt32 = 2

  /// - Returns: `nil` where it is no such lock, as far as its owner field tells.
  func glibcInternalWait(_ thread: SleepingThread) -> DecodedWait? {
    guard let frame = thread.stack.first, frame.isPlumbing, let name = frame.function,
      Self.functions.contains(SimpleName(name).path), thread.futex.command == 0,
      thread.futex.expected == Self.waitedFor,
      let word = GlibcInternalWord(at: thread.futex.word, memory: memory), word.isTakenByThread
    else { return nil }
    let caller = thread.stack.dropFirst().first.flatMap(\.function).map { ", called by \($0)," } ?? ""
    return thread.wait(
      .glibcInternal, .mutex, .exclusive, lock: thread.futex.word, .function,
      "Thread \(thread.tid) sleeps in \(name)\(caller) on \(thread.futex.word), a lock inside the C library that keeps its owner, as "
        + "every stdio stream has one.")
  }
}
