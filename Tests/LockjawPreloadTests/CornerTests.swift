import Glibc
import Testing

@Suite("Corners of the language and the system") struct CornerTests {
  @Test(
    "Programs do rare things and are recorded as ever",
    arguments: [
      "jumps", "shared", "named", "requeue", "lifetime", "crowd", "guards",
    ])
  func corner(mode: String) async throws {
    for level in mode == "lifetime" || mode == "crowd" ? ["state"] : ["state", "all"] {
      let outcome = try await runPreloaded(
        "corners.c", [mode], flags: ["-O2"], environment: ["LOCKJAW_RECORD": level, "LOCKJAW_RING": "256"])
      #expect(outcome.status == 0 && outcome.output.hasSuffix("ok\n") && outcome.errors == "", "\(level): \(outcome)")
    }
  }

  @Test(
    "A thread made by clone is recorded as itself where it has storage of its own, and does the other no harm where not",
    arguments: ["own", "anonymous", "borrowed"])
  func rawThreads(mode: String) async throws {
    for level in ["state", "all"] {
      let outcome = try await runPreloaded(
        "raw_threads.c", [mode], flags: ["-O2"], environment: ["LOCKJAW_RECORD": level, "LOCKJAW_RING": "256"])
      #expect(outcome.status == 0 && outcome.output == "ok\n" && outcome.errors == "", "\(level): \(outcome)")
    }
  }

  @Test("What a library releases that the shim does not see neither piles up on the list nor takes what is held off it")
  func unseenReleases() async throws {
    let library = try await Compiler.shared.executable("locking_library.c", flags: ["-shared", "-fPIC"])
    for level in ["state", "all"] {
      let outcome = try await runPreloaded(
        "unseen.c", [library], environment: ["LOCKJAW_RECORD": level, "LOCKJAW_RING": "256"])
      #expect(outcome.status == 0 && outcome.output == "ok\n" && outcome.errors == "", "\(level): \(outcome)")
    }
  }

  @Test("A library that locks may be loaded and unloaded again and again, while its callers hold and wait")
  func unloadedLibraries() async throws {
    let library = try await Compiler.shared.executable("locking_library.c", flags: ["-shared", "-fPIC"])
    for level in ["state", "all"] {
      let outcome = try await runPreloaded("corners.c", ["library", library], environment: ["LOCKJAW_RECORD": level])
      #expect(outcome.status == 0 && outcome.output == "ok\n" && outcome.errors == "", "\(outcome)")
    }
  }

  @Test(
    "The initialisation of a C++ static is held by who does it and waited for by others, exceptions included",
    arguments: ["-O0", "-O2"])
  func staticGuards(optimisation: String) async throws {
    let outcome = try await runPreloaded("guard.cpp", flags: [optimisation])
    #expect(outcome.status == 0 && outcome.output == "ok\n" && outcome.errors == "", "\(outcome)")
  }

  @Test("Another preload may leave little static thread-local storage, before or after the shim")
  func staticStorage() async throws {
    let big = try await Compiler.shared.executable("big_storage.c", flags: ["-shared", "-fPIC"])
    let library = try await Compiler.shared.executable("locking_library.c", flags: ["-shared", "-fPIC"])
    for preload in ["\(big) \(shimPath)", "\(shimPath) \(big)"] {
      let outcome = try await runPreloaded("corners.c", ["library", library], preload: preload)
      #expect(outcome.status == 0 && outcome.output == "ok\n" && outcome.errors == "", "\(preload): \(outcome)")
    }
  }

  @Test("A thread with the smallest stack there may be locks, waits and forks", arguments: ["state", "all"])
  func smallestStack(level: String) async throws {
    let library = try await Compiler.shared.executable("locking_library.c", flags: ["-shared", "-fPIC"])
    let outcome = try await runPreloaded(
      "corners.c", ["small", library], flags: ["-O2"], environment: ["LOCKJAW_RECORD": level, "LOCKJAW_RING": "256"])
    #expect(outcome.status == 0 && outcome.output == "ok\n" && outcome.errors == "", "\(outcome)")
  }

  @Test("What a program executes is covered with its environment, and runs uncovered without it")
  func executed() async throws {
    let program = try await Compiler.shared.executable("life.c", flags: ["-O0"])
    let directory = try ScratchDirectory()
    let settings = ["LD_PRELOAD": shimPath, "LOCKJAW_DIR": directory.path]
    let with = try run("/bin/sh", ["-c", "exec \(program) end kill"], environment: settings)
    #expect(with.status == 137 && directory.entries.count == 1, "\(with)")
    let without = try run("/usr/bin/env", ["-i", program, "nothing"], environment: settings)
    #expect(without.status == 0 && without.output == "ok\n" && without.errors == "", "\(without)")
    #expect(directory.entries.count == 2, "of what env was nobody told the new program; it has none of its own")
  }

  @Test(
    "Nonsense in a setting: the program runs, and one line at most where lines are asked for",
    arguments: [
      ("LOCKJAW_DIR", String(repeating: "a/", count: 3000)), ("LOCKJAW_DIR", "/proc/self"), ("LOCKJAW_DIR", "\n"),
      ("LOCKJAW_DIR", "/dev/null"), ("LOCKJAW_EXE", "\u{1}"), ("LOCKJAW_EXE", String(repeating: "x", count: 5000)),
      ("LOCKJAW_SESSION", String(repeating: "s", count: 5000)), ("LOCKJAW_SESSION", "%n%n\n"),
      ("LOCKJAW_LOG", "%s%n"), ("LOCKJAW_LOG", ""), ("XDG_RUNTIME_DIR", "relative"), ("LOCKJAW_NONSENSE", "1"),
    ])
  func nonsense(variable: String, value: String) async throws {
    for log in ["1", "0"] {
      let settings = ["LOCKJAW_LOG": log].merging([variable: value]) { $1 }
      let outcome = try await runPreloaded("life.c", ["nothing"], environment: settings)
      #expect(outcome.status == 0 && outcome.output == "ok\n", "\(variable)=\(value): \(outcome)")
      let lines = outcome.errors.filter { $0 == "\n" }.count
      #expect(lines <= (settings["LOCKJAW_LOG"] == "0" || settings["LOCKJAW_LOG"] == "" ? 0 : 1), "\(outcome)")
      #expect(outcome.errors.isEmpty || outcome.errors.hasPrefix("lockjaw: pid "), "\(outcome)")
    }
  }

  @Test(
    "A signal that makes no sense is one line where lines are asked for, and not taken",
    arguments: [
      "SIGFOO", "KILL", "9", "19", "-3", "0", "4711", "99999999999999999999", "33", "SEGV", "11", "7", "4", "8", "31",
      "17",
    ])
  func senselessSignals(signal: String) async throws {
    for log in ["1", "0"] {
      let settings = ["LOCKJAW_LOG": log, "LOCKJAW_SIGNAL": signal]
      let outcome = try await runPreloaded("life.c", ["nothing"], environment: settings)
      #expect(outcome.status == 0 && outcome.output == "ok\n", "\(signal): \(outcome)")
      #expect(outcome.errors.contains("LOCKJAW_SIGNAL wants a signal") == (log == "1"), "\(signal): \(outcome)")
      #expect(outcome.errors.filter { $0 == "\n" }.count == (log == "1" ? 1 : 0), "\(signal): \(outcome)")
    }
  }

  @Test("A crash stays a crash, whatever the watchdog's signal is said to be", arguments: [SIGSEGV, SIGILL, SIGFPE])
  func crashes(signal: Int32) throws {
    let directory = try ScratchDirectory()
    let outcome = try run(
      "/bin/sh", ["-c", "ulimit -c 0; kill -\(signal) $$; echo alive"],
      environment: ["LD_PRELOAD": shimPath, "LOCKJAW_DIR": directory.path, "LOCKJAW_SIGNAL": "\(signal)"])
    #expect(outcome.status == 128 + signal && outcome.output == "", "\(outcome)")
  }
}
