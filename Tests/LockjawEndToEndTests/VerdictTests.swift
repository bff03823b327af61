import Foundation
import Testing

extension EndToEnd {
  /// Verdicts other than cycles, of programs that were started without lockjaw.
  @Suite struct Verdicts {
    private let place = TemporaryPlace()

    private func lockjaw(_ arguments: [String]) async throws -> (ending: ChildProcess.Ending, said: String) {
      let child = try ChildProcess([Checkout.lockjaw.path] + arguments, environment: place.environment)
      return (try await child.ending(within: .seconds(60)), child.output)
    }

    /// The sample by itself, once those who shall wait are asleep.
    private func start(_ key: String) async throws -> ChildProcess {
      let sample = Sample(source: try #require(Sample.sources.first { $0.key == key }), level: .unoptimised)
      let truth = try sample.prepared()
      let program = try ChildProcess([sample.executable.path])
      let threads = ProcessThreads(pid: program.pid)
      let names = Set(truth.waits.map(\.thread))
      let hangs = try await firstValue(within: .seconds(30)) { threads.areAllInFutexWait(names) ? true : nil }
      try #require(hangs == true, "not all of \(names.sorted()) are asleep")
      return program
    }

    /// Without the line ends and indentation that a page's width puts in.
    private func unwrapped(_ text: String) -> String {
      text.split(whereSeparator: { $0 == " " || $0 == "\n" }).joined(separator: " ")
    }

    private static let idlePrograms: [[String]] = [
      ["/bin/sleep", "60"], ["/bin/sh", "-c", "sleep 60 | cat | cat"], ["/bin/sh", "-c", "sleep 60 & wait"],
      [
        "/usr/bin/python3", "-c",
        "import signal, threading; threading.Thread(target=threading.Event().wait, daemon=True).start(); signal.pause()",
      ],
      ["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "0"],
      [
        "/usr/bin/python3", "-c",
        "import multiprocessing as m, time; p = m.Pool(2); p.map(abs, [1, 2]); time.sleep(60)",
      ],
    ]

    @Test("Real programs with nothing to do are not called hung, nor are their children", arguments: idlePrograms)
    func idle(command: [String]) async throws {
      guard FileManager.default.isExecutableFile(atPath: command[0]) else {
        try Test.cancel("\(command[0]) is not installed")
      }
      let program = try ChildProcess(command)
      // At rest: every thread of the program and of its children asleep, at several looks in a row.
      var looks = 0
      let rests = try await firstValue(within: .seconds(30)) { () -> Bool? in
        let states = ProcessThreads(pid: program.pid).listWithChildren().map(\.isAsleep)
        looks = states.isEmpty || states.contains(false) ? 0 : looks + 1
        return looks > 40 ? true : nil
      }
      try #require(rests == true, "\(command) does not come to rest: \(program.output)")
      for pid in Set(ProcessThreads(pid: program.pid).listWithChildren().map(\.pid)).sorted() {
        let result = try await lockjaw(["attach", "--stall", "0.001", "\(pid)"])
        #expect(result.ending == .exit(0), "\(command), process \(pid): \(result.said)")
      }
      #expect(program.poll() == nil, "the program has ended: \(program.output)")
    }

    @Test("A free lock with a sleeping waiter is a lost wake-up, live and in a minicore")
    func lostWakeup() async throws {
      let program = try await start("c/lost_wakeup")
      // The thread that forgot the wake-up has ended by the time nobody else runs.
      let alone = try await firstValue(within: .seconds(30)) {
        ProcessThreads(pid: program.pid).list().count == 2 ? true : nil
      }
      try #require(alone == true)
      // Looked at without a stop, and dumped by the last stop: a stop takes the waiter out of its sleep, and it finds the lock
      // free. Found for a while, too: a wait just past the half second that it takes may seem a tick shorter to the dump.
      let clock = ContinuousClock()
      var since: ContinuousClock.Instant?
      let found = try await firstValue(within: .seconds(20)) { () -> String? in
        let child = try ChildProcess([Checkout.lockjaw.path, "attach", "--no-stop", "\(program.pid)"])
        _ = try await child.ending(within: .seconds(20))
        guard child.output.hasPrefix("LOST WAKEUP (inferred)") else { return nil }
        let begin = since ?? clock.now
        since = begin
        return clock.now - begin >= .milliseconds(200) ? child.output : nil
      }
      #expect(found?.contains("waits for L1 \"cache\"") == true, "\(found ?? "nothing was found")")
      let core = place.path("mini")
      let dump = try await lockjaw(["dump", "\(program.pid)", "-o", core])
      #expect(dump.ending == .exit(0), "\(dump.said)")
      let result = try await lockjaw(["analyze", core])
      #expect(result.ending == .exit(1))
      #expect(result.said.hasPrefix("LOST WAKEUP (inferred): thread "), "\(result.said)")
      #expect(result.said.contains("\"reader\" waits for L1 \"cache\" in look_up()"), "\(result.said)")
    }

    @Test("A holder that reads from a pipe is told with the pipe's other end, though nobody recorded who took the lock")
    func longHold() async throws {
      let program = try await start("c/long_hold")
      // The kernel's clock of sleeps is a tick behind, up to 10 ms: right after it fell asleep, no time has passed.
      var result = try await lockjaw(["attach", "--stall", "0.001", "\(program.pid)"])
      let deadline = ContinuousClock.now + .seconds(20)
      while result.said.hasPrefix("CONTENTION"), ContinuousClock.now < deadline {
        result = try await lockjaw(["attach", "--stall", "0.001", "\(program.pid)"])
      }
      #expect(result.ending == .exit(0), "\(result.said)")
      #expect(result.said.hasPrefix("LONG HOLD (inferred): thread "), "\(result.said)")
      let words = unwrapped(result.said)
      #expect(words.contains("\"fetcher\", which holds it, is asleep in read on pipe:["), "\(result.said)")
      #expect(words.contains("is open in process \(program.pid) ("), "\(result.said)")
    }

    @Test("A stopped process is said to be stopped; a deadlock in it stays one, a long hold does not")
    func stopped() async throws {
      for (key, isHang) in [("c/abba", true), ("c/long_hold", false)] {
        let program = try await start(key)
        kill(program.pid, SIGSTOP)
        let isStopped = try await firstValue(within: .seconds(20)) {
          let stat = try? String(contentsOfFile: "/proc/\(program.pid)/stat", encoding: .utf8)
          return stat?.contains(") T ") == true ? true : nil
        }
        try #require(isStopped == true)
        let result = try await lockjaw(["attach", "--stall", "0.001", "\(program.pid)"])
        #expect(
          unwrapped(result.said).contains("stopped by a signal: no thread can run until SIGCONT"), "\(result.said)")
        #expect(result.said.hasPrefix("DEADLOCK (inferred)") == isHang, "\(result.said)")
        #expect(!result.said.hasPrefix("LONG HOLD"), "\(result.said)")
        #expect(result.ending == .exit(isHang ? 1 : 0))
        kill(program.pid, SIGCONT)
      }
    }
  }
}
