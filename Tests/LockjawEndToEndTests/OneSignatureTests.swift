import Foundation
import Testing

extension EndToEnd {
  /// A fleet is looked at in different ways at once: here a preloaded process, there one that was never asked, there a core.
  @Suite struct OneSignature {
    private let place = TemporaryPlace()

    private func signature(_ arguments: [String], _ file: String) async throws -> String {
      let lockjaw = try ChildProcess(
        [Checkout.lockjaw.path] + arguments.prefix(1) + ["--format", "json", "-o", place.path(file)]
          + arguments.dropFirst(), environment: place.environment)
      _ = try await lockjaw.ending(within: .seconds(60))
      let bytes = try #require(try? Data(contentsOf: URL(filePath: place.path(file))), "\(lockjaw.output)")
      return try ReportDocument.decode(bytes).signature
    }

    @Test(
      "A hang has the same signature under run at every level, by attach without the library, and from a core",
      arguments: ["c/abba", "c/rwlock_upgrade", "rust/std_iflet", "rust/pl_abba", "cpp/mutex_abba"])
    func ways(key: String) async throws {
      let sample = Sample(source: try #require(Sample.sources.first { $0.key == key }), level: .unoptimised)
      let truth = try sample.prepared()
      var seen: [String: String] = [:]
      for level in ["state", "sites"] {
        seen["run, \(level)"] = try await signature(
          ["run", "--record", level, "--on-hang", "kill", "--stall", "1", "--", sample.executable.path], level)
      }
      let program = try ChildProcess([sample.executable.path])
      let names = Set(truth.waits.map(\.thread))
      let threads = ProcessThreads(pid: program.pid)
      try #require(
        try await firstValue(within: .seconds(20)) { threads.areAllInFutexWait(names) ? true : nil } == true)
      seen["attach"] = try await signature(["attach", "\(program.pid)"], "attach")
      let dump = try ChildProcess(
        [Checkout.lockjaw.path, "dump", "\(program.pid)", "-o", place.path("core")], environment: place.environment)
      #expect(try await dump.ending(within: .seconds(60)) == .exit(0), "\(dump.output)")
      seen["core"] = try await signature(["analyze", place.path("core")], "core.json")
      #expect(Set(seen.values).count == 1, "\(seen)")
    }
  }
}
