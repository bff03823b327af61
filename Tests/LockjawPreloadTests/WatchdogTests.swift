import Glibc
import Testing

@Suite("The watchdog signal") struct WatchdogTests {
  /// A stand-in for `lockjaw`: writes down how it was called.
  private func helper(in scratch: ScratchDirectory) throws -> String {
    let path = "\(scratch.path)/helper"
    let script = """
      #!/bin/sh
      exec > \(scratch.path)/called.new
      echo "arguments $*"
      echo "preload [$LD_PRELOAD] directory [$LOCKJAW_DIR]"
      echo "descriptors $(ls /proc/self/fd | wc -l)"
      grep -E 'SigBlk|SigIgn' /proc/self/status
      echo "parent of the program $PPID"
      mv \(scratch.path)/called.new \(scratch.path)/called

      """
    let file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o700)
    guard file >= 0 else { throw HarnessError(description: "cannot write \(path)") }
    defer { close(file) }
    _ = script.withCString { write(file, $0, strlen($0)) }
    return path
  }

  private func waitForFile(_ path: String) throws -> String {
    for _ in 0..<5000 {
      if let bytes = try? readFile(path) { return String(decoding: bytes, as: UTF8.self) }
      usleep(2000)
    }
    throw HarnessError(description: "\(path) never appeared")
  }

  @Test("Without a collector the handler starts lockjaw, which is nobody's child, and the program goes on")
  func startsHelper() async throws {
    let scratch = try ScratchDirectory()
    let directory = try ScratchDirectory()
    let outcome = try await runPreloaded(
      "life.c", ["signal", "3"],
      environment: ["LOCKJAW_SIGNAL": "SIGQUIT", "LOCKJAW_EXE": try helper(in: scratch)], directory: directory)
    #expect(outcome.status == 0 && outcome.output == "ok\n" && outcome.errors == "", "\(outcome)")
    let called = try waitForFile("\(scratch.path)/called").split(separator: "\n")
    try #require(called.count == 6)
    #expect(called[0].hasPrefix("arguments attach ") && called[0].hasSuffix(" --signal-report"))
    #expect(called[1] == "preload [] directory [\(directory.path)]")
    #expect(called[2] == "descriptors 4", "the standard three and the one ls reads with")
    #expect(called[3].hasSuffix("0000000000000000"), "no signal is blocked")
  }

  @Test("A signal is known by name or number, also where whoever started the program had it ignored")
  func names() async throws {
    for (name, number) in [("USR1", "10"), ("12", "12"), ("SIGWINCH", "28")] {
      let outcome = try await runPreloaded(
        "life.c", ["signal", number], environment: ["LOCKJAW_SIGNAL": name, "LOCKJAW_EXE": "/bin/true"])
      #expect(outcome.status == 0, "\(name): \(outcome)")
    }
    // A shell without job control starts what runs in the background so.
    let program = try await Compiler.shared.executable("life.c", flags: ["-O0"])
    let directory = try ScratchDirectory()
    let outcome = try run(
      "/bin/sh", ["-c", "trap '' QUIT; LD_PRELOAD=\(shimPath) \(program) signal 3"],
      environment: ["LOCKJAW_DIR": directory.path, "LOCKJAW_SIGNAL": "QUIT"])
    #expect(outcome.status == 0 && outcome.output == "ok\n", "\(outcome)")
    #expect(directory.entries == [])
  }

  @Test("A signal that somebody else has a handler for, or that was not asked for, is left alone")
  func notTaken() async throws {
    let program = try await Compiler.shared.executable("life.c", flags: ["-O0"])
    let handler = try await Compiler.shared.executable("handler.c", flags: ["-shared", "-fPIC"])
    for (preload, wanted) in [("\(handler) \(shimPath)", "QUIT"), ("\(shimPath) \(handler)", "QUIT"), (shimPath, "")] {
      let directory = try ScratchDirectory()
      let outcome = try run(
        "/bin/sh", ["-c", "trap '' QUIT; LD_PRELOAD='\(preload)' \(program) signal 3"],
        environment: ["LOCKJAW_DIR": directory.path, "LOCKJAW_SIGNAL": wanted, "LOCKJAW_EXE": "/bin/true"])
      #expect(outcome.status == 1 && outcome.errors.contains("report_requests is 0"), "\(preload): \(outcome)")
    }
  }

  @Test("A program that cannot be started is said so when asked, and changes nothing")
  func missingHelper() async throws {
    let outcome = try await runPreloaded(
      "life.c", ["signal", "3"], environment: ["LOCKJAW_SIGNAL": "QUIT", "LOCKJAW_EXE": "/nonexistent"])
    #expect(outcome.status == 0 && outcome.output == "ok\n", "\(outcome)")
  }
}
