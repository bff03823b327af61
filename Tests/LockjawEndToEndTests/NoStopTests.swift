import Foundation
import Testing

extension EndToEnd {
  /// Preloaded and deadlocked: the report is made without a stop. By the kernel's own account: whoever is stopped, or woken in any
  /// other way, leaves a processor once more when it goes back to sleep.
  @Suite struct NoStop {
    private let place = TemporaryPlace()

    /// Those that an arena explains, and those whose holders are told by their frames.
    private static let samples = [
      "c/abba", "c/ring5", "rust/std_iflet", "rust/pl_iflet", "rust/std_abba", "rust/pl_abba",
    ]

    /// The counts once everybody sleeps: those who hang for good, and the rest beside them.
    private func countsAtRest(_ threads: ProcessThreads, _ truth: Truth) async throws -> [String] {
      let names = Set(truth.waits.map(\.thread))
      let counts = try await firstValue(within: .seconds(20)) { () -> [String]? in
        // They are asked one after the other: one that woke another and then fell asleep itself shows in the counts.
        let before = threads.contextSwitches()
        guard threads.areAllInFutexWait(names) && threads.areAllAsleep() else { return nil }
        return threads.contextSwitches() == before ? before : nil
      }
      return try #require(counts, "not all of \(names.sorted()) are asleep")
    }

    private func sample(_ key: String) throws -> (Sample, Truth) {
      let sample = Sample(source: try #require(Sample.sources.first { $0.key == key }), level: .optimised)
      return (sample, try sample.prepared())
    }

    @Test(
      "attach names the deadlock of a preloaded program, and none of its threads has run meanwhile", arguments: samples)
    func attach(key: String) async throws {
      let (sample, truth) = try sample(key)
      let program = try ChildProcess(
        [sample.executable.path], environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
      let threads = ProcessThreads(pid: program.pid)
      let before = try await countsAtRest(threads, truth)
      let attach = try ChildProcess(
        [Checkout.lockjaw.path, "attach", "\(program.pid)"], environment: place.environment)
      #expect(try await attach.ending(within: .seconds(60)) == .exit(1), "\(attach.output)")
      #expect(attach.output.contains("DEADLOCK ("), "\(attach.output)")
      #expect(attach.output.contains("The process was not stopped."), "\(attach.output)")
      #expect(before.count >= 2 * truth.waits.count && threads.contextSwitches() == before)
    }

    @Test("run reports a hang, and no thread of the program has run since it began", arguments: samples)
    func run(key: String) async throws {
      let (sample, truth) = try sample(key)
      let run = try LockjawRun(sample, onHang: "report")
      let program = try await firstValue(within: .seconds(20)) { () -> pid_t? in
        guard let program = run.program else { return nil }
        return ProcessThreads(pid: program).areAllInFutexWait(Set(truth.waits.map(\.thread))) ? program : nil
      }
      let threads = ProcessThreads(pid: try #require(program, "\(run.command.output)"))
      let before = try await countsAtRest(threads, truth)
      let report = try await run.report(of: truth.verdicts, within: .seconds(20))
      #expect(report != nil, "\(run.command.output)")
      #expect(before.count >= 2 * truth.waits.count && threads.contextSwitches() == before)
      try await run.command.stop()
    }
  }
}
