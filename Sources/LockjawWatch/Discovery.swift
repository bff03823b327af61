import LockjawArena
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
  /// The file that was read there; `nil` where none was.
  package var arenaFile: FileIdentity?
  package var report: Report
  /// The arena's file, open, where its name may be gone; good while the discovery is shown.
  package var arenaDescriptor: Int32?
  package init(
    occasion: Occasion, process: ProcessIdentity, arenaPath: String, arenaFile: FileIdentity?, report: Report,
    arenaDescriptor: Int32? = nil
  ) {
    self.arenaDescriptor = arenaDescriptor
    self.occasion = occasion
    self.process = process
    self.arenaPath = arenaPath
    self.arenaFile = arenaFile
    self.report = report
  }

  /// Whether `--on-hang` may act: a hang that is proven or inferred. What is only suspect is left alone.
  package var isActionable: Bool {
    report.findings.contains { $0.kind.isHang && $0.certainty != .suspect }
  }
}
