import Foundation

/// One `lockjaw run` over a sample, and the report it leaves.
final class LockjawRun {
  /// Status of `lockjaw run` when it ended the program because of a finding.
  static let endedByFinding: Int32 = 99

  private let arenas: ScratchDirectory
  private let results: ScratchDirectory
  private let reportFile: URL
  let command: ChildProcess

  /// Starts the sample under lockjaw as a test system would: JSON into a file, hangs ended, two seconds of patience.
  ///
  /// - Parameters:
  ///   - stall: seconds; `nil` leaves the option out, as most users do.
  ///   - launcher: a command that starts the sample in its turn.
  init(_ sample: Sample, onHang: String = "kill", stall: String? = "2", by launcher: [String] = []) throws {
    arenas = try ScratchDirectory(in: "/dev/shm")
    results = try ScratchDirectory()
    reportFile = results.url.appending(path: "report.json")
    command = try ChildProcess(
      [Checkout.lockjaw.path, "run", "--format", "json", "--output", reportFile.path, "--on-hang", onHang]
        + (stall.map { ["--stall", $0] } ?? []) + ["--"] + launcher + [sample.executable.path],
      environment: ["LOCKJAW_DIR": arenas.url.path, "SWIFT_BACKTRACE": "enable=no"])
  }

  /// The report as it stands; `nil` while there is none. A file that is there is complete, so one that cannot be read
  /// is an error.
  func report() throws -> ReportDocument? {
    guard let bytes = try? Data(contentsOf: reportFile) else { return nil }
    return try ReportDocument.decode(bytes)
  }

  /// The program that lockjaw started, once it is there.
  var program: pid_t? { ProcessThreads.children(of: command.pid).first }

  /// Waits for a report with a finding of one of these kinds.
  func report(of kinds: Set<String>, within limit: Duration) async throws -> ReportDocument? {
    try await firstValue(within: limit) {
      try report().flatMap { report in report.findings.contains { kinds.contains($0.kind) } ? report : nil }
    }
  }
}
