import Foundation
import Testing

extension EndToEnd {
  /// What goes wrong at the edges: a clear sentence, the documented exit status, and the program unharmed.
  @Suite struct BadInput {
    private let place = TemporaryPlace()

    /// Runs lockjaw to its end; standard output and error together.
    private func lockjaw(
      _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> (ending: ChildProcess.Ending, said: String) {
      let child = try ChildProcess(
        [Checkout.lockjaw.path] + arguments, environment: place.environment.merging(environment) { $1 })
      return (try await child.ending(within: .seconds(30)), child.output)
    }

    private func compile(_ source: String, _ name: String, _ options: [String] = []) async throws -> String {
      let file = place.path(name + ".c")
      try source.write(toFile: file, atomically: true, encoding: .utf8)
      let compiler = try ChildProcess(["/usr/bin/gcc", "-o", place.path(name), file, "-pthread"] + options)
      #expect(try await compiler.ending(within: .seconds(60)) == .exit(0), "\(compiler.output)")
      return place.path(name)
    }

    @Test(
      "Wrong usage is answered with 2, by run with 125, and says what is right",
      arguments: [
        (["attach"], 2, "Missing"), (["attach", "abc"], 2, "abc"), (["attach", "0"], 2, "positive"),
        (["attach", "1", "--stall", "-3"], 2, "--stall"), (["analyze"], 2, "Missing"),
        (["frobnicate"], 2, "frobnicate"), (["list", "--colour"], 2, "colour"),
        (["run"], 125, "COMMAND"), (["run", "--on-hang", "dance", "--", "true"], 125, "dance"),
        (["run", "--error-exitcode", "999", "--", "true"], 125, "0 to 255"),
        (["run", "--format", "xml", "--", "true"], 125, "xml"),
        (["run", "--record", "loud", "--", "true"], 125, "loud"),
      ])
    func usage(arguments: [String], status: Int32, word: String) async throws {
      let result = try await lockjaw(arguments)
      #expect(result.ending == .exit(status))
      #expect(result.said.contains(word), "\(result.said)")
    }

    @Test("What cannot be started says why, with env's statuses")
    func notStarted() async throws {
      var result = try await lockjaw(["run", "--", "no-such-program"])
      #expect(result.ending == .exit(127))
      #expect(result.said == "lockjaw: no-such-program: command not found\n")
      let plain = place.path("plain")
      try "text".write(toFile: plain, atomically: true, encoding: .utf8)
      result = try await lockjaw(["run", "--", plain])
      #expect(result.ending == .exit(126))
      #expect(result.said.contains("cannot be executed"))
      result = try await lockjaw(["run", "--", "/usr"])
      #expect(result.ending == .exit(126))
      #expect(result.said.contains("it is a directory"))
    }

    @Test("A static program runs, and is said not to be covered")
    func staticProgram() async throws {
      let program = try await compile("int main(void) { return 5; }", "static", ["-static"])
      let result = try await lockjaw(["run", "--", program])
      #expect(result.ending == .exit(5))
      #expect(result.said.contains("static"), "\(result.said)")
    }

    @Test("A program that gains rights runs, and is said not to be covered")
    func setUserID() async throws {
      let program = try await compile("int main(void) { return 6; }", "setuid")
      // To another user than the one who runs it: only then does the loader ignore preloads.
      guard chown(program, 65534, 65534) == 0, chmod(program, 0o4755) == 0 else {
        try Test.cancel("giving a file to another user takes root")
      }
      let result = try await lockjaw(["run", "--", program])
      #expect(result.ending == .exit(6))
      #expect(result.said.contains("set-uid") || result.said.contains("setuid"), "\(result.said)")
    }

    @Test("A 32-bit program is said not to be covered")
    func thirtyTwoBit() async throws {
      // exit(9) by int 0x80, in an ELF file of one segment: no 32-bit compiler or library is needed.
      let program = place.path("thirty-two")
      var file = Data()
      func bytes(_ values: [UInt8]) { file.append(contentsOf: values) }
      func half(_ value: UInt16) { withUnsafeBytes(of: value) { file.append(contentsOf: $0) } }
      func word(_ value: UInt32) { withUnsafeBytes(of: value) { file.append(contentsOf: $0) } }
      bytes([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
      half(2)
      half(3)
      word(1)
      word(0x0804_8054)
      word(52)
      word(0)
      word(0)
      half(52)
      half(32)
      half(1)
      half(0)
      half(0)
      half(0)
      word(1)
      word(0)
      word(0x0804_8000)
      word(0x0804_8000)
      word(0x60)
      word(0x60)
      word(5)
      word(0x1000)
      bytes([0x31, 0xdb, 0xb3, 9, 0x31, 0xc0, 0x40, 0xcd, 0x80, 0, 0, 0])
      try file.write(to: URL(filePath: program))
      chmod(program, 0o755)
      let result = try await lockjaw(["run", "--", program])
      #expect(result.said.contains("32-bit"), "\(result.said)")
      // A kernel without 32-bit support refuses it, and so does lockjaw then.
      #expect([.exit(9), .exit(126), .exit(125)].contains(result.ending))
    }

    @Test(
      "A LOCKJAW_SHIM that the loader would not preload is refused before anything is started, and one that it would is used"
    )
    func shim() async throws {
      let text = place.path("text")
      try "no library".write(toFile: text, atomically: true, encoding: .utf8)
      let library = try await compile("int nothing;", "other.so", ["-shared", "-fPIC", "-Wl,-soname,libother.so"])
      let nameless = try await compile("int nothing;", "nameless.so", ["-shared", "-fPIC"])
      let program = try await compile("int main(void) { return 0; }", "program")
      let cut = place.path("cut.so")
      try Data(contentsOf: Checkout.shim).prefix(20_000).write(to: URL(filePath: cut))
      let unreadable = place.path("unreadable.so")
      try FileManager.default.copyItem(atPath: Checkout.shim.path, toPath: unreadable)
      chmod(unreadable, 0)
      var refused = [
        ("/no/such/liblockjaw.so", "No such file"), ("/tmp", "not a regular file"), ("/dev/null", "not a regular file"),
        (text, "too short"), (library, "another library (libother.so)"), (nameless, "another library;"),
        (program, "a program"), (cut, "damaged"),
      ]
      // Root may read everything.
      if geteuid() != 0 { refused.append((unreadable, "Permission denied")) }
      for (path, word) in refused {
        let result = try await lockjaw(["run", "--", "/bin/echo", "started"], environment: ["LOCKJAW_SHIM": path])
        #expect(result.ending == .exit(125), "\(path)")
        #expect(result.said.hasPrefix("lockjaw: \(path) is not a liblockjaw.so"), "\(result.said)")
        #expect(result.said.contains(word) && !result.said.contains("started\n"), "\(result.said)")
      }
      let copy = place.path("any-name.so")
      try FileManager.default.copyItem(atPath: Checkout.shim.path, toPath: copy)
      let result = try await lockjaw(["run", "--", "/bin/echo", "started"], environment: ["LOCKJAW_SHIM": copy])
      #expect(result.ending == .exit(0) && result.said == "started\n", "\(result.said)")
    }

    @Test("An arena directory that cannot be used is refused before anything is started")
    func arenaDirectory() async throws {
      let file = place.path("file")
      try "x".write(toFile: file, atomically: true, encoding: .utf8)
      let link = place.path("link")
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: place.arenaPath)
      let open = place.path("open")
      mkdir(open, 0o700)
      chmod(open, 0o777)
      for (directory, word) in [
        ("/proc/nowhere", "cannot keep arenas"), (file, "not a directory"), (link, "symbolic link"),
        (open, "others may write"),
      ] {
        let result = try await lockjaw(["run", "--", "/bin/echo", "started"], environment: ["LOCKJAW_DIR": directory])
        #expect(result.ending == .exit(125))
        #expect(result.said.contains(word), "\(result.said)")
        #expect(!result.said.contains("started\n"))
        // By the environment alone the shim meets the same directory, and the program must not notice.
        let alone = try ChildProcess(
          ["/bin/echo", "started"], environment: ["LOCKJAW_DIR": directory, "LD_PRELOAD": Checkout.shim.path])
        #expect(try await alone.ending(within: .seconds(10)) == .exit(0))
        #expect(alone.output == "started\n")
      }
    }

    @Test("On a file system of 1 MiB the program runs on, and what was lost is said")
    func fullFileSystem() async throws {
      let source = """
        #include <pthread.h>
        #include <stdio.h>
        static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
        static pthread_barrier_t all;
        static void *run(void *u) {
          for (int i = 0; i < 100; i++) { pthread_mutex_lock(&m); pthread_mutex_unlock(&m); }
          pthread_barrier_wait(&all);
          return u;
        }
        int main(void) {
          enum { N = 300 };
          static pthread_t t[N];
          pthread_barrier_init(&all, 0, N);
          for (int i = 0; i < N; i++) pthread_create(&t[i], 0, run, 0);
          for (int i = 0; i < N; i++) pthread_join(t[i], 0);
          puts("all done");
        }
        """
      let program = try await compile(source, "many")
      let mount = place.path("small")
      mkdir(mount, 0o700)
      let report = place.path("small.json")
      let script = """
        mount -t tmpfs -o size=1m,mode=0700 lockjaw-test '\(mount)' || exit 77
        LOCKJAW_DIR='\(mount)' '\(Checkout.lockjaw.path)' run --format json --output '\(report)' -- '\(program)'
        """
      let child = try ChildProcess(["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script])
      let ending = try await child.ending(within: .seconds(60))
      if ending == .exit(77) || child.output.contains("unshare failed") {
        try Test.cancel("mounting a small file system takes root: \(child.output)")
      }
      #expect(ending == .exit(0), "\(child.output)")
      #expect(child.output == "all done\n")
      let said = try String(contentsOfFile: report, encoding: .utf8)
      #expect(said.contains("\"no-memory\"") || said.contains("\"no-slot\""), "\(said)")
    }

    @Test("Arenas that cannot be read: one sentence, 125, and no report")
    func unreadableArenas() async throws {
      let random = place.path("random.arena")
      try Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 37 >> 2) }).write(to: URL(filePath: random))
      let short = place.path("short.arena")
      try Data("short".utf8).write(to: URL(filePath: short))
      for (path, word) in [
        (random, "not a lockjaw arena"), (short, "cut short"), ("/no/such.arena", "No such file"),
        ("/dev/null", "not a lockjaw arena"),
      ] {
        let result = try await lockjaw(["analyze", path])
        #expect(result.ending == .exit(125))
        #expect(result.said.contains(word), "\(result.said)")
        #expect(result.said.split(separator: "\n").count == 1)
      }
    }

    @Test("An arena of another format is refused by its number")
    func otherVersion() async throws {
      let program = try ChildProcess(
        ["/bin/sh", "-c", "kill -9 $$"],
        environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
      _ = try await program.ending(within: .seconds(10))
      let arena = try #require(place.arenas.first)
      let file = try FileHandle(forUpdating: URL(filePath: arena))
      try file.seek(toOffset: 8)
      try file.write(contentsOf: Data([99, 0, 0, 0]))
      try file.close()
      let result = try await lockjaw(["analyze", arena])
      #expect(result.ending == .exit(125))
      #expect(result.said.contains("format 99"), "\(result.said)")
    }

    @Test(
      "attach to a process that is gone says so; another's arena is not taken for that of a process with its number")
    func attach() async throws {
      var result = try await lockjaw(["attach", "4194000"])
      #expect(result.ending == .exit(125))
      #expect(result.said.contains("There is no process 4194000"), "\(result.said)")

      result = try await lockjaw(["attach", "--follow", "4194000"])
      #expect(result.ending == .exit(125))

      let plain = try ChildProcess(["/bin/sleep", "60"])
      // An earlier process with this number has left its arena: it is not this one's.
      let other = try ChildProcess(
        ["/bin/sh", "-c", "kill -9 $$"],
        environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
      _ = try await other.ending(within: .seconds(10))
      let left = try #require(place.arenas.first)
      let ticks = left.split(separator: "-").dropLast().last ?? "1"
      let stolen = "\(place.arenaPath)/lockjaw-\(plain.pid)-\(ticks)-0.arena"
      try FileManager.default.moveItem(atPath: left, toPath: stolen)
      result = try await lockjaw(["attach", "\(plain.pid)"])
      #expect(result.ending == .exit(0))
      #expect(result.said.hasPrefix("HEALTHY"), "\(result.said)")
    }

    @Test("A target that dies while it is read costs a sentence at most, again and again")
    func dying() async throws {
      let source = try #require(Sample.sources.first { $0.key == "c/bystanders" })
      let sample = Sample(source: source, level: .unoptimised)
      _ = try sample.prepared()
      for round in 0..<20 {
        let program = try ChildProcess(
          [sample.executable.path], environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
        let attach = try ChildProcess(
          [Checkout.lockjaw.path, "attach", "--all-stacks", "\(program.pid)"], environment: place.environment)
        // Each round lets lockjaw come a little further.
        try await Task.sleep(for: .milliseconds(round * 3))
        kill(program.pid, SIGKILL)
        let ending = try await attach.ending(within: .seconds(20))
        #expect([.exit(0), .exit(1), .exit(125)].contains(ending), "\(attach.output)")
        if ending == .exit(125) { #expect(attach.output.hasPrefix("lockjaw: "), "\(attach.output)") }
      }
    }
  }
}
