import Foundation
import Testing

extension EndToEnd {
  /// `lockjaw run` on every sample, its report held against the sample's own source.
  struct LockjawNamesHangs {
    @Test("A certain hang is named as the source states it, and ended", arguments: Sample.all { $0.isCertainHang })
    func certainHang(sample: Sample) async throws {
      let truth = try sample.prepared()
      let run = try LockjawRun(sample)
      let ending = try await run.command.ending(within: .seconds(20))
      #expect(ending == .exit(LockjawRun.endedByFinding), "\(run.command.output)")
      let report = try #require(try run.report(), "no report was written; \(run.command.output)")
      #expect(Comparison(truth: truth, fileName: sample.source.fileName).mismatches(in: report) == [])
    }

    @Test(
      "A lock that is taken by inlined code is named within two seconds of the hang, with no setting changed",
      arguments: Sample.all { $0.verdicts == ["self-deadlock"] }.filter { $0.source.language == "rust" })
    func withinTwoSeconds(sample: Sample) async throws {
      let truth = try sample.prepared()
      let names = Set(truth.waits.map(\.thread))
      let run = try LockjawRun(sample, onHang: "report", stall: nil)
      let hangs = try await firstValue(within: .seconds(20)) { () -> Bool? in
        guard let program = run.program else { return nil }
        return ProcessThreads(pid: program).areAllInFutexWait(names) ? true : nil
      }
      try #require(hangs == true, "\(run.command.output)")
      let (since, stolenBefore) = (ContinuousClock.now, Self.timeStolen())
      let found = try await run.report(of: truth.verdicts, within: .seconds(20))
      // On a machine that others use, what lockjaw was kept waiting for a processor is not its own.
      let lost = ProcessThreads(pid: run.command.pid).timeWithoutProcessor() + (Self.timeStolen() - stolenBefore)
      let took = ContinuousClock.now - since
      let report = try #require(found, "\(run.command.output)")
      #expect(took - lost <= .seconds(2), "\(took) after the hang, \(lost) of them without a processor")
      #expect(Comparison(truth: truth, fileName: sample.source.fileName).mismatches(in: report) == [])
      // Where it was taken is nobody's record; that it is let go of only after the wait is what the report shows instead.
      let edge = try #require(report.findings.first { truth.verdicts.contains($0.kind) }?.edges.first)
      #expect(edge.heldSinceAt == nil)
      let release = try #require(edge.releasedAt, "nothing says where the guard ends")
      let wait = try #require(edge.waitsAt?.line)
      #expect(release.fileName == sample.source.fileName && release.line.map { $0 > wait } == true, "\(release)")
      try await run.command.stop()
    }

    /// What other guests of a virtual machine took of its processors (proc(5), `stat`), in hundredths of a second.
    private static func timeStolen() -> Duration {
      let all = (try? String(contentsOfFile: "/proc/stat", encoding: .utf8))?.split(separator: "\n").first
      let ticks = all?.split(separator: " ").dropFirst(8).first.flatMap { Int64($0) } ?? 0
      return .milliseconds(ticks * 10)
    }

    @Test(
      "What is slow, grows, dissolves by itself or is only suspected is reported as the source states it",
      arguments: Sample.all { !$0.isCertainHang && $0.ending == .never && !$0.waits.isEmpty })
    func uncertainHang(sample: Sample) async throws {
      let truth = try sample.prepared()
      // A finding that grows must be let grow: ended at its first instant, it would rightly be the smaller one.
      let run = try LockjawRun(sample, onHang: truth.precursors.isEmpty ? "kill" : "report")
      let found = try await run.report(of: truth.verdicts, within: .seconds(15))
      let report = try #require(found, "no finding of \(truth.verdicts.sorted()) in time; \(run.command.output)")
      #expect(Comparison(truth: truth, fileName: sample.source.fileName).mismatches(in: report) == [])
      // What is no hang is left alone; a hang that lockjaw came to be sure of may have been ended.
      if truth.verdicts.isDisjoint(with: ReportDocument.hangs) {
        #expect(run.command.poll() == nil, "lockjaw ended a program that does not hang")
      }
      try await run.command.stop()
    }

    @Test(
      "A program with nothing to do is left alone",
      arguments: Sample.all { $0.ending == .never && $0.waits.isEmpty })
    func idle(sample: Sample) async throws {
      let truth = try sample.prepared()
      let run = try LockjawRun(sample)
      // Twice the patience lockjaw was given: what does not happen has no state to wait for.
      let ended = try await firstValue(within: .seconds(4), isOwed: false) { run.command.poll() }
      #expect(ended == nil, "\(run.command.output)")
      if let report = try run.report() {
        #expect(Comparison(truth: truth, fileName: sample.source.fileName).mismatches(in: report) == [])
      }
      try await run.command.stop()
    }

    @Test(
      "A healthy program keeps its exit status and is accused of nothing",
      arguments: Sample.all { $0.ending == .exit })
    func healthy(sample: Sample) async throws {
      let truth = try sample.prepared()
      let run = try LockjawRun(sample)
      #expect(try await run.command.ending(within: .seconds(20)) == .exit(0), "\(run.command.output)")
      if let report = try run.report() {
        #expect(Comparison(truth: truth, fileName: sample.source.fileName).mismatches(in: report) == [])
      }
    }

    @Test(
      "A wait that the kernel refuses is recorded as refused, and the program's signal is kept",
      arguments: Sample.all { !$0.refusals.isEmpty })
    func refused(sample: Sample) async throws {
      let truth = try sample.prepared()
      let run = try LockjawRun(sample)
      let ending = try await run.command.ending(within: .seconds(20))
      guard case .signal(let number) = truth.ending else { throw TruthError(line: 1, reason: "no ends=SIG…") }
      #expect(ending.status == 128 + number, "\(run.command.output)")
      let report = try #require(try run.report(), "no report was written; \(run.command.output)")
      let refusals = (report.history ?? []).filter { $0.outcome == "refused as deadlock" }
      #expect(!refusals.isEmpty, "the history has \((report.history ?? []).map(\.outcome))")
      for refusal in refusals {
        // An event keeps one return address, and here it lies in the Swift runtime, which has no lines.
        let isStated = truth.refusals.contains { place in
          place.thread == refusal.threadName && (refusal.site?.line.map { $0 == place.line } ?? true)
        }
        #expect(isStated, "\(refusal.threadName ?? "?") was refused at \(String(describing: refusal.site))")
      }
    }
  }
}

extension Truth {
  /// A hang that lockjaw must be sure of, and so end.
  fileprivate var isCertainHang: Bool {
    ending == .never && !waits.isEmpty && verdicts.isSubset(of: ReportDocument.hangs) && !certainties.isEmpty
      && !certainties.contains("suspect") && precursors.isEmpty
  }
}
