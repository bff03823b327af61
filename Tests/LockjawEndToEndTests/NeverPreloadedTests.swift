import Foundation
import Testing

extension EndToEnd {
  /// Every sample, started without lockjaw: `attach` while it hangs, and `analyze` of the minicore, held against what the
  /// source states. This is the table of what is known without the library.
  @Suite struct NeverPreloaded {
    private let place = TemporaryPlace()

    /// Where less than the source states can be known, what is said instead, and why.
    private static let lessIsKnown: [String: (verdict: String, because: String)] = [
      // Who runs a static's initialiser is in no word, and its frames are not searched.
      "cpp/static_cross": ("hang-unknown", "being initialised"),
      "cpp/static_recursive": ("hang-unknown", "being initialised"),
      // CPython's locks are semaphores; that a permit was taken is written nowhere, and the holder's frames are Python's.
      "python/two_locks": ("idle", "semaphores"),
    ]
    /// Samples of one process whose hang one moment can show. Not: what comes and goes in attempts that only a history counts,
    /// and locks and heartbeats of the program's own, of which only its annotations tell.
    private static let visible = Sample.all.filter { sample in
      guard !sample.source.key.contains("/custom_"), sample.source.key != "c/heartbeat" else { return false }
      // A truth that cannot be read keeps its sample in, so that the test says so.
      return (try? sample.source.truth()).map {
        $0.ending == .never && $0.processCount == 1 && $0.verdicts != ["livelock"]
      } ?? true
    }

    @Test(
      "A hang of a program that was never preloaded is named by attach, and by analyze of a minicore, as the source states it",
      arguments: visible)
    func hangs(sample: Sample) async throws {
      let truth = try sample.prepared()
      let program = try ChildProcess([sample.executable.path])
      try await comesToRest(program, truth, sample)
      let isTimed = truth.verdicts == ["timed-cycle"]

      // A timed wait ends and begins anew: it must be met while it lasts.
      let attached = try await firstValue(within: .seconds(20), isolation: nil) {
        let result = try await report(["attach", "--stall", "0.001", "\(program.pid)"])
        return isTimed && result.report?.verdict != "timed-cycle" ? nil : result
      }
      try check(try #require(attached, "the cycle was not met in time"), truth, sample)
      if isTimed { #expect(attached?.text.contains("a livelock cannot be told from ordinary retries") ?? false) }
      // A stop ends the lost wake-up: the waiter asks again, and finds the lock free.
      guard !isTimed, truth.verdicts != ["lost-wakeup"] else { return }

      // The look has made the threads run for an instant.
      try await comesToRest(program, truth, sample)
      let core = place.path("mini")
      let dump = try ChildProcess([Checkout.lockjaw.path, "dump", "\(program.pid)", "-o", core])
      #expect(try await dump.ending(within: .seconds(30)) == .exit(0), "\(dump.output)")
      #expect(program.poll() == nil, "dump ended the program")
      try check(try await report(["analyze", "--stall", "0.0001", core]), truth, sample)
    }

    @Test(
      "The kernel's core, which has neither names nor times, gets the same verdict",
      arguments: visible.filter { $0.level == .unoptimised && $0.source.key != "c/timed_abba" })
    func kernelCore(sample: Sample) async throws {
      let truth = try sample.prepared()
      let directory = place.path("run")
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      let script = "ulimit -c unlimited; cd \"$0\"; exec \"$1\""
      let program = try ChildProcess(
        ["/bin/sh", "-c", script, directory, sample.executable.path], environment: place.environment)
      try await comesToRest(program, truth, sample)
      kill(program.pid, SIGABRT)
      _ = try await program.ending(within: .seconds(20))
      let core = directory + "/core"
      guard FileManager.default.fileExists(atPath: core) else {
        try Test.cancel("this machine does not write cores into the working directory (core_pattern)")
      }
      let result = try await report(["analyze", core])
      let report = try #require(result.report, "\(result.text)")
      let owed = Self.lessIsKnown[sample.source.key]?.verdict
      let verdicts = owed.map { [$0] } ?? truth.verdicts
      #expect(verdicts.contains(report.verdict), "\(sample.testDescription): \(report.findings.map(\.summary))")
      let finding = report.findings.first { verdicts.contains($0.kind) }
      #expect(
        Set(finding?.edges.map(\.waiter) ?? []).count == (truth.waits.isEmpty || owed == "idle" ? 0 : truth.waits.count)
      )
    }

    @Test(
      "A healthy program that was never preloaded is accused of nothing, whenever it is looked at",
      arguments: Sample.all { $0.ending == .exit })
    func healthy(sample: Sample) async throws {
      _ = try sample.prepared()
      let program = try ChildProcess([sample.executable.path])
      var looks = 0
      repeat {
        let result = try await report(["attach", "\(program.pid)"])
        looks += 1
        guard let report = result.report else {
          // It had ended when it was looked at: nothing else leaves a look without a report.
          #expect(result.status == 125, "\(result.text)")
          _ = try await program.ending(within: .seconds(60))
          break
        }
        #expect(
          ReportDocument.hangs.isDisjoint(with: report.findings.map(\.kind)),
          "\(sample.testDescription): \(report.findings.map(\.summary))")
        #expect(result.status == 0)
      } while program.poll() == nil && looks < 5
    }

    // MARK: -

    private struct Result: Sendable {
      var status: Int32
      var text: String
      var report: ReportDocument?
    }

    private func report(_ arguments: [String]) async throws -> Result {
      let file = place.path("report.json")
      try? FileManager.default.removeItem(atPath: file)
      let child = try ChildProcess(
        [Checkout.lockjaw.path] + arguments + ["--format", "json", "-o", file], environment: place.environment)
      let status = try await child.ending(within: .seconds(60)).status
      let bytes = try? Data(contentsOf: URL(filePath: file))
      return Result(
        status: status, text: bytes.map { String(decoding: $0, as: UTF8.self) } ?? child.output,
        report: try bytes.map(ReportDocument.decode))
    }

    /// Until those who shall be stuck sleep where they will stay, and nobody else runs: what is to be there is there.
    private func comesToRest(_ program: ChildProcess, _ truth: Truth, _ sample: Sample) async throws {
      let threads = ProcessThreads(pid: program.pid)
      let names = Set(truth.waits.map(\.thread)).union(truth.bystanders.map(\.thread))
      let isTimed = truth.verdicts == ["timed-cycle"]
      // What is no cycle must have lasted: longer than half a second, and than a tick of the clock that sleeps are dated by.
      let patience: Duration = Self.mustLast(truth, sample) ? .milliseconds(700) : .zero
      let clock = ContinuousClock()
      var since: ContinuousClock.Instant?
      let rests = try await firstValue(within: .seconds(30)) { () -> Bool? in
        if isTimed { return names.isSubset(of: Set(threads.list().map(\.name))) ? true : nil }
        guard threads.areAllInFutexWait(names, orTimed: truth.sleepsAreRenewed) && threads.areAllAsleep() else {
          since = nil
          return nil
        }
        let begin = since ?? clock.now
        since = begin
        return clock.now - begin >= patience ? true : nil
      }
      try #require(rests == true, "\(sample.testDescription): not all of \(names.sorted()) are asleep")
    }

    private static func mustLast(_ truth: Truth, _ sample: Sample) -> Bool {
      lessIsKnown[sample.source.key]?.verdict == "hang-unknown"
        || !truth.verdicts.isDisjoint(with: ["long-hold", "lost-wakeup", "orphaned-lock", "hang-unknown"])
    }

    private func check(_ result: Result, _ stated: Truth, _ sample: Sample) throws {
      let report = try #require(result.report, "\(result.text)")
      #expect(result.status == (ReportDocument.hangs.contains(report.verdict) ? 1 : 0))
      if let less = Self.lessIsKnown[sample.source.key] {
        #expect(report.verdict == less.verdict, "\(result.text)")
        #expect(result.text.contains(less.because), "\(result.text)")
        return
      }
      var truth = stated
      // A thread's name goes with the thread.
      if truth.verdicts == ["orphaned-lock"] {
        for index in truth.holds.indices { truth.holds[index].thread = "" }
      }
      // The arena is the witness that is missing.
      if !truth.certainties.isSubset(of: ["suspect"]) { truth.certainties = ["inferred"] }
      var comparison = Comparison(truth: truth, fileName: sample.source.fileName)
      comparison.acquiresAreRecorded = false
      #expect(comparison.mismatches(in: report) == [], "\(sample.testDescription)")
    }
  }
}
