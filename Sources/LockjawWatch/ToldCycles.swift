import LockjawInspect
import LockjawModel
import Synchronization

/// Cycles over process borders that have been reported: each is found from every process in it.
final class ToldCycles: Sendable {
  /// A thread's number is given to another once it has ended; number and start time together are not.
  private struct Waiter: Hashable {
    let thread: ThreadID
    let startTicks: UInt64
  }

  private let told = Mutex<[Set<Waiter>: Certainty]>([:])
  private let startTicks: @Sendable (ThreadID) -> UInt64?

  /// - Parameter startTicks: when a thread began; `nil` where it has ended.
  init(startTicks: @escaping @Sendable (ThreadID) -> UInt64? = LiveProcess.startTicks(of:)) {
    self.startTicks = startTicks
  }

  /// Whether the discovery has a hang that nobody was told of, or not as certainly; one of a single process always is.
  func isNews(_ discovery: Discovery) -> Bool {
    let report = discovery.report
    guard case .finding = discovery.occasion, !report.processes.isEmpty else { return true }
    let hangs = report.findings.filter(\.kind.isHang).map { (waiters: waiters(of: $0), certainty: $0.certainty) }
    guard !hangs.isEmpty else { return true }
    return told.withLock { told in
      // What has ended cannot be met again.
      if told.count > Self.limit { told = told.filter { $0.key.allSatisfy { startTicks($0.thread) == $0.startTicks } } }
      var isNews = false
      for hang in hangs {
        if let known = told[hang.waiters], known.rank <= hang.certainty.rank { continue }
        told[hang.waiters] = hang.certainty
        isNews = true
      }
      return isNews
    }
  }

  private static let limit = 256

  private func waiters(of finding: Finding) -> Set<Waiter> {
    Set(finding.edges.map { Waiter(thread: $0.waiter, startTicks: startTicks($0.waiter) ?? 0) })
  }
}
