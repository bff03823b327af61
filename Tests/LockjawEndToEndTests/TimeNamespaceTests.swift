import Foundation
import Testing

extension EndToEnd {
  /// Programs, or lockjaw itself, in a time namespace of their own: CLOCK_MONOTONIC and the starts of processes are shifted
  /// there against what they are outside.
  @Suite struct TimeNamespaces {
    private let place = TemporaryPlace()
    private static func launcher(_ monotonic: Int, _ boot: Int) -> [String] {
      ["/usr/bin/unshare", "--time", "--monotonic", "\(monotonic)", "--boottime", "\(boot)"]
    }

    private func sample(_ key: String) throws -> Sample {
      let sample = Sample(source: try #require(Sample.sources.first { $0.key == key }), level: .unoptimised)
      _ = try sample.prepared()
      return sample
    }

    private func requireNamespaces() async throws {
      let probe = try ChildProcess(Self.launcher(1, 1) + ["/bin/true"])
      guard try await probe.ending(within: .seconds(20)) == .exit(0) else {
        try Test.cancel("a time namespace cannot be made here: \(probe.output)")
      }
    }

    /// Waits that began when the program did, seconds ago.
    private func expectPlausibleAges(_ report: ReportDocument) throws {
      for edge in try #require(report.findings.first).edges {
        let age = try #require(edge.waitingForSeconds)
        #expect((0..<120).contains(age), "\(age) s")
      }
      let said = try #require(report.process.started)
      #expect(abs(try Date(said, strategy: .iso8601).timeIntervalSinceNow) < 120, "\(said)")
    }

    @Test(
      "A deadlock there is found and proven, and its waits are as old as they are",
      arguments: [(1_000_000, 2_000_000), (0, 5000), (-300, 0), (-300, -200)])
    func runDeadlock(monotonic: Int, boot: Int) async throws {
      try await requireNamespaces()
      let run = try LockjawRun(try sample("c/abba"), by: Self.launcher(monotonic, boot))
      let ending = try await run.command.ending(within: .seconds(30))
      #expect(ending == .exit(LockjawRun.endedByFinding), "\(run.command.output)")
      let report = try #require(try run.report(), "\(run.command.output)")
      #expect(report.findings.map(\.kind) == ["deadlock"])
      #expect(report.findings.first?.certainty == "proven")
      try expectPlausibleAges(report)
    }

    @Test(
      "lockjaw finds a preloaded process wherever the two of them are",
      arguments: [(true, false), (false, true), (true, true)])
    func attach(programIsThere: Bool, lockjawIsThere: Bool) async throws {
      try await requireNamespaces()
      let program = try ChildProcess(
        (programIsThere ? Self.launcher(7000, 9000) : []) + [try sample("c/abba").executable.path],
        environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
      let isStuck = try await firstValue(within: .seconds(20)) {
        ProcessThreads(pid: program.pid).areAllInFutexWait(["alice", "bob"]) ? true : nil
      }
      try #require(isStuck == true, "\(program.output)")
      let from = lockjawIsThere ? Self.launcher(-200, 50_000) : []
      let attach = try ChildProcess(
        from + [Checkout.lockjaw.path, "attach", "--format", "json", "\(program.pid)"],
        environment: place.environment)
      #expect(try await attach.ending(within: .seconds(60)) == .exit(1))
      let report = try ReportDocument.decode(Data(attach.output.utf8))
      #expect(report.findings.map(\.kind) == ["deadlock"])
      #expect(report.findings.first?.certainty == "proven")
      try expectPlausibleAges(report)
      let list = try ChildProcess(from + [Checkout.lockjaw.path, "list"], environment: place.environment)
      #expect(try await list.ending(within: .seconds(60)) == .exit(0))
      #expect(
        list.output.split(separator: "\n").contains {
          $0.hasPrefix("\(program.pid) ") && $0.contains("running") && $0.contains("DEADLOCK (proven)")
        }, "\(list.output)")
      #expect(program.poll() == nil)
    }

    @Test("A wait with a time limit there is one here")
    func timedCycle() async throws {
      try await requireNamespaces()
      let run = try LockjawRun(try sample("c/timed_abba"), by: Self.launcher(7000, 9000))
      let report = try await run.report(of: ["timed-cycle"], within: .seconds(30))
      try expectPlausibleAges(try #require(report, "\(run.command.output)"))
      try await run.command.stop()
    }
  }
}
