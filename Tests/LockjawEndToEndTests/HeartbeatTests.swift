import Foundation
import Testing

extension EndToEnd {
  /// Loops that say in `lockjaw.h` when they will be heard of again.
  @Suite struct Heartbeats {
    private let place = TemporaryPlace()

    private func lockjaw(_ arguments: String...) throws -> ChildProcess {
      try ChildProcess([Checkout.lockjaw.path] + arguments, environment: place.environment)
    }

    /// A loop that beats five times and then reads from a pipe that says nothing; another that has ended for good.
    private func silentLoop() async throws -> String {
      let source = place.path("beat.c")
      let binary = place.path("beat")
      try """
      #include <unistd.h>
      #include "lockjaw.h"
      int main(void) {
        int peer[2];
        char byte;
        if (pipe(peer) != 0) return 2;
        lockjaw_heartbeat("retired", 10);
        lockjaw_heartbeat("retired", 0);
        for (int i = 0; i < 5; i++) lockjaw_heartbeat("main loop", 200);
        lockjaw_breadcrumb("request 4711");
        return read(peer[0], &byte, 1) == 1;
      }
      """.write(toFile: source, atomically: true, encoding: .utf8)
      let compiler = try ChildProcess([
        "/usr/bin/gcc", "-g", "-I", Checkout.root.appending(path: "Sources/CLockjawPreload/include").path, source, "-o",
        binary,
      ])
      #expect(try await compiler.ending(within: .seconds(60)) == .exit(0), "\(compiler.output)")
      return binary
    }

    private static let told = [
      "MISSED HEARTBEAT (proven): \"main loop\" is due every 200 ms", "works on \"request 4711\"",
      "it was number 5.",
    ]
    /// On a loaded machine a thread may not stop in time, or not have come to its read yet.
    private func tellsPlace(_ output: String) -> Bool {
      output.contains("beat.c:11") || output.contains("could not be stopped within") || output.contains("runs")
    }

    @Test("run finds a loop that is not heard of, though no thread waits for a lock, and ends its program")
    func run() async throws {
      let run = try lockjaw("run", "--on-hang", "kill", "--", try await silentLoop())
      #expect(try await run.ending(within: .seconds(60)) == .exit(99), "\(run.output)")
      for said in Self.told { #expect(run.output.contains(said), "\(said) is not in\n\(run.output)") }
      #expect(tellsPlace(run.output), "\(run.output)")
      #expect(!run.output.contains("retired"))
    }

    @Test("attach says the same and ends with 1, attach --follow too; analyze of a dump as well")
    func attach() async throws {
      let program = try ChildProcess(
        [try await silentLoop()], environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
      _ = try #require(try await firstValue(within: .seconds(30)) { place.arenas.first })
      let follow = try lockjaw("attach", "--follow", "\(program.pid)")
      let found = try await firstValue(within: .seconds(30)) { follow.output.contains("MISSED HEARTBEAT") ? true : nil }
      #expect(found == true, "\(follow.output)")
      var attach = try lockjaw("attach", "\(program.pid)")
      #expect(try await attach.ending(within: .seconds(30)) == .exit(1))
      // Until the loop has come to the read that it does not leave.
      let deadline = ContinuousClock.now + .seconds(30)
      while !attach.output.contains("asleep in read"), ContinuousClock.now < deadline {
        attach = try lockjaw("attach", "\(program.pid)")
        _ = try await attach.ending(within: .seconds(30))
      }
      #expect(attach.output.contains("asleep in read"), "\(attach.output)")
      for said in Self.told { #expect(attach.output.contains(said), "\(said) is not in\n\(attach.output)") }
      #expect(tellsPlace(attach.output), "\(attach.output)")
      let core = place.path("beat.core")
      let dump = try lockjaw("dump", "-o", core, "\(program.pid)")
      #expect(try await dump.ending(within: .seconds(30)) == .exit(0), "\(dump.output)")
      let analyze = try lockjaw("analyze", core)
      #expect(try await analyze.ending(within: .seconds(30)) == .exit(1), "\(analyze.output)")
      for said in Self.told { #expect(analyze.output.contains(said), "\(said) is not in\n\(analyze.output)") }

      // Stopped as a whole, it cannot beat: that is no hang of its own.
      kill(program.pid, SIGSTOP)
      let stopped = try lockjaw("attach", "\(program.pid)")
      #expect(try await stopped.ending(within: .seconds(30)) == .exit(0), "\(stopped.output)")
      kill(program.pid, SIGCONT)
      try await program.stop()
      #expect(try await follow.ending(within: .seconds(30)) == .exit(1))
    }
  }
}
