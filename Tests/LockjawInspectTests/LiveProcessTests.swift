import Glibc
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawInspect

@Suite("A process seen through /proc")
struct LiveProcessTests {
  private func pausing(_ name: String = "pausing") throws -> Program {
    try Program(
      .c, name: name,
      source:
        "#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts(\"ready\"); fflush(stdout); for (;;) pause(); }"
    )
  }

  @Test("Identity, command line, executable and owner are the process'")
  func facts() throws {
    let program = try pausing()
    let running = try RunningProgram(program, arguments: ["two words", "", "ünïcode"])
    _ = try running.readLine()
    let process = try LiveProcess(pid: running.pid)
    #expect(process.commandLine == [program.path, "two words", "", "ünïcode"])
    #expect(process.executablePath == program.path)
    #expect(process.userID == geteuid())
    #expect(process.parentPID == getpid())
    #expect(process.identity.startTicks > 0)
    #expect(process.threads.map(\.name) == ["pausing"])
    #expect(process.preloadedShimPath == nil)
    #expect(process.isAlive)
    let age = Double(time(nil)) - (try #require(process.startedAtUnixSeconds))
    #expect(age > -2 && age < 60)
    running.kill()
    #expect(!process.isAlive)
    #expect(throws: InspectError.noSuchProcess(pid: running.pid)) { try LiveProcess(pid: running.pid) }
  }

  @Test("A title that a server wrote over its arguments is its command, without the padding")
  func title() throws {
    let running = try RunningProgram(
      Program(
        .c, name: "titled",
        source: """
          #include <stdio.h>
          #include <string.h>
          #include <unistd.h>
          int main(int n, char **v) {
            char *end = v[n - 1] + strlen(v[n - 1]);
            memset(v[0], 0, end - v[0]);
            strcpy(v[0], "server: idle  ");
            puts("ready"); fflush(stdout); for (;;) pause();
          }
          """), arguments: ["a long argument", "and another one"])
    _ = try running.readLine()
    #expect(try LiveProcess(pid: running.pid).outline.command == "server: idle")
  }

  @Test("A thread that is too young to have run has not slept since the machine was started")
  func neverRan() {
    #expect(SleepClock.nanoseconds(from: 0, to: 13_343_587.5) == 0)
    #expect(SleepClock.nanoseconds(from: 13_343_000.5, to: 13_343_587.5) == 587_000_000)
    #expect(SleepClock.nanoseconds(from: 13_343_588, to: 13_343_587.5) == 0)
    #expect(SleepClock.nanoseconds(from: 1, to: 1e13) == nil)
  }

  /// Processors that this process may run on, the first few: `Cpus_allowed_list:	0-1,4` (proc_pid_status(5)).
  private static let processors: [Int] = {
    let status = (try? ProcFile.text("/proc/self/status")) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") } ?? ""
    let ranges = line.drop { $0 != "\t" }.dropFirst().split(separator: ",").map {
      $0.split(separator: "-").compactMap { Int($0) }
    }
    return Array(ranges.flatMap { $0.isEmpty ? [] : Array($0[0]...($0.last ?? $0[0])) }.prefix(8))
  }()

  @Test(
    "For how long a thread has slept is told by the clock of the processor it ran on: each has its own",
    .enabled(if: access("/proc/self/sched", R_OK) == 0, "the kernel does not say when threads last ran"),
    arguments: processors)
  func sleepAge(processor: Int) throws {
    func seconds() -> Double { Double(monotonicNanoseconds()) / 1e9 }
    let started = seconds()
    let running = try RunningProgram(["/usr/bin/taskset", "-c", "\(processor)", "/bin/sleep", "600"])
    let process = try LiveProcess(pid: running.pid)
    let thread = ThreadID(running.pid)
    // clock_nanosleep(2)
    let isAsleep = RunningProgram.wait {
      if case .systemCall(230, _) = process.kernelState(of: thread) { true } else { false }
    }
    try #require(isAsleep)
    let asleep = seconds()
    #expect(RunningProgram.wait { seconds() - asleep > 0.3 })
    let before = seconds()
    let slept = try Double(#require(process.sleptNanoseconds(thread))) / 1e9
    // A tick of the clock is up to 10 ms.
    #expect(slept >= before - asleep - 0.05, "slept \(slept) s, of at least \(before - asleep) s")
    #expect(slept <= seconds() - started + 0.05, "slept \(slept) s, of at most \(seconds() - started) s")
  }

  @Test("A number of no process, and numbers that cannot be one, are refused", arguments: [0, -1, Int32.max])
  func noSuchProcess(pid: Int32) {
    #expect(throws: InspectError.noSuchProcess(pid: pid)) { try LiveProcess(pid: pid) }
  }

  @Test("A process that has ended but was not waited for is a zombie, and dead")
  func zombie() throws {
    let parent = try RunningProgram(
      Program(
        .c, name: "parent",
        source: """
          #include <stdio.h>
          #include <unistd.h>
          int main(void) { pid_t child = fork(); if (!child) _exit(0); printf("%d\\n", child); fflush(stdout); pause(); }
          """))
    let child = try #require(Int32(try parent.readLine()))
    #expect(RunningProgram.wait { (try? LiveProcess(pid: child)) == nil })
    #expect(throws: InspectError.zombie(pid: child)) { try LiveProcess(pid: child) }
    #expect(throws: InspectError.zombie(pid: child)) { try Snapshot.take(pid: child) }
  }

  @Test("A main thread that has ended hides neither the modules nor the memory nor the other threads' stacks")
  func zombieLeader() throws {
    let running = try RunningProgram(
      Program(
        .c, name: "headless",
        source: """
          #include <pthread.h>
          #include <stdio.h>
          #include <unistd.h>
          static long number = 0x1122334455667788;
          static void *body(void *x) { printf("%p\\n", (void *)&number); fflush(stdout); pause(); return x; }
          int main(void) { pthread_t t; pthread_create(&t, NULL, body, NULL); pthread_exit(NULL); }
          """))
    let address = Address(try #require(UInt64(try running.readLine().dropFirst(2), radix: 16)))
    let process = try LiveProcess(pid: running.pid)
    #expect(RunningProgram.wait { process.thread(ThreadID(running.pid))?.state == "Z" })
    #expect(process.isAlive)
    #expect(try process.modules().contains { $0.path.hasSuffix("/headless") && !$0.buildID.isEmpty })
    #expect(ProcessMemory(process).load(UInt64.self, at: address) == 0x1122_3344_5566_7788)
    let snapshot = try Snapshot.take(pid: running.pid)
    #expect(snapshot.threads.count == 1)
    #expect(snapshot.threads[0].registers != nil)
  }

  @Test("A thread's number leads to its process")
  func byThread() throws {
    let running = try RunningProgram(
      Program(
        .c, name: "threaded",
        source: """
          #include <pthread.h>
          #include <stdio.h>
          #include <unistd.h>
          static void *body(void *x) { printf("%d\\n", gettid()); fflush(stdout); pause(); return x; }
          int main(void) { pthread_t t; pthread_create(&t, NULL, body, NULL); pause(); }
          """))
    let tid = try #require(Int32(try running.readLine()))
    #expect(tid != running.pid)
    #expect(try LiveProcess(pid: tid).pid == running.pid)
  }

  @Test("Modules are those the loader maps, with the build-ids of their files, and the vdso")
  func modules() throws {
    let program = try pausing()
    let running = try RunningProgram(program)
    _ = try running.readLine()
    let process = try LiveProcess(pid: running.pid)
    let modules = try process.modules()
    #expect(modules.map(\.fileName).sorted() == ["[vdso]", "ld-linux-x86-64.so.2", "libc.so.6", "pausing"])
    for module in modules where module.path.hasPrefix("/") {
      let file = try ELFFile(path: module.path)
      #expect(module.buildID == file.buildID && !file.buildID.isEmpty)
      #expect(module.inode == file.inode)
      #expect(module.textStart > module.start && module.textEnd <= module.end)
      // The bias leads from the file's own entry to the code that is mapped: the bytes there are the file's.
      let bias = try #require(file.loadBias(of: module))
      let text = try #require(file.segments.first { $0.type == ELFSegment.load && $0.isExecutable })
      let live = ProcessMemory(process).bytes(at: Address(bias &+ text.virtualAddress), count: 256)
      let stored = FileBackedMemory([(module, file)]).bytes(at: Address(bias &+ text.virtualAddress), count: 256)
      #expect(live != nil && live == stored)
    }
  }

  @Test("The remedy names the user, where the process is another user's")
  func remedy() throws {
    try #require(geteuid() == 0, "changing the user needs root")
    let program = try pausing()
    try Command.succeed(["chmod", "755", program.directory.path])
    let running = try RunningProgram(["setpriv", "--reuid", "65534", "--clear-groups", program.path])
    _ = try running.readLine()
    #expect(try LiveProcess(pid: running.pid).userID == 65534)
    #expect(AccessRights.remedy(pid: running.pid).contains("user id 65534"))
    // Root sees it all the same.
    #expect(try Snapshot.take(pid: running.pid).threads.count == 1)
  }
}
