import Foundation
import Testing

extension EndToEnd {
  /// What a user types, and what comes back: exit status, streams, children, actions.
  @Suite struct Commands {
    private let place = TemporaryPlace()

    private func lockjaw(_ arguments: String..., environment: [String: String] = [:]) throws -> ChildProcess {
      try ChildProcess([Checkout.lockjaw.path] + arguments, environment: place.environment.merging(environment) { $1 })
    }

    private func sample(_ key: String) throws -> String {
      let source = try #require(Sample.sources.first { $0.key == key })
      let sample = Sample(source: source, level: .unoptimised)
      _ = try sample.prepared()
      return sample.executable.path
    }

    @Test("run passes on the program's exit status, arguments, input and output")
    func transparent() async throws {
      let child = try lockjaw("run", "--", "/bin/sh", "-c", "cat; echo \"$1\"; exit 7", "sh", "word")
      #expect(try await child.ending(within: .seconds(20)) == .exit(7))
      #expect(child.output == "word\n")
    }

    @Test("run ends by the signal that ended the program")
    func signalled() async throws {
      let child = try lockjaw("run", "--", "/bin/sh", "-c", "kill -SEGV $$")
      #expect(try await child.ending(within: .seconds(20)) == .signal(SIGSEGV))
    }

    @Test("A signal sent to lockjaw reaches the program")
    func relayed() async throws {
      let child = try lockjaw(
        "run", "--", "/bin/sh", "-c", "trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
      #expect(try await firstValue(within: .seconds(20)) { child.output.contains("ready") ? true : nil } == true)
      kill(child.pid, SIGTERM)
      #expect(try await child.ending(within: .seconds(20)) == .exit(3))
      #expect(child.output == "ready\ntold\n")
    }

    @Test("run answers --help, and an option that it does not know, by itself: neither is the command")
    func options() async throws {
      let help = try lockjaw("run", "--help")
      #expect(try await help.ending(within: .seconds(20)) == .exit(0))
      #expect(help.output.contains("--on-hang"))
      let unknown = try lockjaw("run", "--stal", "1", "--", "/bin/true")
      #expect(try await unknown.ending(within: .seconds(20)) == .exit(125))
      #expect(unknown.output.contains("Unknown option '--stal'"))
      let command = try lockjaw("run", "--", "/bin/echo", "--help-me")
      #expect(try await command.ending(within: .seconds(20)) == .exit(0))
      #expect(command.output == "--help-me\n")
    }

    @Test("run ends with its program also where it was started with SIGCHLD ignored")
    func ignoredChildSignal() async throws {
      let script =
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
      let child = try ChildProcess(
        ["/usr/bin/python3", "-c", script, Checkout.lockjaw.path, "run", "--", "/bin/sh", "-c", "exit 7"],
        environment: place.environment)
      #expect(try await child.ending(within: .seconds(20)) == .exit(7))
    }

    @Test("A report without a finding is the command's, not that of a child that ended before it")
    func quietReport() async throws {
      let file = place.path("quiet.json")
      let child = try lockjaw(
        "run", "--format", "json", "--output", file, "--", "/bin/sh", "-c",
        "/bin/ls / >/dev/null; sleep 0.2; exit 4")
      #expect(try await child.ending(within: .seconds(20)) == .exit(4))
      let report = try String(contentsOfFile: file, encoding: .utf8)
      #expect(report.contains("\"command\": \"/bin/sh -c "))
      #expect(report.contains("exited with status 4"))
    }

    @Test("Ctrl-C at the terminal reaches the program once, and lockjaw ends as it does")
    func controlC() async throws {
      // The program counts interrupts: with lockjaw passing the terminal's on as well, it would count two.
      let program =
        "trap 'n=$((n+1)); echo got $n' INT; echo ready; i=0; while [ $i -lt 40 ]; do sleep 0.05; i=$((i+1)); done; exit 5"
      let script = """
        import os, pty, sys, time
        pid, fd = pty.fork()
        if pid == 0:
            os.execv(sys.argv[1], [sys.argv[1], "run", "--", "/bin/sh", "-c", sys.argv[2]])
        text = b""
        sent = False
        while True:
            try: chunk = os.read(fd, 1024)
            except OSError: break
            if not chunk: break
            text += chunk
            if b"ready" in text and not sent:
                sent = True
                os.write(fd, b"\\x03")
        status = os.waitpid(pid, 0)[1]
        sys.stdout.write(text.decode(errors="replace"))
        sys.exit(os.waitstatus_to_exitcode(status))
        """
      let child = try ChildProcess(
        ["/usr/bin/python3", "-c", script, Checkout.lockjaw.path, program], environment: place.environment)
      #expect(try await child.ending(within: .seconds(30)) == .exit(5))
      #expect(child.output.contains("got 1"))
      #expect(!child.output.contains("got 2"))
    }

    @Test("A hang in a child of the command is found too")
    func childProcess() async throws {
      let child = try lockjaw(
        "run", "--on-hang", "kill", "--", "/bin/sh", "-c", "'\(try sample("c/abba"))'; echo \"child: $?\"; exit 0")
      #expect(try await child.ending(within: .seconds(30)) == .exit(99))
      #expect(child.output.contains("DEADLOCK (proven)"))
      #expect(child.output.contains("child: 137"))
    }

    @Test("--on-hang abort ends the program by SIGABRT, and --error-exitcode is what lockjaw answers")
    func abort() async throws {
      let child = try lockjaw(
        "run", "--on-hang", "abort", "--error-exitcode", "42", "--", try sample("c/abba"))
      #expect(try await child.ending(within: .seconds(30)) == .exit(42))
      #expect(child.output.contains("aborted process"))
    }

    @Test("--on-hang exec runs a command that knows process, verdict and report, and the program goes on")
    func execute() async throws {
      let report = place.path("report.txt")
      let child = try lockjaw(
        "run", "--output", report, "--on-hang",
        "exec:echo \"about $LOCKJAW_PID $LOCKJAW_VERDICT\"; head -c 18 \"$LOCKJAW_REPORT\"; kill -9 $LOCKJAW_PID", "--",
        try sample("c/abba"))
      #expect(try await child.ending(within: .seconds(30)) == .signal(SIGKILL))
      #expect(child.output.contains("deadlock\nDEADLOCK (proven):"))
    }

    @Test("The report's file is there while the program still hangs")
    func reportWhileHanging() async throws {
      let report = place.path("report.json")
      let child = try lockjaw("run", "--format", "json", "--output", report, "--", try sample("c/iflet"))
      let text = try await firstValue(within: .seconds(20)) { try? String(contentsOfFile: report, encoding: .utf8) }
      #expect(text?.contains("\"verdict\": \"self-deadlock\"") == true)
      #expect(child.poll() == nil)
      try await child.stop()
    }

    @Test("A program that ends well leaves no arena, and an output that was asked for says so")
    func healthy() async throws {
      let report = place.path("report.json")
      let child = try lockjaw("run", "--format", "json", "--output", report, "--", try sample("c/gate_abba"))
      #expect(try await child.ending(within: .seconds(30)) == .exit(0))
      #expect(try String(contentsOfFile: report, encoding: .utf8).contains("\"verdict\": \"healthy\""))
      #expect(place.arenas.isEmpty)
    }

    @Test(
      "A program started by the environment alone is explained by attach, listed, and killed it leaves its evidence")
    func environmentAlone() async throws {
      let program = try ChildProcess(
        [try sample("c/abba")], environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
      // attach answers 1 as soon as the cycle has closed.
      var said = ""
      let isFound = try await poll(within: .seconds(20)) {
        let attach = try lockjaw("attach", "\(program.pid)")
        let ending = try await attach.ending(within: .seconds(20))
        said = attach.output
        return ending == .exit(1)
      }
      #expect(isFound, "attach never found the hang:\n\(said)")
      #expect(said.contains("DEADLOCK (proven)"))
      #expect(said.contains("The process was not stopped."))

      let list = try lockjaw("list")
      #expect(try await list.ending(within: .seconds(20)) == .exit(0))
      #expect(list.output.contains("\(program.pid)"))
      #expect(list.output.contains("DEADLOCK (proven)"))

      kill(program.pid, SIGKILL)
      _ = try await program.ending(within: .seconds(10))
      let arena = try #require(place.arenas.first)
      let analyze = try lockjaw("analyze", "--format", "json", arena)
      #expect(try await analyze.ending(within: .seconds(20)) == .exit(1))
      let document = try ReportDocument.decode(Data(analyze.output.utf8))
      let truth = try Sample(source: #require(Sample.sources.first { $0.key == "c/abba" }), level: .unoptimised).source
        .truth()
      #expect(document.verdict == "deadlock")
      #expect(document.findings.first?.certainty == "inferred")
      // The same cycle, sites and lines as the source states, from nothing but the arena.
      var offline = truth
      offline.certainties = ["inferred"]
      #expect(Comparison(truth: offline, fileName: "abba.c").mismatches(in: document) == [])
      #expect(analyze.output.contains("\"outcome\": \"in progress\""))
    }

    @Test("attach --follow reports what happens later")
    func follow() async throws {
      let program = try ChildProcess(
        [try sample("c/long_hold")], environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
      #expect(try await poll(within: .seconds(10)) { !place.arenas.isEmpty })
      let attach = try lockjaw("attach", "--follow", "--stall", "1", "\(program.pid)")
      #expect(try await poll(within: .seconds(20)) { attach.output.contains("LONG HOLD") })
      kill(program.pid, SIGKILL)
      #expect(try await attach.ending(within: .seconds(20)) == .exit(0))
    }

    @Test("The watchdog signal's report is written by the collector that watches, and the program goes on")
    func watchdogWatched() async throws {
      let run = try lockjaw("run", "--", try sample("c/idle"), environment: ["LOCKJAW_SIGNAL": "SIGQUIT"])
      let pid = try await programPID()
      kill(pid, SIGQUIT)
      let report = try await firstValue(within: .seconds(20)) { place.files(suffix: ".report-1.txt").first }
      #expect(try String(contentsOfFile: #require(report), encoding: .utf8).hasPrefix("IDLE"))
      #expect(run.poll() == nil)
      try await run.stop()
    }

    @Test("Without a collector the signalled process starts one for itself, and goes on")
    func watchdogAlone() async throws {
      let program = try ChildProcess(
        [try sample("c/abba")],
        environment: place.environment.merging([
          "LD_PRELOAD": Checkout.shim.path, "LOCKJAW_SIGNAL": "SIGQUIT", "LOCKJAW_EXE": Checkout.lockjaw.path,
        ]) { $1 })
      #expect(try await poll(within: .seconds(10)) { hasDeadlocked(program.pid) })
      kill(program.pid, SIGQUIT)
      let report = try await firstValue(within: .seconds(20)) { place.files(suffix: ".report-1.txt").first }
      #expect(try String(contentsOfFile: #require(report), encoding: .utf8).hasPrefix("DEADLOCK (proven)"))
      #expect(program.poll() == nil)
      try await program.stop()
    }

    @Test("Copied elsewhere together, lockjaw and liblockjaw.so work")
    func relocated() async throws {
      let directory = place.path("elsewhere")
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: Checkout.lockjaw.path, toPath: directory + "/lockjaw")
      try FileManager.default.copyItem(atPath: Checkout.shim.path, toPath: directory + "/liblockjaw.so")
      let child = try ChildProcess(
        [directory + "/lockjaw", "run", "--on-hang", "kill", "--", try sample("c/abba")], environment: place.environment
      )
      #expect(try await child.ending(within: .seconds(30)) == .exit(99))
      #expect(child.output.contains("DEADLOCK (proven)"))
    }

    @Test(
      "A command that goes on as another user is followed into that user's arena directory",
      .enabled(if: geteuid() == 0, "only root can become another user"))
    func otherUser() async throws {
      // Where that user may read: the checkout may be root's alone.
      let directory = place.path("shared")
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      chmod(place.path("."), 0o755)
      for (from, name) in [
        (Checkout.lockjaw.path, "lockjaw"), (Checkout.shim.path, "liblockjaw.so"), (try sample("c/abba"), "abba"),
      ] {
        try FileManager.default.copyItem(atPath: from, toPath: "\(directory)/\(name)")
      }
      let child = try ChildProcess(
        [
          directory + "/lockjaw", "run", "--on-hang", "kill", "--", "setpriv", "--reuid=65534", "--regid=65534",
          "--clear-groups", directory + "/abba",
        ], environment: place.environment)
      #expect(try await child.ending(within: .seconds(30)) == .exit(99))
      #expect(child.output.contains("DEADLOCK (proven)"))
    }

    // MARK: -

    /// The one process that has an arena here.
    private func programPID() async throws -> pid_t {
      let name = try await firstValue(within: .seconds(10)) { place.arenas.first }
      let file = try #require(name).split(separator: "/").last ?? ""
      return try #require(pid_t(file.split(separator: "-")[1]))
    }

    private func hasDeadlocked(_ pid: pid_t) -> Bool {
      ProcessThreads(pid: pid).areAllInFutexWait(["alice", "bob"])
    }

    private func poll(within limit: Duration, _ body: () async throws -> Bool) async throws -> Bool {
      try await firstValue(within: limit) { try await body() ? true : nil } ?? false
    }
  }
}
