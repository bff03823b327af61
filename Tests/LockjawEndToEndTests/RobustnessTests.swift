import Foundation
import Testing

extension EndToEnd {
  /// lockjaw is killed, lacks rights, is many at once; targets live in containers. Nothing of that harms anybody.
  @Suite struct Robustness {
    private let place = TemporaryPlace()

    private func lockjaw(
      _ arguments: [String], environment: [String: String] = [:], as prefix: [String] = []
    ) async throws -> (ending: ChildProcess.Ending, said: String) {
      let child = try ChildProcess(
        prefix + [Checkout.lockjaw.path] + arguments, environment: place.environment.merging(environment) { $1 })
      return (try await child.ending(within: .seconds(60)), child.output)
    }

    private func compile(_ source: String, _ name: String) async throws -> String {
      let file = place.path(name + ".c")
      try source.write(toFile: file, atomically: true, encoding: .utf8)
      let compiler = try ChildProcess(["/usr/bin/gcc", "-g", "-o", place.path(name), file, "-pthread"])
      #expect(try await compiler.ending(within: .seconds(60)) == .exit(0), "\(compiler.output)")
      return place.path(name)
    }

    /// A deadlocked sample that waits already.
    private func stuck(_ key: String = "c/abba") async throws -> (program: ChildProcess, sample: Sample) {
      let sample = Sample(source: try #require(Sample.sources.first { $0.key == key }), level: .unoptimised)
      let truth = try sample.prepared()
      let program = try ChildProcess([sample.executable.path])
      let names = Set(truth.waits.map(\.thread))
      let threads = ProcessThreads(pid: program.pid)
      try #require(
        try await firstValue(within: .seconds(20)) { threads.areAllInFutexWait(names) ? true : nil } == true)
      return (program, sample)
    }

    private func states(_ pid: pid_t) -> [Character] {
      let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
      return tasks.compactMap { task in
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/task/\(task)/stat", encoding: .utf8),
          let close = stat.lastIndex(of: ")")
        else { return nil }
        return stat[close...].dropFirst(2).first
      }
    }

    @Test("lockjaw that is killed by SIGKILL while it has every thread stopped lets the program go on, again and again")
    func killedWhileStopping() async throws {
      // A thread inside vfork cannot be stopped before its child ends, so the others stand still until lockjaw gives up:
      // a tenth of a second in which to kill it.
      let page = place.path("beats")
      try Data(count: 4096).write(to: URL(filePath: page))
      let program = try ChildProcess([
        try await compile(
          """
          #define _GNU_SOURCE
          #include <fcntl.h>
          #include <pthread.h>
          #include <stdio.h>
          #include <sys/mman.h>
          #include <sys/wait.h>
          #include <unistd.h>
          static volatile long *beats;
          static int never[2];
          static void *beat(void *x) { for (;;) { ++*beats; usleep(1000); } return x; }
          static void *sleeper(void *x) { pause(); return x; }
          static void *forker(void *x) {
            if (vfork() == 0) { char c; read(never[0], &c, 1); _exit(0); }
            return x;
          }
          int main(int argc, char **argv) {
            beats = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open(argv[argc - 1], O_RDWR), 0);
            pthread_t t;
            if (beats == MAP_FAILED || pipe(never)) return 1;
            pthread_create(&t, 0, beat, 0);
            for (int i = 0; i < 30; i++) pthread_create(&t, 0, sleeper, 0);
            pthread_create(&t, 0, forker, 0);
            puts("ready"); fflush(stdout);
            pause();
          }
          """, "beating"), page,
      ])
      try #require(try await firstValue(within: .seconds(20)) { program.output.contains("ready") ? true : nil } == true)
      func beats() throws -> Int {
        try Data(contentsOf: URL(filePath: page)).withUnsafeBytes { $0.loadUnaligned(as: Int.self) }
      }
      var kills = 0
      for round in 0..<60 where kills < 4 {
        let command =
          round % 2 == 0 ? ["attach", "\(program.pid)"] : ["dump", "\(program.pid)", "-o", place.path("core")]
        let observer = try ChildProcess([Checkout.lockjaw.path] + command, environment: place.environment)
        // On a busy machine this look may come too late; then the next round has another chance.
        let isStopped = try await firstValue(within: .seconds(20)) { () -> Bool? in
          if states(program.pid).contains("t") { return true }
          return observer.poll() == nil ? nil : false
        }
        guard isStopped == true else { continue }
        kill(observer.pid, SIGKILL)
        let ending = try await observer.ending(within: .seconds(20))
        if ending == .signal(SIGKILL) { kills += 1 }
        let before = try beats()
        #expect(try await firstValue(within: .seconds(20)) { try beats() > before + 5 ? true : nil } == true)
        #expect(
          try await firstValue(within: .seconds(20)) { states(program.pid).contains("t") ? nil : true } == true)
      }
      #expect(kills >= 1)
      #expect(program.poll() == nil)
      let report = try await lockjaw(["attach", "\(program.pid)"])
      #expect(report.ending == .exit(0), "\(report.said)")
      // The vfork child is in a group of its own making and ends with the pipe.
      try await program.stop()
    }

    @Test("In a container the program's own files are read, not those of this machine that have the same names")
    func container() async throws {
      let sample = Sample(source: try #require(Sample.sources.first { $0.key == "c/abba" }), level: .unoptimised)
      _ = try sample.prepared()
      let inner = place.path("inner")
      try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
      // What is found under that name outside is another program.
      try FileManager.default.copyItem(atPath: "/bin/true", toPath: "\(inner)/abba")
      let script = "mount -t tmpfs none \"$0\" && cp \"$1\" \"$0/abba\" && exec \"$0/abba\""
      let outside = try ChildProcess([
        "/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", script, inner,
        sample.executable.path,
      ])
      guard let inside = try await ProcessThreads.stuckChild(of: outside, ["alice", "bob"]) else {
        try Test.cancel("a mount namespace cannot be made here: \(outside.output)")
      }
      let result = try await lockjaw(["attach", "\(inside)"])
      #expect(result.ending == .exit(1))
      #expect(result.said.hasPrefix("DEADLOCK (inferred): threads "), "\(result.said)")
      #expect(result.said.contains("transfer() (abba.c:24)"), "\(result.said)")
      #expect(!result.said.contains("replaced"), "\(result.said)")
    }

    @Test("Another user's process, and one that made itself undumpable: the missing right and the remedy are named")
    func withoutRights() async throws {
      let nobody = ["/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
      let probe = try ChildProcess(nobody + [Checkout.lockjaw.path, "--version"])
      guard try await probe.ending(within: .seconds(20)) == .exit(0) else {
        try Test.cancel("lockjaw cannot be run as another user here: \(probe.output)")
      }
      let mine = try ChildProcess(["/bin/sleep", "60"])
      for command in ["attach", "dump"] {
        let result = try await lockjaw([command, "\(mine.pid)"], as: nobody)
        #expect(result.ending == .exit(125))
        #expect(
          result.said.contains("does not let this user inspect process \(mine.pid): it runs as user id 0")
            && result.said.contains("Run lockjaw as that user, or as root (CAP_SYS_PTRACE)"), "\(result.said)")
        #expect(result.said.split(separator: "\n").count == 1, "\(result.said)")
      }
      #expect(mine.poll() == nil)
      let program = try await compile(
        """
        #include <stdio.h>
        #include <sys/prctl.h>
        #include <unistd.h>
        int main(void) { prctl(PR_SET_DUMPABLE, 0); puts("ready"); fflush(stdout); pause(); }
        """, "undumpable")
      // Where another user may run it.
      let open = "/tmp/lockjaw-test-\(UUID().uuidString)"
      try FileManager.default.copyItem(atPath: program, toPath: open)
      defer { unlink(open) }
      let hidden = try ChildProcess(nobody + [open])
      try #require(try await firstValue(within: .seconds(20)) { hidden.output.contains("ready") ? true : nil } == true)
      let result = try await lockjaw(["attach", "\(hidden.pid)"], as: nobody)
      #expect(result.ending == .exit(125))
      #expect(result.said.contains("undumpable") || result.said.contains("it runs as user id 0"), "\(result.said)")
      // Root may.
      #expect(try await lockjaw(["attach", "\(hidden.pid)"]).ending == .exit(0))
    }

    @Test("A compressed dump is the same to analyze; lldb opens it unpacked, with every thread")
    func compressed() async throws {
      let (program, _) = try await stuck()
      let file = place.path("mini.zst")
      let dump = try await lockjaw(["dump", "--compress", "\(program.pid)", "-o", file])
      #expect(dump.ending == .exit(0), "\(dump.said)")
      let result = try await lockjaw(["analyze", file])
      #expect(result.ending == .exit(1))
      #expect(result.said.hasPrefix("DEADLOCK (inferred): threads "), "\(result.said)")
      #expect(result.said.contains("transfer() (abba.c:24)"), "\(result.said)")
      let bytes = try Data(contentsOf: URL(filePath: file))
      try bytes.prefix(bytes.count / 2).write(to: URL(filePath: place.path("half.zst")))
      let half = try await lockjaw(["analyze", place.path("half.zst")])
      #expect(half.said.contains("ends in the middle") || half.said.contains("is not a core"), "\(half.said)")

      let unpack = try ChildProcess(["/usr/bin/zstd", "-q", "-d", file, "-o", place.path("mini")])
      #expect(try await unpack.ending(within: .seconds(20)) == .exit(0), "\(unpack.output)")
      guard let lldb = Debugger.lldb else { try Test.cancel("no lldb is installed; the rest has been checked") }
      let debugger = try ChildProcess([lldb, "--batch", "-c", place.path("mini"), "-o", "thread list", "-o", "bt all"])
      #expect(try await debugger.ending(within: .seconds(60)) == .exit(0))
      #expect(debugger.output.contains("thread #3"), "\(debugger.output)")
      #expect(debugger.output.contains("transfer"), "\(debugger.output)")
    }

    @Test("Many lockjaws at once share one symbol cache, some of them killed: every report is whole and the same")
    func sharedCache() async throws {
      let (program, _) = try await stuck()
      let core = place.path("mini")
      _ = try await lockjaw(["dump", "\(program.pid)", "-o", core])
      let cache = ["LOCKJAW_CACHE": place.path("cache")]
      func report(_ name: String) -> [String] { ["analyze", "--format", "json", "-o", place.path(name), core] }
      func content(_ name: String) throws -> String {
        let text = try String(contentsOfFile: place.path(name), encoding: .utf8)
        // Durations of its making differ.
        return String(text.split(separator: "\n").filter { !$0.contains("\"stacks\":") }.joined(separator: "\n"))
      }
      let alone = try await lockjaw(report("alone"), environment: ["LOCKJAW_CACHE": ""])
      #expect(alone.ending == .exit(1))
      for round in 0..<3 {
        if round < 2 { try? FileManager.default.removeItem(atPath: place.path("cache")) }
        let several = try (0..<6).map {
          try ChildProcess(
            [Checkout.lockjaw.path] + report("r\($0)"), environment: place.environment.merging(cache) { $1 })
        }
        // Each round kills one a little later in its life.
        try await Task.sleep(for: .milliseconds(20 + 40 * round))
        kill(several[0].pid, SIGKILL)
        for (index, child) in several.enumerated() {
          let ending = try await child.ending(within: .seconds(60))
          guard index > 0 else { continue }
          #expect(ending == .exit(1), "\(child.output)")
          #expect(try content("r\(index)") == content("alone"))
        }
      }
      #expect(try await lockjaw(report("last"), environment: cache).ending == .exit(1))
      #expect(try content("last") == content("alone"))
      let files = try FileManager.default.contentsOfDirectory(atPath: place.path("cache"))
      #expect(files.contains { $0.hasSuffix(".symbols") })
      // Cut in the middle, changed, empty, a link to elsewhere: the same report, and files that are right again.
      for (index, name) in files.filter({ $0.hasSuffix(".symbols") }).enumerated() {
        let path = "\(place.path("cache"))/\(name)"
        let bytes = try Data(contentsOf: URL(filePath: path))
        switch index % 4 {
        case 0: try bytes.prefix(bytes.count / 2).write(to: URL(filePath: path))
        case 1: try Data(bytes.map { $0 == 0x35 ? 0x36 : $0 }).write(to: URL(filePath: path))
        case 2: try Data().write(to: URL(filePath: path))
        default:
          unlink(path)
          symlink("/etc/passwd", path)
        }
      }
      #expect(try await lockjaw(report("mended"), environment: cache).ending == .exit(1))
      #expect(try content("mended") == content("alone"))
    }
  }
}
