import Glibc
import Testing

@Suite("First, do no harm") struct HarmTests {
  @Test(
    "A program in a seccomp sandbox lives with the shim as without it, and who was known before is still recorded",
    arguments: [
      ["strict"], ["filter", "prctl"], ["filter", "syscall-prctl"], ["filter", "syscall-seccomp"],
    ])
  func sandbox(arguments: [String]) async throws {
    let program = try await Compiler.shared.executable("sandbox.c", flags: ["-O0"])
    let bare = try run(program, arguments)
    try #require(bare.status == 0 && bare.output == "ok\n", "the sandbox itself must work: \(bare)")
    let directory = try ScratchDirectory()
    let outcome = try await runPreloaded("sandbox.c", arguments, directory: directory)
    #expect(outcome.status == 0 && outcome.output == "ok\n" && outcome.errors == "", "\(outcome)")
    #expect(directory.entries.count == 1, "nobody may remove it any more")
  }

  @Test(
    "A sandbox that the kernel refuses, or a child's, does not make the shim quiet", arguments: ["refused", "vfork"])
  func noSandbox(mode: String) async throws {
    let directory = try ScratchDirectory()
    let outcome = try await runPreloaded("sandbox.c", [mode], directory: directory)
    #expect(outcome.status == 0 && outcome.output == "ok\n" && outcome.errors == "", "\(outcome)")
    #expect(directory.entries == [])
  }

  @Test("A forked child may shut itself in before its first lock; its parent goes on as before")
  func childInSandbox() async throws {
    let directory = try ScratchDirectory()
    let outcome = try await runPreloaded("sandbox.c", ["fork"], directory: directory)
    #expect(outcome.status == 0 && outcome.output == "ok\n" && outcome.errors == "", "\(outcome)")
    #expect(directory.entries.count == 1, "the child's, which may not remove it")
  }

  @Test("The arena takes less than 8 MiB of address space, and a limit set later leaves room")
  func addressSpace() async throws {
    let outcome = try await runPreloaded("chunks.c", ["small"])
    #expect(outcome.status == 0 && outcome.output.hasSuffix("ok\n"), "\(outcome)")
    let directory = try ScratchDirectory()
    let shell = try run(
      "/bin/bash",
      ["-c", #"ulimit -v 200000; x=$(printf "%03000000d" 1); ls / > /dev/null && echo ${#x}"#],
      environment: ["LD_PRELOAD": shimPath, "LOCKJAW_DIR": directory.path])
    #expect(shell.status == 0 && shell.output == "3000000\n" && shell.errors == "", "\(shell)")
  }

  @Test(
    "A user with little lockable memory can lock it all",
    .enabled(if: geteuid() == 0, "giving up privileges needs root"))
  func lockedMemoryLimit() async throws {
    let program = try await Compiler.shared.executable("life.c", flags: ["-O0"])
    let directory = try ScratchDirectory()
    chown(directory.path, 12345, 12345)
    let outcome = try run(
      "/bin/sh",
      [
        "-c",
        "ulimit -l 8192 && ulimit -s 256 && exec setpriv --reuid=12345 --clear-groups --bounding-set=-all --inh-caps=-all "
          + "env LD_PRELOAD=\(shimPath) \(program) lockall",
      ], environment: ["LOCKJAW_DIR": directory.path])
    #expect(outcome.status == 0 && outcome.output.contains("KiB") && outcome.output.hasSuffix("ok\n"), "\(outcome)")
  }

  @Test("Slots and extents beyond those mapped at first are exact, also in a child of a parent that had grown")
  func growth() async throws {
    for mode in ["many", "forked"] {
      let outcome = try await runPreloaded("chunks.c", [mode])
      #expect(outcome.status == 0 && outcome.output == "ok\n" && outcome.errors == "", "\(mode): \(outcome)")
    }
  }

  @Test(
    "The arena grows where its file can no longer be opened", .enabled(if: geteuid() == 0, "chroot needs root"))
  func growthWithoutPath() async throws {
    let root = try ScratchDirectory()
    let outcome = try await runPreloaded("chunks.c", ["many", root.path])
    #expect(outcome.status == 0 && outcome.output == "ok\n" && outcome.errors == "", "\(outcome)")
  }

  @Test("A program with the condition variables of glibc before 2.3.2 keeps them")
  func oldConditionVariables() async throws {
    let outcome = try await runPreloaded("old_cond.c", seconds: 60)
    #expect(outcome.status == 0 && outcome.output == "ok\n", "\(outcome)")
  }

  @Test("Waits in code of a JIT compiler read the memory map now and then, not each time")
  func jitSites() async throws {
    let outcome = try await runPreloaded("jit.c")
    #expect(outcome.status == 0 && outcome.output.hasSuffix("ok\n"), "\(outcome)")
  }

  @Test(
    "After a change of user the arena lies in the new user's standard directory",
    .enabled(if: geteuid() == 0, "changing users needs root"), arguments: ["LOCKJAW_DIR", "XDG_RUNTIME_DIR"])
  func otherUser(variable: String) async throws {
    let program = try await Compiler.shared.executable("life.c", flags: ["-O0"])
    let scratch = try ScratchDirectory()  // root's, 0700
    let user = "41234\(variable.count)"
    defer { _ = try? run("/bin/rm", ["-rf", "/dev/shm/lockjaw-\(user)"]) }
    let outcome = try run(
      "/bin/sh",
      [
        "-c",
        """
        setpriv --reuid=\(user) --clear-groups env LD_PRELOAD=\(shimPath) \(program) end kill
        ls /dev/shm/lockjaw-\(user) | wc -l; stat -c %a /dev/shm/lockjaw-\(user)
        """,
      ], environment: [variable: scratch.path, "LOCKJAW_LOG": "1"])
    #expect(outcome.output == "1\n700\n", "\(outcome)")
    #expect(!outcome.errors.contains("lockjaw:"), "\(outcome)")
  }
}
