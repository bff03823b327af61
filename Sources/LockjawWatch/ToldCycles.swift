import Glibc
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

  private struct Told {
    var certainty: Certainty
    /// The call that each waiter slept in; of one that did not, when it was asked, nothing can be told later.
    let calls: [ThreadID: Stillness]
  }

  private let told = Mutex<[Set<Waiter>: Told]>([:])
  private let startTicks: @Sendable (ThreadID) -> UInt64?
  private let stillness: @Sendable (ThreadID) -> Stillness?

  /// - Parameters:
  ///   - startTicks: when a thread began; `nil` where it has ended.
  ///   - stillness: the call a thread sleeps in; `nil` where it runs.
  init(
    startTicks: @escaping @Sendable (ThreadID) -> UInt64? = LiveProcess.startTicks(of:),
    stillness: @escaping @Sendable (ThreadID) -> Stillness? = LiveProcess.stillness(of:)
  ) {
    self.startTicks = startTicks
    self.stillness = stillness
  }

  /// Forgets cycles that have come apart, so that the same threads can hang anew and be news. Asked now and then: one that comes
  /// apart and closes again in between is the old one.
  ///
  /// A look of ours makes a thread run for an instant. So it is asked again, a little later, before it counts as gone on.
  func forgetOver() {
    let over = told.withLock { $0.filter { isOver($0.value) }.keys }
    guard !over.isEmpty else { return }
    usleep(Self.lookMicroseconds)
    told.withLock { told in
      for key in over where told[key].map(isOver) ?? false { told[key] = nil }
    }
  }
  /// Longer than a thread stands still in a look.
  private static let lookMicroseconds: UInt32 = 20_000

  private func isOver(_ one: Told) -> Bool {
    one.calls.contains { thread, call in !(stillness(thread)?.isInCall(of: call) ?? false) }
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
        if let known = told[hang.waiters], known.certainty.rank <= hang.certainty.rank { continue }
        let calls = hang.waiters.compactMap { waiter in stillness(waiter.thread).map { (waiter.thread, $0) } }
        told[hang.waiters] = Told(
          certainty: hang.certainty, calls: Dictionary(calls, uniquingKeysWith: { first, _ in first }))
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
