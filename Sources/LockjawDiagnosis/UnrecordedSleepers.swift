import LockjawArena
import LockjawModel

/// Threads of a preloaded process that sleep in futex waits of which its arena has nothing.
///
/// The shim sees what comes through the functions it stands in front of. Locks inside the C library (malloc's), calls by an
/// instruction of the program's own, and threads without a slot pass it by. Where no hang was found a report must not let
/// such threads pass for well: the kernel knows that they sleep, and a look at all stacks shows where.
package enum UnrecordedSleepers {
  private static let namedThreads = 8
  /// One file of /proc is read for each.
  private static let mostThreads = 4096

  /// - Returns: `nil` where a hang was found, or nobody sleeps so.
  package static func sentence(_ examination: Examination, arena: ArenaReader, target: any Target) -> String? {
    guard !examination.diagnosis.verdict.isHang, !target.isStopped, let all = target.threadIDs else { return nil }
    let known = Set(examination.threads.lazy.filter { $0.wait != nil }.map(\.tid))
    let before = arena.waitNumbers()
    let asleep = all.subtracting(known).sorted().prefix(mostThreads).filter { tid in
      guard before[tid].map({ $0 & 1 == 0 }) ?? true, case .futexWait = target.kernelState(of: tid) else {
        return false
      }
      return true
    }
    guard !asleep.isEmpty else { return nil }
    // A number that has not changed: whatever it slept in when the kernel was asked was no wait on record.
    let after = arena.waitNumbers()
    let unseen = asleep.filter { after[$0] == before[$0] }
    guard !unseen.isEmpty else { return nil }
    let names = unseen.prefix(namedThreads).map { "\($0)" }.joined(separator: ", ")
    let more = unseen.count > namedThreads ? " and \(unseen.count - namedThreads) more" : ""
    return
      "\(unseen.count == 1 ? "Thread" : "Threads") \(names)\(more) \(unseen.count == 1 ? "sleeps in a futex wait" : "sleep in futex waits") "
      + "that the library did not see: for a lock inside the C library (malloc's, for one), or by a system call of the "
      + "program's own. For what, and whether for each other, is not known; 'lockjaw attach --all-stacks PID' shows where."
  }
}
