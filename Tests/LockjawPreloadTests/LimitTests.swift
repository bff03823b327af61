import Glibc
import Testing

@Suite("Where there is little room, or none") struct LimitTests {
  /// Runs `command` in a shell with the shim's settings exported; `$PROGRAM` is life.c.
  private func shell(_ command: String, directory: ScratchDirectory, prefix: [String] = []) async throws -> Outcome {
    let program = try await Compiler.shared.executable("life.c", flags: ["-O0"])
    let arguments = prefix + ["/bin/sh", "-c", command]
    return try withExtendedLifetime(directory) {
      try run(
        arguments[0], Array(arguments.dropFirst()),
        environment: [
          "PROGRAM": program, "SHIM": shimPath, "LOCKJAW_DIR": directory.path, "LOCKJAW_LOG": "1",
          "MOUNTED": directory.path,
        ])
    }
  }

  /// Mounting needs root, here in a mount namespace of its own.
  static let mayMount = (try? run("unshare", ["-m", "true"]).status == 0) ?? false

  @Test(
    "On a full file system the program runs on and the losses are counted",
    .enabled(if: mayMount, "mounting needs root"),
    arguments: ["1M", "64K"])
  func smallFileSystem(size: String) async throws {
    let directory = try ScratchDirectory()
    let outcome = try await shell(
      "mount -t tmpfs -o mode=700,size=\(size) none $MOUNTED && LD_PRELOAD=$SHIM exec $PROGRAM crowd",
      directory: directory, prefix: ["unshare", "-m"])
    #expect(outcome.status == 0, "\(outcome)")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.contains("threads without a slot") && lines.contains("memory ran out") && lines.last == "ok")
    #expect(lines.contains { $0.hasPrefix("overflow") && $0 != "overflow 0" })
  }

  @Test(
    "On the smallest file systems nothing is recorded and nothing happens to the program",
    .enabled(if: mayMount, "mounting needs root"), arguments: ["4K", "8K", "12K", "16K", "20K", "28K"])
  func tinyFileSystem(size: String) async throws {
    let directory = try ScratchDirectory()
    let outcome = try await shell(
      "mount -t tmpfs -o mode=700,size=\(size) none $MOUNTED && LD_PRELOAD=$SHIM exec $PROGRAM nothing",
      directory: directory, prefix: ["unshare", "-m"])
    #expect(outcome.status == 0 && outcome.output == "ok\n", "\(outcome)")
  }

  @Test("With room for everybody nothing is lost")
  func enoughRoom() async throws {
    let directory = try ScratchDirectory()
    let outcome = try await shell("LD_PRELOAD=$SHIM exec $PROGRAM crowd", directory: directory)
    #expect(outcome.output.hasSuffix("overflow 0\na slot for everybody\nmemory sufficed\nok\n"), "\(outcome)")
  }

  @Test("A limit on file sizes makes the arena smaller, down to a reason, and never raises SIGXFSZ")
  func fileSizeLimit() async throws {
    for (kilobytes, expected) in [(100_000, "state 1, capacity 8192"), (1000, "state 1, capacity 64"), (16, "state 3")]
    {
      let directory = try ScratchDirectory()
      let outcome = try await shell(
        "ulimit -f \(kilobytes * 2); LD_PRELOAD=$SHIM exec $PROGRAM limited", directory: directory)
      #expect(outcome.status == 0 && outcome.output.hasSuffix("ok\n"), "\(kilobytes): \(outcome)")
      #expect(outcome.output.hasPrefix(expected), "\(kilobytes): \(outcome)")
      #expect(outcome.output.contains("raise the limit") == (kilobytes == 16), "\(outcome)")
    }
    let directory = try ScratchDirectory()
    let outcome = try await shell("ulimit -f 1; LD_PRELOAD=$SHIM exec $PROGRAM nothing", directory: directory)
    #expect(outcome.status == 0 && outcome.output == "ok\n", "\(outcome)")
  }

  @Test("A limit on address space leaves the program seven eighths of it")
  func addressSpaceLimit() async throws {
    for kilobytes in [2_000_000, 200_000, 50_000] {
      let directory = try ScratchDirectory()
      let outcome = try await shell(
        "ulimit -v \(kilobytes); LD_PRELOAD=$SHIM exec $PROGRAM limited", directory: directory)
      #expect(outcome.status == 0 && outcome.output.hasPrefix("state 1"), "\(kilobytes): \(outcome)")
    }
  }

  @Test("A program that locks its memory does not allocate the whole arena")
  func lockedMemory() async throws {
    let outcome = try await runPreloaded("life.c", ["lockall"])
    #expect(
      outcome.status == 0 && outcome.output.hasSuffix("ok\n") || outcome.output.hasPrefix("may not"), "\(outcome)")
  }

  @Test("A program without standard descriptors keeps none of the shim's in their places")
  func closedDescriptors() async throws {
    let directory = try ScratchDirectory()
    let outcome = try await shell(
      "exec 3>&1; (exec 0<&- 1>&- 2>&-; LD_PRELOAD=$SHIM exec $PROGRAM nothing); echo status $? >&3",
      directory: directory)
    #expect(outcome.output == "status 0\n" && outcome.errors == "", "\(outcome)")
    #expect(directory.entries == [])
  }

  @Test(
    "A set-user-id program runs without the shim, and nothing is left behind",
    .enabled(if: geteuid() == 0, "changing users needs root"))
  func setUserID() async throws {
    let directory = try ScratchDirectory()
    let copy = try ScratchDirectory()
    chmod(copy.path, 0o755)
    let outcome = try await shell(
      """
      cp $PROGRAM \(copy.path)/program && chmod 4755 \(copy.path)/program && chown 12345 $MOUNTED \
      && LD_PRELOAD=$SHIM exec setpriv --reuid=12345 --clear-groups \(copy.path)/program nothing
      """, directory: directory)
    #expect(outcome.status == 0 && outcome.output == "ok\n", "\(outcome)")
    #expect(directory.entries == [] && copy.entries == ["program"])
  }

  @Test("A kernel that cannot allocate pages on demand gets a fixed number of slots")
  func kernelWithoutPopulate() async throws {
    let launcher = try await Compiler.shared.executable("without_advice.c", flags: [])
    let directory = try ScratchDirectory()
    let outcome = try await shell(
      "\(launcher) 23 /usr/bin/env LD_PRELOAD=$SHIM $PROGRAM crowd", directory: directory)
    #expect(outcome.status == 0 && outcome.output.hasPrefix("slots 256\n"), "\(outcome)")
    #expect(outcome.output.hasSuffix("threads without a slot\nmemory sufficed\nok\n"), "\(outcome)")
  }

  @Test("A kernel that cannot tell a child from its parent is refused, with the reason where a collector looks")
  func kernelWithoutWipe() async throws {
    let launcher = try await Compiler.shared.executable("without_advice.c", flags: [])
    let directory = try ScratchDirectory()
    let outcome = try await shell(
      "\(launcher) 18 /usr/bin/env LD_PRELOAD=$SHIM $PROGRAM limited", directory: directory)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.output.contains("state 3") && outcome.output.contains("Linux 4.14 is needed"), "\(outcome)")
    #expect(directory.entries == [])
  }
}

@Suite("The arena directory") struct DirectoryTests {
  private func outcome(in directory: String, environment: [String: String] = [:]) async throws -> Outcome {
    let program = try await Compiler.shared.executable("life.c", flags: ["-O0"])
    let settings = ["LD_PRELOAD": shimPath, "LOCKJAW_DIR": directory, "LOCKJAW_LOG": "1"]
    return try run(program, ["nothing"], environment: settings.merging(environment) { $1 })
  }

  @Test("It is made, for its owner only, where it is missing")
  func created() async throws {
    let scratch = try ScratchDirectory()
    let outcome = try await outcome(in: "\(scratch.path)/fresh")
    #expect(outcome.status == 0 && outcome.errors == "", "\(outcome)")
    var status = stat()
    #expect(stat("\(scratch.path)/fresh", &status) == 0 && status.st_mode & 0o7777 == 0o700)
  }

  @Test(
    "A symbolic link, a file or a directory that others may write to is refused, and the program runs")
  func refused() async throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path
    mkdir("\(path)/real", 0o700)
    symlink("\(path)/real", "\(path)/link")
    close(open("\(path)/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
    mkdir("\(path)/open", 0o700)
    chmod("\(path)/open", 0o777)
    mkdir("\(path)/group", 0o700)
    chmod("\(path)/group", 0o770)
    // Cut to what there is room for, the last would be a directory that nobody named, and there is one.
    let long = String(repeating: "d/", count: (511 - path.utf8.count - 1) / 2 + 3)
    try makeDirectories(long, in: path)
    let cases = ["link", "link/", "file", "open", "group", "missing/below", long]
    for name in cases {
      let outcome = try await outcome(in: "\(path)/\(name)")
      #expect(outcome.status == 0 && outcome.output == "ok\n", "\(name): \(outcome)")
      #expect(
        outcome.errors.hasPrefix("lockjaw: pid ") && outcome.errors.contains("set LOCKJAW_DIR"), "\(name): \(outcome)")
      let silent = try await self.outcome(in: "\(path)/\(name)", environment: ["LOCKJAW_LOG": "0"])
      #expect(silent.errors == "", "unasked, it does not print")
    }
  }

  private func makeDirectories(_ names: String, in directory: String) throws {
    var path = directory
    for name in names.split(separator: "/") {
      path += "/\(name)"
      try #require(mkdir(path, 0o700) == 0)
    }
  }

  @Test("A relative name means where the program was started, also after it has gone elsewhere")
  func relative() async throws {
    let scratch = try ScratchDirectory()
    let program = try await Compiler.shared.executable("life.c", flags: ["-O0"])
    let outcome = try run(
      "/bin/sh", ["-c", "cd \(scratch.path) && LD_PRELOAD=\(shimPath) LOCKJAW_DIR=arenas exec \(program) elsewhere"])
    #expect(outcome.status == 0 && outcome.output == "ok\n", "\(outcome)")
    let left = try run("ls", ["\(scratch.path)/arenas"]).output.split(separator: "\n")
    #expect(left.count == 1, "the child that was killed, and not its parent: \(left)")
  }

  @Test("Where nothing is set it lies in the user's runtime directory")
  func runtimeDirectory() async throws {
    let scratch = try ScratchDirectory()
    let outcome = try await outcome(in: "", environment: ["XDG_RUNTIME_DIR": scratch.path])
    #expect(outcome.status == 0 && scratch.entries == ["lockjaw"], "\(outcome)")
  }

  @Test("Evidence of dead processes is kept, the newest 32 files of it")
  func evidenceIsBounded() async throws {
    let scratch = try ScratchDirectory()
    let program = try await Compiler.shared.executable("life.c", flags: ["-O0"])
    // A pid that cannot be in use, and ages that tell which are the oldest.
    for i in 0..<50 {
      let path = "\(scratch.path)/lockjaw-\(4_194_304 + i)-1-0.arena"
      close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
      var times = [timespec(tv_sec: 1000 + i, tv_nsec: 0), timespec(tv_sec: 1000 + i, tv_nsec: 0)]
      #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
    }
    close(open("\(scratch.path)/somebody-elses.file", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
    close(open("\(scratch.path)/lockjaw-\(getpid())-1-0.arena", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
    let outcome = try run(program, ["nothing"], environment: ["LD_PRELOAD": shimPath, "LOCKJAW_DIR": scratch.path])
    #expect(outcome.status == 0)
    let names = scratch.entries
    let kept = names.filter { $0.hasPrefix("lockjaw-4194") }
    #expect(kept.count <= 32 && kept.count >= 31)
    #expect(kept.allSatisfy { Int($0.dropFirst(8).prefix(7))! >= 4_194_304 + 18 }, "the oldest went")
    #expect(names.contains("somebody-elses.file"))
  }

  @Test("Evidence of dead processes is kept up to 256 MiB of it, the newest, however few files that are")
  func evidenceIsBoundedInSize() async throws {
    let scratch = try ScratchDirectory()
    let program = try await Compiler.shared.executable("life.c", flags: ["-O0"])
    let mebibytes = 40
    for i in 0..<10 {
      let path = "\(scratch.path)/lockjaw-\(4_194_304 + i)-1-0.arena"
      let file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
      defer { close(file) }
      // Taken, not written: what counts is what the file takes of the disk.
      guard posix_fallocate(file, 0, mebibytes << 20) == 0 else {
        try Test.cancel("no room for \(10 * mebibytes) MiB in \(scratch.path)")
      }
      var times = [timespec(tv_sec: 1000 + i, tv_nsec: 0), timespec(tv_sec: 1000 + i, tv_nsec: 0)]
      #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
    }
    // Long, and nearly nothing on the disk.
    let sparse = "\(scratch.path)/lockjaw-4194400-1-0.arena"
    close(open(sparse, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
    #expect(truncate(sparse, 8 << 30) == 0)
    let outcome = try run(program, ["nothing"], environment: ["LD_PRELOAD": shimPath, "LOCKJAW_DIR": scratch.path])
    #expect(outcome.status == 0)
    let kept = scratch.entries.filter { $0.hasPrefix("lockjaw-41943") }.sorted()
    #expect(kept == (4..<10).map { "lockjaw-\(4_194_304 + $0)-1-0.arena" }, "six times \(mebibytes) MiB are 240")
    #expect(scratch.entries.contains("lockjaw-4194400-1-0.arena"), "it takes no room")
  }

  @Test("What a deadlocked process left outlasts any number of processes in which nobody waited")
  func evidenceOfWaits() async throws {
    let scratch = try ScratchDirectory()
    // Old evidence: one thread in a deadlock with itself, one idle process that waited for a condition.
    for (mode, pid) in [("deadlock", 4_194_304), ("idle", 4_194_305)] {
      let outcome = try await runPreloaded("remains.c", [mode], directory: scratch)
      try #require(outcome.status == 137, "\(outcome)")
      let fresh = try #require(scratch.entries.first { !$0.hasPrefix("lockjaw-4194") })
      try setAge(1000, moving: fresh, to: "lockjaw-\(pid)-1-0.arena", in: scratch)
    }
    // Newer, and worth nothing: nobody waited.
    for i in 0..<40 {
      let outcome = try await runPreloaded("remains.c", ["nothing"], directory: scratch)
      try #require(outcome.status == 137, "\(outcome)")
      let fresh = try #require(scratch.entries.first { !$0.hasPrefix("lockjaw-4194") })
      try setAge(2000 + i, moving: fresh, to: "lockjaw-\(4_194_400 + i)-1-0.arena", in: scratch)
    }
    let names = scratch.entries
    #expect(names.count <= 33, "\(names)")
    #expect(names.contains("lockjaw-4194304-1-0.arena") && names.contains("lockjaw-4194305-1-0.arena"), "\(names)")
    // Files that only look like arenas are worth nothing, and do no harm.
    for i in 0..<40 {
      let file = open("\(scratch.path)/lockjaw-\(4_194_500 + i)-1-0.arena", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
      var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: 0xff &- i), count: 64 * i)
      write(file, &bytes, bytes.count)
      close(file)
    }
    let last = try await runPreloaded("remains.c", ["deadlock"], directory: scratch)
    #expect(last.status == 137, "\(last)")
    #expect(
      scratch.entries.contains("lockjaw-4194304-1-0.arena") && scratch.entries.contains("lockjaw-4194305-1-0.arena"))
  }

  private func setAge(_ seconds: Int, moving name: String, to other: String, in scratch: ScratchDirectory) throws {
    let path = "\(scratch.path)/\(other)"
    try #require(rename("\(scratch.path)/\(name)", path) == 0)
    var times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
    try #require(utimensat(AT_FDCWD, path, &times, 0) == 0)
  }
}
