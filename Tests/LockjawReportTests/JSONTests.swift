import FoundationEssentials
import LockjawModel
import LockjawReport
import Testing

@Suite("JSON")
struct JSONTests {
  @Test("A report comes back from JSON as it was", arguments: Sample.all.filter { $0.name != "hostile" })
  func roundTrip(sample: Sample) throws {
    #expect(try ReportDocument.decode(ReportDocument.encode(sample.report)) == sample.report)
  }

  @Test("Hostile strings come back as they were; numbers that are none come back as NaN")
  func hostileRoundTrip() throws {
    let text = ReportDocument.encode(SampleOthers.hostile)
    let report = try ReportDocument.decode(text)
    #expect(report.threads == SampleOthers.hostile.threads)
    #expect(report.process == SampleOthers.hostile.process)
    #expect(report.diagnostics == SampleOthers.hostile.diagnostics)
    #expect(report.losses == SampleOthers.hostile.losses)
    #expect(report.findings[0].edges.allSatisfy { $0.waitingForSeconds.isNaN })
    #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control })
  }

  @Test("The top of the document is what a reader looks for first")
  func order() {
    let lines = ReportDocument.encode(SampleCycles.deadlock).split(separator: "\n")
    #expect(lines[1] == "  \"schema\": \"lockjaw.report/1\",")
    #expect(lines[2] == "  \"verdict\": \"deadlock\",")
    #expect(lines[3].hasPrefix("  \"signature\": \"LJ1-"))
  }

  @Test("What is not known is absent, not empty")
  func absent() {
    var report = SampleOthers.healthy
    report.process.buildID = ""
    report.process.started = ""
    report.locks = [mutex("L1", 1)]
    report.threads = [ThreadReport(tid: tid(1), name: "", state: "", stack: [at(nil)])]
    let text = ReportDocument.encode(report)
    for field in ["build_id", "started", "name\": null", "initialised_at", "\"file\"", "\"line\""] {
      #expect(!text.contains(field), "\(field)")
    }
    #expect(text.contains("\"function\": null"))
    #expect(text.contains("\"waits_for\": null"))
  }

  @Test("Fields this version does not know are passed over")
  func unknownFields() throws {
    let text = ReportDocument.encode(SampleCycles.deadlock)
      .replacing(
        "\"verdict\":", with: "\"invented_later\": {\"deep\": [1, 2.5, null]}, \"verdict\":", maxReplacements: 1)
    #expect(try ReportDocument.decode(text) == SampleCycles.deadlock)
  }

  @Test("A report without the fields that were added to the contract can be read")
  func oldestForm() throws {
    let text = """
      {"schema": "lockjaw.report/1", "verdict": "healthy", "signature": "LJ1-X", "process": {"pid": 1, "command": "c"},
       "findings": [], "locks": [], "threads": [], "diagnostics": [], "losses": {}, "timing": {}}
      """
    let report = try ReportDocument.decode(text)
    #expect(report.verdict == .healthy)
    #expect(report.history.isEmpty)
  }

  @Test(
    "What is no report gets a sentence that says what is wrong with it",
    arguments: [
      ("", "notAReport"), ("[]", "wrong type"), ("{}", "\"schema\" is missing"),
      ("{\"schema\": \"lockjaw.report/1\"}", "\"verdict\" is missing"),
      ("{\"schema\": \"lockjaw.report/2\"}", "lockjaw.report/2"),
      (
        ReportDocument.encode(SampleCycles.deadlock).replacing("\"proven\"", with: "\"sure\""),
        "\"sure\" is not one of the known words"
      ),
      (
        ReportDocument.encode(SampleCycles.deadlock).replacing("\"0x55d0c0de4080\"", with: "\"55\""),
        "is no 0x… number at .locks[0].address"
      ),
      (
        ReportDocument.encode(SampleCycles.deadlock).replacing("\"tid\": 4711", with: "\"tid\": 99999999999"),
        "not valid JSON"
      ),
    ])
  func malformed(text: String, expected: String) throws {
    let error = try #require(throws: ReportDocumentError.self) { try ReportDocument.decode(text) }
    #expect(error.description.contains(expected) || expected == "notAReport", "\(error)")
    #expect(error.description.hasSuffix("."))
    #expect(error.code.hasPrefix("report."))
  }

  @Test("Text cut off at any byte is an error, never a crash")
  func truncated() {
    let text = ReportDocument.encode(SampleOthers.healthy)
    for length in stride(from: 0, to: text.utf8.count - 2, by: 7) {
      #expect(throws: ReportDocumentError.self) { try ReportDocument.decode(String(text.prefix(length))) }
    }
  }
}
