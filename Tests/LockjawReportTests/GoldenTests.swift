import FoundationEssentials
import LockjawModel
import LockjawReport
import Testing

/// A report with the name of its golden files.
struct Sample: Sendable, CustomTestStringConvertible {
  let name: String
  let report: Report

  /// Fills in the summaries that are empty, as the pipeline does.
  init(name: String, report: Report) {
    var report = report
    for index in report.findings.indices where report.findings[index].summary.isEmpty {
      report.findings[index].summary = Summary.sentence(for: report.findings[index], in: report)
    }
    self.name = name
    self.report = report
  }

  var testDescription: String { name }

  static let all: [Sample] = [
    Sample(name: "deadlock", report: SampleCycles.deadlock),
    Sample(name: "ring-of-five", report: SampleCycles.ringOfFive),
    Sample(name: "self-deadlock", report: SampleCycles.selfDeadlock),
    Sample(name: "upgrade-deadlock", report: SampleCycles.upgrade),
    Sample(name: "recursive-read-deadlock", report: SampleCycles.recursiveRead),
    Sample(name: "join-cycle", report: SampleCycles.joinCycle),
    Sample(name: "timed-cycle", report: SampleCycles.timedCycle),
    Sample(name: "orphaned-lock", report: SampleOthers.orphanedLock),
    Sample(name: "long-hold", report: SampleOthers.longHold),
    Sample(name: "contention", report: SampleOthers.contention),
    Sample(name: "idle", report: SampleOthers.idle),
    Sample(name: "healthy", report: SampleOthers.healthy),
    Sample(name: "hang-unknown", report: SampleOthers.hangUnknown),
    Sample(name: "dead-from-arena", report: SampleOthers.deadFromArena),
    Sample(name: "several-findings", report: SampleOthers.severalFindings),
    Sample(name: "missed-heartbeat", report: SampleRecordings.missedHeartbeat),
    Sample(name: "profile", report: SampleRecordings.profile),
    Sample(name: "flight-recorder", report: SampleRecordings.flightRecorder),
    Sample(name: "losses", report: SampleOthers.losses),
    Sample(name: "hostile", report: SampleOthers.hostile),
  ]
}

/// Golden files are re-recorded with `LOCKJAW_RECORD_GOLDEN=1 swift test --filter LockjawReportTests`, then read.
@Suite("Golden files")
struct GoldenTests {
  @Test("The text report is the reviewed one, byte for byte", arguments: Sample.all)
  func text(sample: Sample) throws {
    try check(TextReport.render(sample.report, source: sourceTable), against: sample.name + ".txt")
  }

  @Test("The JSON report is the reviewed one, byte for byte", arguments: Sample.all)
  func json(sample: Sample) throws {
    try check(ReportDocument.encode(sample.report), against: sample.name + ".json")
  }

  @Test("The one-line reports are the reviewed ones")
  func oneLine() throws {
    try check(Sample.all.map { OneLine.render($0.report) + "\n" }.joined(), against: "one-line.txt")
  }

  private func check(_ actual: String, against name: String, file: String = #filePath) throws {
    let path = URL(filePath: file).deletingLastPathComponent().appending(path: "Golden").appending(path: name)
    if ProcessInfo.processInfo.environment["LOCKJAW_RECORD_GOLDEN"] == "1" {
      try Data(actual.utf8).write(to: path)
      return
    }
    let expected = String(decoding: try Data(contentsOf: path), as: UTF8.self)
    guard actual != expected else { return }
    let pairs = zip(
      actual.split(separator: "\n", omittingEmptySubsequences: false),
      expected.split(separator: "\n", omittingEmptySubsequences: false))
    let difference = pairs.enumerated().first { $0.element.0 != $0.element.1 }
    Issue.record(
      """
      \(name) differs in line \((difference?.offset ?? -1) + 1)
      now:    \(difference?.element.0 ?? "(length)")
      golden: \(difference?.element.1 ?? "(length)")
      """)
  }
}
