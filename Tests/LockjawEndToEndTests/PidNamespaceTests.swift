import Foundation
import Testing

extension EndToEnd {
  /// Preloaded programs in a pid namespace of their own: their arenas and lock words have numbers that are other threads',
  /// or nobody's, outside.
  @Suite struct PidNamespaces {
    private let place = TemporaryPlace()
    private static let launcher = ["/usr/bin/unshare", "--pid", "--fork", "--kill-child"]

    private func sample(_ key: String) throws -> Sample {
      let sample = Sample(source: try #require(Sample.sources.first { $0.key == key }), level: .unoptimised)
      _ = try sample.prepared()
      return sample
    }

    private func lockjaw(_ arguments: [String]) async throws -> (ending: ChildProcess.Ending, said: String) {
      let child = try ChildProcess([Checkout.lockjaw.path] + arguments, environment: place.environment)
      return (try await child.ending(within: .seconds(60)), child.output)
    }

    /// The sample in a namespace of its own, under the shim, with its waiters asleep.
    private func start(
      _ key: String, waiters: Set<String>
    ) async throws -> (outside: ChildProcess, inside: pid_t) {
      let outside = try ChildProcess(
        Self.launcher + [try sample(key).executable.path],
        environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
      guard let inside = try await ProcessThreads.stuckChild(of: outside, waiters) else {
        try Test.cancel("a pid namespace cannot be made here: \(outside.output)")
      }
      return (outside, inside)
    }

    private func requireNamespaces() async throws {
      let probe = try ChildProcess(Self.launcher + ["/bin/true"])
      guard try await probe.ending(within: .seconds(20)) == .exit(0) else {
        try Test.cancel("a pid namespace cannot be made here: \(probe.output)")
      }
    }

    @Test("A preloaded deadlock is proven there as it is here, under the number that the process has here")
    func attachToDeadlock() async throws {
      let (outside, inside) = try await start("c/abba", waiters: ["alice", "bob"])
      let result = try await lockjaw(["attach", "\(inside)"])
      #expect(result.ending == .exit(1))
      // The first process of a namespace is number 1 there.
      #expect(result.said.hasPrefix("DEADLOCK (proven): threads 2 \"alice\" and 3 \"bob\""), "\(result.said)")
      #expect(result.said.contains("process \(inside) "), "\(result.said)")
      let list = try await lockjaw(["list"])
      #expect(
        list.said.split(separator: "\n").contains { $0.hasPrefix("\(inside) ") && $0.contains("DEADLOCK (proven)") },
        "\(list.said)")
      #expect(outside.poll() == nil)
    }

    @Test("A holder that lives there is no orphan's owner")
    func attachToLongHold() async throws {
      let (outside, inside) = try await start("c/long_hold", waiters: ["renderer"])
      let result = try await lockjaw(["attach", "--stall", "0.001", "\(inside)"])
      #expect(result.ending == .exit(0), "\(result.said)")
      #expect(result.said.hasPrefix("LONG HOLD (inferred): thread 2 \"fetcher\""), "\(result.said)")
      #expect(outside.poll() == nil)
    }

    @Test("A command that goes there is followed by the number it has here, and ended where it hangs")
    func runDeadlock() async throws {
      try await requireNamespaces()
      let run = try LockjawRun(try sample("c/abba"), by: Self.launcher)
      let ending = try await run.command.ending(within: .seconds(20))
      #expect(ending == .exit(LockjawRun.endedByFinding), "\(run.command.output)")
      let report = try #require(try run.report(), "\(run.command.output)")
      #expect(report.findings.map(\.kind) == ["deadlock"])
      #expect(report.findings.first?.certainty == "proven")
      #expect(run.command.output.contains("lockjaw: killed process \(report.process.pid)\n"), "\(run.command.output)")
      // Not the number 1 that it has in there: that is another process here.
      #expect(report.process.pid > 1)
    }

    @Test("A command that goes there and does not hang is left alone, and so is who has its number here")
    func runLongHold() async throws {
      try await requireNamespaces()
      let run = try LockjawRun(try sample("c/long_hold"), by: Self.launcher)
      let found = try await run.report(of: ["long-hold", "orphaned-lock"], within: .seconds(15))
      let report = try #require(found, "\(run.command.output)")
      #expect(report.findings.map(\.kind) == ["long-hold"])
      #expect(report.process.pid > 1)
      #expect(run.command.poll() == nil, "lockjaw ended a program that does not hang")
      #expect(!run.command.output.contains("killed process"), "\(run.command.output)")
      try await run.command.stop()
    }
  }
}
