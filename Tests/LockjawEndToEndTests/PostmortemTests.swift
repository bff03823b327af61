import Foundation
import Testing

extension EndToEnd {
  /// Processes that were started without lockjaw, and what is left of them.
  @Suite struct Postmortem {
    private let place = TemporaryPlace()

    private func lockjaw(_ arguments: [String]) async throws -> (ending: ChildProcess.Ending, said: String) {
      let child = try ChildProcess([Checkout.lockjaw.path] + arguments, environment: place.environment)
      return (try await child.ending(within: .seconds(60)), child.output)
    }

    /// Starts the sample by itself and waits until those who shall be stuck are.
    private func start(_ sample: Sample, preloaded: Bool = false) async throws -> (ChildProcess, Truth) {
      let truth = try sample.prepared()
      let environment = preloaded ? place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 } : [:]
      let script = "ulimit -c unlimited; cd \"$0\"; exec \"$1\""
      let directory = place.path("run")
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      let program = try ChildProcess(
        ["/bin/sh", "-c", script, directory, sample.executable.path], environment: environment)
      try await comesToRest(program, truth)
      return (program, truth)
    }

    /// Until those who shall be stuck are; after a look, too, which takes sleepers out of their sleep for a moment.
    private func comesToRest(_ program: ChildProcess, _ truth: Truth) async throws {
      let threads = ProcessThreads(pid: program.pid)
      let names = Set(truth.waits.map(\.thread))
      // Who holds an orphaned lock has ended.
      let ended = truth.verdicts == ["orphaned-lock"] ? Set(truth.holds.map(\.thread)) : []
      // What is no cycle must have lasted: longer than a tick of the clock that sleeps are dated by.
      let patience: Duration = ended.isEmpty ? .zero : .milliseconds(100)
      let clock = ContinuousClock()
      var since: ContinuousClock.Instant?
      let hangs = try await firstValue(within: .seconds(20)) { () -> Bool? in
        guard threads.areAllInFutexWait(names) && ended.isDisjoint(with: threads.list().map(\.name)) else {
          since = nil
          return nil
        }
        let begin = since ?? clock.now
        since = begin
        return clock.now - begin >= patience ? true : nil
      }
      try #require(hangs == true, "not all of \(names.sorted()) are asleep")
    }

    private static func sample(_ key: String, _ level: Sample.Level = .unoptimised) throws -> Sample {
      Sample(source: try #require(Sample.sources.first { $0.key == key }), level: level)
    }

    /// Verdict, and who waits where for whom, against what the source states.
    private func check(_ report: ReportDocument, _ truth: Truth, _ sample: Sample, namesAreKnown: Bool = true) {
      #expect(truth.verdicts.contains(report.verdict), "\(sample.testDescription): \(report.verdict)")
      guard let finding = report.findings.first else { return }
      #expect(finding.certainty == "inferred")
      for edge in finding.edges {
        #expect(!edge.holders.isEmpty, "\(sample.testDescription): nobody is named")
        guard namesAreKnown else { continue }
        let waiter = report.name(of: edge.waiter)
        let lines = truth.waits.filter { $0.thread == waiter }.map(\.line)
        #expect(edge.waitsAt?.line.map { lines.contains($0) } == true, "\(waiter) at \(edge.waitsAt?.line ?? 0)")
      }
    }

    /// Those whose locks' words name their owners.
    private static let named = [
      "c/abba", "c/ring5", "c/join_cycle", "c/orphaned", "c/self_mutex", "c/cond_reacquire", "cpp/mutex_abba",
    ]

    @Test(
      "A deadlock of a program that was never preloaded is named by attach, and the same by analyze of its minicore",
      arguments: named, Sample.Level.allCases)
    func attachAndDump(key: String, level: Sample.Level) async throws {
      let sample = try Self.sample(key, level)
      let (program, truth) = try await start(sample)
      let file = place.path("report.json")
      var result = try await lockjaw(["attach", "--stall", "0.01", "--format", "json", "-o", file, "\(program.pid)"])
      #expect(result.ending == .exit(1), "\(result.said)")
      check(try ReportDocument.decode(Data(contentsOf: URL(filePath: file))), truth, sample)

      try await comesToRest(program, truth)
      let core = place.path("mini")
      result = try await lockjaw(["dump", "\(program.pid)", "-o", core])
      #expect(result.ending == .exit(0), "\(result.said)")
      #expect(result.said.contains("the process stood still for"), "\(result.said)")
      #expect(program.poll() == nil, "dump ended the program")
      result = try await lockjaw(["analyze", "--stall", "0.0001", "--format", "json", "-o", file, core])
      #expect(result.ending == .exit(1), "\(result.said)")
      check(try ReportDocument.decode(Data(contentsOf: URL(filePath: file))), truth, sample)
    }

    @Test(
      "The reader whose guard an if-let keeps is named live and from the minicore, though nobody recorded it",
      arguments: ["rust/std_iflet", "rust/pl_iflet", "c/iflet"])
    func inlinedHolder(key: String) async throws {
      let sample = try Self.sample(key)
      let (program, truth) = try await start(sample)
      let core = place.path("mini")
      let line = try #require(truth.waits.first).line
      let dump = try await lockjaw(["dump", "\(program.pid)", "-o", core])
      #expect(dump.ending == .exit(0), "\(dump.said)")
      for arguments in [["attach", "\(program.pid)"], ["analyze", core]] {
        let result = try await lockjaw(arguments)
        #expect(result.ending == .exit(1))
        #expect(result.said.hasPrefix("SELF-DEADLOCK (inferred): thread "), "\(result.said)")
        #expect(result.said.contains("\(sample.source.fileName):\(line)"), "\(result.said)")
      }
    }

    @Test("In another pid namespace the owners in lock words are still told")
    func otherNamespace() async throws {
      let sample = try Self.sample("c/abba")
      _ = try sample.prepared()
      let outside = try ChildProcess([
        "/usr/bin/unshare", "--pid", "--fork", "--kill-child", sample.executable.path,
      ])
      guard let inside = try await ProcessThreads.stuckChild(of: outside, ["alice", "bob"]) else {
        try Test.cancel("a pid namespace cannot be made here: \(outside.output)")
      }
      let result = try await lockjaw(["attach", "\(inside)"])
      #expect(result.ending == .exit(1))
      // The first process of a namespace is number 1 there.
      #expect(result.said.hasPrefix("DEADLOCK (inferred): threads 2 \"alice\" and 3 \"bob\""), "\(result.said)")
    }

    @Test("Without a stop the same cycle is named, and it is said what that costs")
    func withoutStop() async throws {
      let (program, _) = try await start(try Self.sample("c/ring5", .optimised))
      let result = try await lockjaw(["attach", "--no-stop", "\(program.pid)"])
      #expect(result.ending == .exit(1))
      #expect(result.said.hasPrefix("DEADLOCK (inferred): 5 threads"), "\(result.said)")
      #expect(result.said.contains("The process was not stopped (--no-stop)"), "\(result.said)")
    }

    @Test("The kernel's core of a deadlocked program names the cycle, and who asks for the text can read it")
    func kernelCore() async throws {
      let (program, _) = try await start(try Self.sample("c/abba"))
      kill(program.pid, SIGABRT)
      _ = try await program.ending(within: .seconds(20))
      let core = place.path("run") + "/core"
      guard FileManager.default.fileExists(atPath: core) else {
        try Test.cancel("this machine does not write cores into the working directory (core_pattern)")
      }
      let result = try await lockjaw(["analyze", core])
      #expect(result.ending == .exit(1))
      #expect(result.said.hasPrefix("DEADLOCK (inferred): threads "), "\(result.said)")
      #expect(result.said.contains("ended by signal 6 (SIGABRT)"))
      #expect(result.said.contains("L1 \"accounts[1].lock\" in transfer() (abba.c:24)"), "\(result.said)")
    }

    @Test("The minicore of a preloaded process has its arena: the report is proven, with the acquire sites")
    func preloaded() async throws {
      let (program, _) = try await start(try Self.sample("c/abba"), preloaded: true)
      let core = place.path("mini")
      var result = try await lockjaw(["dump", "\(program.pid)", "-o", core])
      #expect(result.ending == .exit(0), "\(result.said)")
      try await program.stop()
      for arena in place.arenas { unlink(arena) }
      result = try await lockjaw(["analyze", core])
      #expect(result.ending == .exit(1))
      #expect(result.said.hasPrefix("DEADLOCK (proven)"), "\(result.said)")
      #expect(result.said.contains("holds since  transfer() at"), "\(result.said)")
      #expect(result.said.contains("abba.c:22"), "\(result.said)")
    }

    @Test(
      "The minicore of a preloaded process tells the inlined locks that its arena does not",
      arguments: ["rust/std_iflet", "rust/pl_iflet"])
    func preloadedInlined(key: String) async throws {
      let sample = try Self.sample(key)
      let (program, truth) = try await start(sample, preloaded: true)
      let core = place.path("mini")
      let dump = try await lockjaw(["dump", "\(program.pid)", "-o", core])
      #expect(dump.ending == .exit(0), "\(dump.said)")
      try await program.stop()
      for arena in place.arenas { unlink(arena) }
      let result = try await lockjaw(["analyze", core])
      #expect(result.ending == .exit(1))
      #expect(result.said.hasPrefix("SELF-DEADLOCK (inferred): thread "), "\(result.said)")
      let line = try #require(truth.waits.first).line
      #expect(result.said.contains("\(sample.source.fileName):\(line)"), "\(result.said)")
    }

    @Test("gdb and eu-stack see the same frames in a minicore as in the process")
    func debuggers() async throws {
      let gdb = try #require(Debugger.executable)
      let eu = "/usr/bin/eu-stack"
      guard FileManager.default.isExecutableFile(atPath: eu) else { try Test.cancel("eu-stack is not installed") }
      let sample = try Self.sample("c/bystanders")
      let (program, _) = try await start(sample)
      let core = place.path("mini")
      let dump = try await lockjaw(["dump", "\(program.pid)", "-o", core])
      #expect(dump.ending == .exit(0), "\(dump.said)")
      let live = try ChildProcess([eu, "-p", "\(program.pid)"])
      _ = try await live.ending(within: .seconds(60))
      let dead = try ChildProcess([eu, "--core=\(core)"])
      _ = try await dead.ending(within: .seconds(60))
      // The first line says which of the two it is.
      let frames = live.output.split(separator: "\n").dropFirst()
      #expect(
        frames.count > 10 && frames.elementsEqual(dead.output.split(separator: "\n").dropFirst()), "\(dead.output)")

      // gdb says what it sees with its arguments: equal lines mean equal frames, registers and memory.
      func backtraces(_ arguments: [String]) async throws -> [Substring] {
        let debugger = try ChildProcess(
          [gdb, "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "thread apply all bt 40"] + arguments)
        _ = try await debugger.ending(within: .seconds(60))
        let lines = debugger.output.split(separator: "\n")
        // Before the list gdb shows the frame it stopped at.
        let first = lines.firstIndex { $0.hasPrefix("Thread ") } ?? lines.endIndex
        return lines[first...].filter { $0.hasPrefix("Thread ") || $0.hasPrefix("#") }.map {
          // A core has no thread names.
          $0.hasPrefix("Thread ") ? $0.prefix { $0 != ")" } : $0
        }
      }
      let inCore = try await backtraces([sample.executable.path, core])
      let inProcess = try await backtraces(["-p", "\(program.pid)"])
      func trimmed(_ lines: [Substring]) -> [String] { lines.map { $0.trimmingCharacters(in: .whitespaces) } }
      #expect(inCore.count > 10 && trimmed(inCore) == trimmed(inProcess))
    }

    @Test("What cannot be looked at is answered with a sentence and 125, by attach and by dump")
    func refused() async throws {
      let gone = try await lockjaw(["dump", "4194000"])
      #expect(gone.ending == .exit(125) && gone.said.contains("There is no process 4194000"), "\(gone.said)")

      let zombie = try ChildProcess(["/bin/sh", "-c", "sleep 0 & exec sleep 60"])
      let child = try await firstValue(within: .seconds(10)) { () -> pid_t? in
        guard let pid = ProcessThreads.children(of: zombie.pid).first,
          let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8), stat.contains(") Z ")
        else { return nil }
        return pid
      }
      let traced = try ChildProcess(["/bin/sleep", "60"])
      let tracer = try ChildProcess([
        Debugger.executable ?? "gdb", "-nx", "-batch", "-ex", "python import time; time.sleep(60)", "-p",
        "\(traced.pid)",
      ])
      let isTraced = try await firstValue(within: .seconds(20)) {
        (try? String(contentsOfFile: "/proc/\(traced.pid)/status", encoding: .utf8))?
          .contains("TracerPid:\t\(tracer.pid)\n") == true ? true : nil
      }
      for command in ["attach", "dump"] {
        if let child {
          let result = try await lockjaw([command, "\(child)"])
          #expect(result.ending == .exit(125) && result.said.contains("has ended"), "\(result.said)")
        }
        if isTraced == true {
          let result = try await lockjaw([command, "\(traced.pid)"])
          #expect(result.ending == .exit(125), "\(result.said)")
          #expect(result.said.contains("is being traced by gdb (pid \(tracer.pid))"), "\(result.said)")
        }
        let own = try ChildProcess(
          ["/bin/sh", "-c", "exec '\(Checkout.lockjaw.path)' \(command) $$"], environment: place.environment)
        #expect(try await own.ending(within: .seconds(20)) == .exit(125))
        #expect(own.output.contains("is this process"), "\(own.output)")
      }
      #expect(child != nil && isTraced == true)
      try await tracer.stop()
    }

    @Test(
      "A thread of the kernel is answered with a sentence and 125, by attach and by dump",
      .enabled(if: kernelThread != nil, "no thread of the kernel is visible: this is a container or a pid namespace"))
    func refusedKernelThread() async throws {
      let pid = try #require(Self.kernelThread)
      for command in ["attach", "dump"] {
        let result = try await lockjaw([command, "\(pid)"])
        #expect(result.ending == .exit(125), "\(result.said)")
        #expect(result.said.contains("\(pid) is a thread of the kernel, not a program"), "\(result.said)")
      }
    }

    /// Some child of kthreadd, or that itself: it is pid 2, wherever threads of the kernel can be seen.
    private static let kernelThread: pid_t? = {
      let stat = try? String(contentsOfFile: "/proc/2/stat", encoding: .utf8)
      return stat?.hasPrefix("2 (kthreadd)") == true ? 2 : nil
    }()

    @Test("A file that cannot be written leaves nothing behind, and the process goes on")
    func unwritable() async throws {
      let plain = try ChildProcess(["/bin/sleep", "60"])
      let result = try await lockjaw(["dump", "\(plain.pid)", "-o", "/proc/nowhere/core"])
      #expect(result.ending == .exit(125) && result.said.contains("/proc/nowhere/core"), "\(result.said)")
      #expect(plain.poll() == nil)
    }

    @Test("Files that are no cores, or only their beginning, are answered with a sentence and 125")
    func damagedCores() async throws {
      let (program, _) = try await start(try Self.sample("c/abba"))
      let core = place.path("mini")
      _ = try await lockjaw(["dump", "\(program.pid)", "-o", core])
      let whole = try Data(contentsOf: URL(filePath: core))
      let part = place.path("part")
      for length in [20, 64, 500, 1200, 4096, 12288, whole.count / 2, whole.count - 1] {
        try whole.prefix(length).write(to: URL(filePath: part))
        let result = try await lockjaw(["analyze", part])
        if result.ending == .exit(125) {
          #expect(result.said.hasPrefix("lockjaw: ") && result.said.split(separator: "\n").count == 1, "\(result.said)")
        } else {
          #expect([.exit(0), .exit(1)].contains(result.ending), "\(length): \(result.said)")
          #expect(result.said.contains("truncated"), "\(length): \(result.said)")
        }
      }
    }
  }
}
