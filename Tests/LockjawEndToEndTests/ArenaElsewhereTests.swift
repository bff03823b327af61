import Foundation
import Testing

extension EndToEnd {
  /// Preloaded programs whose arena is not where this side would look, or has nothing in it.
  @Suite struct ArenaElsewhere {
    private let place = TemporaryPlace()

    /// The process that a shell goes on as when it has prepared everything, hung; `nil` where it cannot prepare it.
    private func hung(_ launcher: [String] = [], after preparation: String, arenas: String) async throws
      -> ChildProcess?
    {
      let sample = Sample(source: try #require(Sample.sources.first { $0.key == "c/abba" }), level: .unoptimised)
      _ = try sample.prepared()
      let program = "exec env LD_PRELOAD=\(Checkout.shim.path) \(sample.executable.path)"
      let process = try ChildProcess(
        launcher + ["/bin/sh", "-c", "\(preparation) && \(program)"],
        environment: place.environment.merging(["LOCKJAW_DIR": arenas]) { $1 })
      let isHung = try await firstValue(within: .seconds(20)) { () -> Bool? in
        if process.poll() != nil { return false }
        return ProcessThreads(pid: process.pid).areAllInFutexWait(["alice", "bob"]) ? true : nil
      }
      return isHung == true ? process : nil
    }

    private func attach(_ process: ChildProcess, _ options: [String] = []) async throws -> (
      ending: ChildProcess.Ending, said: String
    ) {
      let child = try ChildProcess(
        [Checkout.lockjaw.path, "attach", "\(process.pid)"] + options, environment: place.environment)
      return (try await child.ending(within: .seconds(60)), child.output)
    }

    @Test("The arena of a process with a /dev/shm of its own is found through that process")
    func ownMounts() async throws {
      let directory = "/dev/shm/lockjaw-tests-\(UUID().uuidString)"
      guard
        let process = try await hung(
          ["/usr/bin/unshare", "--mount"], after: "mount -t tmpfs none /dev/shm", arenas: directory)
      else { try Test.cancel("a mount namespace cannot be made here") }
      #expect(!FileManager.default.fileExists(atPath: directory))
      let result = try await attach(process)
      #expect(result.ending == .exit(1))
      #expect(result.said.hasPrefix("DEADLOCK (proven): threads "), "\(result.said)")
      #expect(result.said.contains("arena: both waits are the same in two passes"), "\(result.said)")
      try await process.stop()
    }

    @Test("Where the library could record nothing, attach says why and looks at the process itself")
    func disabled() async throws {
      // Room for the reason, not for an arena.
      let process = try #require(try await hung(after: "ulimit -f 32", arenas: place.arenaPath))
      let result = try await attach(process)
      #expect(result.ending == .exit(1), "\(result.said)")
      #expect(result.said.contains("process \(process.pid) is not covered: RLIMIT_FSIZE"), "\(result.said)")
      #expect(result.said.contains("\nDEADLOCK ("), "\(result.said)")
      let record = try await attach(process, ["--record", "all"])
      #expect(record.ending == .exit(125), "\(record.said)")
      try await process.stop()
    }
  }
}
