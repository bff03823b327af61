import LockjawModel
import Synchronization

/// Cycles over process borders that have been reported: each is found from every process in it.
final class ToldCycles: Sendable {
  private let told = Mutex<Set<Set<ThreadID>>>([])

  /// Whether the discovery has a hang that nobody was told of; one of a single process always is.
  func isNews(_ discovery: Discovery) -> Bool {
    let report = discovery.report
    guard case .finding = discovery.occasion, !report.processes.isEmpty else { return true }
    let hangs = report.findings.filter(\.kind.isHang).map { Set($0.edges.map(\.waiter)) }
    guard !hangs.isEmpty else { return true }
    return told.withLock { told in
      let isNews = hangs.contains { !told.contains($0) }
      told.formUnion(hangs)
      return isNews
    }
  }
}
