import LockjawModel

/// What a follower hands on: a report that is worth showing.
package struct Discovery: Sendable {
  package enum Occasion: Hashable, Sendable {
    /// A finding that had not been reported, or one that has become more certain.
    case finding(isRenewal: Bool)
    /// Someone asked by the watchdog signal.
    case requested(number: UInt32)
    /// The process ended.
    case ended
  }
  package var occasion: Occasion
  package var process: ProcessIdentity
  package var arenaPath: String
  package var report: Report
  /// Where the arena's bytes can be read from now, if not at `arenaPath`.
  package var bytesPath: String?
  package init(
    occasion: Occasion, process: ProcessIdentity, arenaPath: String, report: Report, bytesPath: String? = nil
  ) {
    self.bytesPath = bytesPath
    self.occasion = occasion
    self.process = process
    self.arenaPath = arenaPath
    self.report = report
  }

  /// Whether `--on-hang` may act: a hang that is proven or inferred. What is only suspect is left alone.
  package var isActionable: Bool {
    report.findings.contains { $0.kind.isHang && $0.certainty != .suspect }
  }
}
