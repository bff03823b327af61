import Glibc
import LockjawInspect
import LockjawModel

/// What the judgements about several locks ask of the whole process, asked once in an examination, and only where one of
/// them needs it: ten thousand threads take long to list, and as many mappings to read.
final class WholeProcess {
  let target: any Target
  private let surroundings: Surroundings?

  init(_ target: any Target, _ surroundings: Surroundings?) {
    self.target = target
    self.surroundings = surroundings
  }

  private lazy var mappings = target.sharedMappings()

  /// Whether another process may see what lies at this address; `false` where nobody can say.
  func isShared(_ address: Address) -> Bool { mappings?.place(of: address) != nil }

  private lazy var asked: any Target = surroundings.map { SurroundedTarget(target, $0) } ?? target
  private lazy var listedThreads = asked.threadIDs

  /// Every thread of the process and of those around it, as listed when this was first asked; `nil` where nobody can
  /// say.
  /// - Parameter owner: asked about by itself. A list of threads that come and go may miss one.
  func aliveThreads(besides owner: ThreadID) -> Set<ThreadID>? {
    guard var listed = listedThreads else { return nil }
    if !listed.contains(owner), asked.isAlive(owner) ?? true { listed.insert(owner) }
    return listed
  }

  /// None of the process' own threads runs.
  private(set) lazy var everybodySleeps: Bool =
    target.threadIDs?.allSatisfy { thread in
      if case .running = target.kernelState(of: thread) { return false }
      return true
    } ?? false

  /// Until when threads that a snapshot's stop has woken are waited for to be asleep again: the first who asks starts the
  /// clock for all.
  private lazy var patienceEnd: UInt64 = monotonicNanoseconds() + Self.patienceNanoseconds
  private static let patienceNanoseconds: UInt64 = 300_000_000

  /// Of threads that a live snapshot has stopped for an instant, one that is asleep as before; empty where none is.
  func oneAsleepAsBefore(_ threads: [ThreadID], _ target: SnapshotTarget) -> Set<ThreadID> {
    while true {
      for thread in threads {
        if target.isAsleepAsBefore(thread) { return [thread] }
        if monotonicNanoseconds() >= patienceEnd { break }
      }
      guard monotonicNanoseconds() < patienceEnd else { return [] }
      usleep(1000)
    }
  }
}
