import Foundation
import Testing

extension EndToEnd {
  /// `attach --follow` of processes that were started without lockjaw.
  @Suite struct FollowWithoutLibrary {
    private let place = TemporaryPlace()

    private func start(_ key: String) async throws -> ChildProcess {
      let source = try #require(Sample.sources.first { $0.key == key })
      let sample = Sample(source: source, level: .unoptimised)
      let truth = try sample.prepared()
      let program = try ChildProcess([sample.executable.path])
      let threads = ProcessThreads(pid: program.pid)
      let names = Set(truth.waits.map(\.thread))
      let rests = try await firstValue(within: .seconds(20)) {
        threads.areAllInFutexWait(names) && threads.areAllAsleep() ? true : nil
      }
      try #require(rests == true)
      return program
    }

    private func follow(_ program: ChildProcess, stall: String) throws -> ChildProcess {
      try ChildProcess(
        [Checkout.lockjaw.path, "attach", "--follow", "--stall", stall, "\(program.pid)"],
        environment: place.environment)
    }

    @Test("A hold that becomes long is reported once, when it has, and the end of the process ends the session")
    func laterHold() async throws {
      let program = try await start("c/long_hold")
      let session = try follow(program, stall: "2")
      let isReported = try await firstValue(within: .seconds(30)) { session.output.contains("LONG HOLD") ? true : nil }
      #expect(isReported == true, "\(session.output)")
      #expect(session.poll() == nil)
      kill(program.pid, SIGKILL)
      // A long hold is no hang.
      #expect(try await session.ending(within: .seconds(20)) == .exit(0), "\(session.output)")
      #expect(session.output.components(separatedBy: "LONG HOLD (inferred)").count == 2, "\(session.output)")
    }

    @Test("A deadlock that is there is reported at once, once, and a signal ends the session with its status")
    func deadlock() async throws {
      let program = try await start("c/abba")
      let session = try follow(program, stall: "1")
      let isReported = try await firstValue(within: .seconds(30)) { session.output.contains("Took:") ? true : nil }
      #expect(isReported == true, "\(session.output)")
      // Long enough for the looks that a first look and the stall are due for.
      #expect(try await firstValue(within: .seconds(3), isOwed: false) { session.poll() } == nil)
      kill(session.pid, SIGTERM)
      #expect(try await session.ending(within: .seconds(20)) == .exit(1), "\(session.output)")
      #expect(session.output.components(separatedBy: "DEADLOCK (inferred)").count == 2, "\(session.output)")
      #expect(program.poll() == nil)
    }

    @Test(
      "A lock whose holder only the frames tell is named once, when the program comes to hang, and then it is left alone",
      arguments: ["rust/std_iflet", "rust/pl_iflet"])
    func inlinedLater(key: String) async throws {
      let source = try #require(Sample.sources.first { $0.key == key })
      let sample = Sample(source: source, level: .optimised)
      let truth = try sample.prepared()
      let gate = place.path("gate")
      try #require(mkfifo(gate, 0o600) == 0)
      let program = try ChildProcess([sample.executable.path], environment: ["LOCKJAW_SAMPLE_GATE": gate])
      let threads = ProcessThreads(pid: program.pid)
      // Not yet: it waits in openat(2) for somebody to open the gate, as it may wait for its libraries before that, for less.
      let clock = ContinuousClock()
      var (counts, since) = (threads.contextSwitches(), clock.now)
      let isHeldBack = try await firstValue(within: .seconds(20)) { () -> Bool? in
        let call = try? String(contentsOfFile: "/proc/\(program.pid)/syscall", encoding: .utf8)
        let now = threads.contextSwitches()
        if now != counts || call?.hasPrefix("257 ") != true { (counts, since) = (now, clock.now) }
        return clock.now - since > .milliseconds(200) ? true : nil
      }
      try #require(isHeldBack == true, "\(program.output)")
      let before = threads.contextSwitches()
      let session = try follow(program, stall: "2")
      // Its first look, which stops the program, is behind it.
      let isFollowed = try await firstValue(within: .seconds(20)) { threads.contextSwitches() != before ? true : nil }
      try #require(isFollowed == true, "\(session.output)")
      #expect(session.output.isEmpty, "\(session.output)")

      // A look takes it out of its wait for an instant.
      let opened = try await firstValue(within: .seconds(10)) { () -> Int32? in
        let descriptor = open(gate, O_WRONLY | O_NONBLOCK)
        return descriptor >= 0 ? descriptor : nil
      }
      close(try #require(opened, "nobody waits at the gate"))
      let isReported = try await firstValue(within: .seconds(30)) { session.output.contains("Took:") ? true : nil }
      try #require(isReported == true, "\(session.output)")
      let line = try #require(truth.waits.first).line
      #expect(session.output.hasPrefix("SELF-DEADLOCK (inferred): thread "), "\(session.output)")
      #expect(session.output.contains("\(source.fileName):\(line)"), "\(session.output)")
      #expect(try await comesToBeLeftAlone(threads), "the process was looked at again and again")
      kill(session.pid, SIGTERM)
      #expect(try await session.ending(within: .seconds(20)) == .exit(1), "\(session.output)")
      #expect(session.output.components(separatedBy: "DEADLOCK (inferred)").count == 2, "\(session.output)")
      #expect(program.poll() == nil)
    }

    /// Whether nobody stops the process any more: the first look and the stall's come within three seconds; then four are
    /// quiet.
    private func comesToBeLeftAlone(_ threads: ProcessThreads) async throws -> Bool {
      let clock = ContinuousClock()
      var (last, since) = (threads.contextSwitches(), clock.now)
      return try await firstValue(within: .seconds(30)) { () -> Bool? in
        let now = threads.contextSwitches()
        if now != last { (last, since) = (now, clock.now) }
        return clock.now - since > .seconds(4) ? true : nil
      } ?? false
    }

    @Test("Idle workers are left alone: once they were looked at, nobody is stopped again")
    func idle() async throws {
      let program = try await start("c/idle")
      let session = try follow(program, stall: "1")
      let isLeftAlone = try await comesToBeLeftAlone(ProcessThreads(pid: program.pid))
      #expect(isLeftAlone, "the process was looked at again and again")
      #expect(session.poll() == nil && session.output.isEmpty, "\(session.output)")
      kill(program.pid, SIGKILL)
      #expect(try await session.ending(within: .seconds(20)) == .exit(0), "\(session.output)")
    }
  }
}
