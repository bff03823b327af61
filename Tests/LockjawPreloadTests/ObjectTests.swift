import Testing

/// Each program looks at its own arena while it uses one kind of object, and says what is not as it should be. The
/// expectations stand in the programs, beside the calls.
@Suite("What the shim records") struct ObjectTests {
  private func passes(_ source: String, _ optimisation: String, flags: [String] = []) async throws {
    // What is recorded at level `state` stays true at the others; they share the paths of `all`.
    for level in optimisation == "-O2" ? ["state", "all"] : ["state"] {
      let outcome = try await runPreloaded(
        source, flags: [optimisation] + flags, environment: ["LOCKJAW_RECORD": level, "LOCKJAW_RING": "256"])
      #expect(outcome.status == 0 && outcome.output == "ok\n", "\(level): \(outcome)")
      #expect(outcome.errors == "", "the shim says nothing unless it cannot record")
    }
  }

  @Test("Mutexes of every type: holds, recursion, waits, timeouts, refusals, dead owners", arguments: ["-O0", "-O2"])
  func mutexes(optimisation: String) async throws { try await passes("mutex.c", optimisation) }

  @Test(
    "Before a wait for a mutex it looks for a moment whether it comes free, and where looking takes long not for a while",
    arguments: ["-O0", "-O2"])
  func looks(optimisation: String) async throws { try await passes("looks.c", optimisation) }

  @Test(
    "Readers are individuals, writers are named, in every variant of both kinds of rwlock", arguments: ["-O0", "-O2"])
  func rwlocks(optimisation: String) async throws { try await passes("rwlock.c", optimisation) }

  @Test("A condition wait gives the mutex up and takes it back on every way out", arguments: ["-O0", "-O2"])
  func conditions(optimisation: String) async throws { try await passes("cond.c", optimisation) }

  @Test("Semaphores, spinlocks, barriers, joins, once and thread names", arguments: ["-O0", "-O2"])
  func others(optimisation: String) async throws { try await passes("others.c", optimisation) }

  @Test("Futex waits through syscall() are recorded and other system calls pass untouched", arguments: ["-O0", "-O2"])
  func futexes(optimisation: String) async throws { try await passes("futex.c", optimisation) }

  @Test("Handlers that lock or wait inside a wait, and waits left by longjmp", arguments: ["-O0", "-O2"])
  func interruptions(optimisation: String) async throws { try await passes("interrupt.c", optimisation) }

  @Test("Cancellation points stay cancellation points and leave no wait behind", arguments: ["-O0", "-O2"])
  func cancellation(optimisation: String) async throws { try await passes("cancel.c", optimisation) }

  @Test("Slots are reused, ends while holding are kept, releases by others are attributed", arguments: ["-O0", "-O2"])
  func threads(optimisation: String) async throws { try await passes("threads.c", optimisation) }

  @Test("Every kind of child has an arena of its own and leaves its parent's alone", arguments: ["-O0", "-O2"])
  func children(optimisation: String) async throws { try await passes("fork.c", optimisation) }

  @Test("A sleeping collector is woken once, by the waits it sleeps for", arguments: ["-O0", "-O2"])
  func bell(optimisation: String) async throws { try await passes("bell.c", optimisation) }

  @Test("C++ exceptions pass through, and destructors of thread locals are still recorded", arguments: ["-O0", "-O2"])
  func cPlusPlus(optimisation: String) async throws { try await passes("cpp.cpp", optimisation) }

  @Test("Custom locks, names, breadcrumbs and heartbeats, as lockjaw.h tells them", arguments: ["-O0", "-O2"])
  func annotations(optimisation: String) async throws { try await passes("annotations.c", optimisation) }

  @Test(
    "lockjaw.h costs nothing without the library, however the program is linked",
    arguments: [["-O2"], ["-O0", "-static"], ["-O2", "-no-pie", "-fno-pic"], ["-O2", "-std=c11", "-D_GNU_SOURCE"]])
  func annotationsAlone(flags: [String]) async throws {
    let program = try await Compiler.shared.executable("annotations.c", flags: flags)
    let outcome = try run(program, ["alone"])
    #expect(outcome.status == 0 && outcome.output == "ok\n", "\(outcome)")
  }

  @Test("lockjaw.h works in programs that are not position independent")
  func annotationsWithoutPIE() async throws {
    try await passes("annotations.c", "-O2", flags: ["-no-pie", "-fno-pic"])
  }

  @Test(
    "From a wait's registers the waiter's stack unwinds to its start, live and from the copy",
    arguments: ["-O0", "-O2"])
  func unwinding(optimisation: String) async throws {
    try await passes("unwind.c", optimisation, flags: ["-lunwind-x86_64", "-lunwind"])
  }
}

@Suite("A program cannot tell") struct TransparencyTests {
  private func answers(environment: [String: String], flags: [String]) async throws -> String {
    let program = try await Compiler.shared.executable("answers.c", flags: flags)
    let outcome = try run(program, environment: environment)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.output.split(separator: "\n").count > 500)
    return outcome.output
  }

  @Test("Every result and errno is the same with the shim as without", arguments: ["-O0", "-O2"])
  func answersAreTheSame(optimisation: String) async throws {
    let directory = try ScratchDirectory()
    let bare = try await answers(environment: [:], flags: [optimisation])
    for level in ["state", "sites", "all"] {
      let preloaded = try await answers(
        environment: ["LD_PRELOAD": shimPath, "LOCKJAW_DIR": directory.path, "LOCKJAW_RECORD": level],
        flags: [optimisation])
      #expect(bare == preloaded, "at level \(level)")
    }
    #expect(directory.entries == [])
  }

  @Test("The same holds where the shim could not set up")
  func answersAreTheSameWhenDisabled() async throws {
    let bare = try await answers(environment: [:], flags: ["-O2"])
    let disabled = try await answers(
      environment: ["LD_PRELOAD": shimPath, "LOCKJAW_DIR": "/dev/null/directory"], flags: ["-O2"])
    #expect(bare == disabled)
  }
}
