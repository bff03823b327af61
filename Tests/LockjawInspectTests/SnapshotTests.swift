import Glibc
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@Suite("Snapshots")
struct SnapshotTests {
  private static let queueSignal: Int32 = 34  // SIGRTMIN: queued, so that none may get lost

  private func noThreadIsStopped(_ process: LiveProcess) -> Bool {
    // Letting go takes the thread a moment to run.
    RunningProgram.wait(seconds: 5) { process.threads.allSatisfy { $0.state != "t" } }
  }

  @Test("Registers, stack and kernel state of each thread are those of the moment")
  func contents() throws {
    let running = try RunningProgram(
      Program(
        .c, name: "marked",
        source: """
          #include <pthread.h>
          #include <stdio.h>
          #include <unistd.h>
          static int ends[2];
          static void *body(void *x) {
            volatile unsigned long mark[2] = {0x1122334455667788, (unsigned long)&mark};
            pthread_setname_np(pthread_self(), "reader");
            printf("%p\\n", (void *)mark); fflush(stdout);
            char c; read(ends[0], &c, 1);
            return (void *)mark[0];
          }
          int main(void) { pthread_t t; pipe(ends); pthread_create(&t, NULL, body, NULL); pthread_join(t, NULL); }
          """))
    let mark = Address(try #require(UInt64(try running.readLine().dropFirst(2), radix: 16)))
    let process = try LiveProcess(pid: running.pid)
    #expect(
      RunningProgram.wait {
        process.threads.contains { process.kernelState(of: $0.tid) == .systemCall(number: 0, name: "read") }
      })
    // The main thread is on its way to the join while the other reads already.
    #expect(
      RunningProgram.wait {
        if case .futexWait = process.kernelState(of: ThreadID(running.pid)) { true } else { false }
      })
    let snapshot = try Snapshot.take(pid: running.pid)
    #expect(snapshot.identity == process.identity)
    #expect(snapshot.threads.map(\.name) == ["marked", "reader"])
    let reader = try #require(snapshot.threads.last)
    let registers = try #require(reader.registers)
    #expect(reader.kernelState == .systemCall(number: 0, name: "read"))
    if case .futexWait = snapshot.threads[0].kernelState {} else { Issue.record("\(snapshot.threads[0].kernelState)") }
    #expect(registers.rsp < mark.rawValue)
    let stack = try #require(reader.stack)
    #expect(stack.base.rawValue == registers.rsp - 128)
    #expect(stack.load(UInt64.self, at: mark) == 0x1122_3344_5566_7788)
    #expect(snapshot.memory.load(UInt64.self, at: Address(mark.rawValue + 8)) == mark.rawValue)
    #expect(try #require(snapshot.vdso).bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]))
    #expect(noThreadIsStopped(process))
  }

  @Test("A thread in vfork is left out with its reason, the others are complete, and it goes on when its child ends")
  func vfork() throws {
    let running = try RunningProgram(
      Program(
        .c, name: "forking",
        source: """
          #define _GNU_SOURCE
          #include <pthread.h>
          #include <stdio.h>
          #include <stdlib.h>
          #include <sys/wait.h>
          #include <unistd.h>
          static int ends[2];
          static void *body(void *x) { pthread_setname_np(pthread_self(), "other"); pause(); return x; }
          int main(void) {
            pthread_t t;
            pipe(ends);
            pthread_create(&t, NULL, body, NULL);
            pid_t child = vfork();
            if (!child) { // shares our memory until it ends
              char text[16];
              write(1, text, snprintf(text, sizeof text, "%d\\n", getpid()));
              char c; read(ends[0], &c, 1);
              _exit(0);
            }
            puts("went on"); fflush(stdout);
            pause();
          }
          """))
    let child = try #require(Int32(try running.readLine()))
    defer { kill(child, SIGKILL) }
    let begin = monotonicNanoseconds()
    let snapshot = try Snapshot.take(pid: running.pid, deadline: .milliseconds(300))
    #expect(monotonicNanoseconds() - begin < 2_000_000_000)
    #expect(snapshot.pauseMilliseconds >= 300 && snapshot.pauseMilliseconds < 1000)
    let main = try #require(snapshot.thread(ThreadID(running.pid)))
    #expect(main.registers == nil)
    #expect(try #require(main.missing).contains("vfork"))
    #expect(snapshot.threads.first { $0.name == "other" }?.registers != nil)
    let process = try LiveProcess(pid: running.pid)
    #expect(noThreadIsStopped(process))
    kill(child, SIGKILL)
    // Would time out if the thread were still ours and stopped at the end of its vfork.
    #expect(try running.readLine() == "went on")
    #expect(noThreadIsStopped(process))
  }

  @Test("No signal is lost to a snapshot, however many are on their way")
  func signals() throws {
    let running = try RunningProgram(
      Program(
        .c, name: "counting",
        source: """
          #include <signal.h>
          #include <stdio.h>
          #include <unistd.h>
          static volatile sig_atomic_t count;
          static void counted(int number) { (void)number; count++; }
          static void asked(int number) { (void)number; char text[16]; write(1, text, snprintf(text, sizeof text, "%d\\n", (int)count)); }
          int main(void) {
            signal(34, counted); signal(SIGUSR2, asked);
            puts("ready"); fflush(stdout);
            for (;;) pause();
          }
          """))
    _ = try running.readLine()
    for _ in 0..<40 {
      for _ in 0..<25 { kill(running.pid, Self.queueSignal) }
      _ = try Snapshot.take(pid: running.pid)
    }
    kill(running.pid, SIGUSR2)
    #expect(try running.readLine() == "1000")
  }

  @Test("A process stopped by a signal can be looked at, and stays stopped")
  func stopped() throws {
    let running = try RunningProgram(
      Program(
        .c, name: "held",
        source:
          "#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts(\"ready\"); fflush(stdout); for (;;) pause(); }"
      ))
    _ = try running.readLine()
    kill(running.pid, SIGSTOP)
    let process = try LiveProcess(pid: running.pid)
    #expect(RunningProgram.wait { process.threads.allSatisfy { $0.state == "T" } })
    #expect(try Snapshot.take(pid: running.pid).threads[0].registers != nil)
    #expect(RunningProgram.wait { process.threads.allSatisfy { $0.state == "T" } })
    kill(running.pid, SIGCONT)
    #expect(RunningProgram.wait { process.threads.allSatisfy { $0.state == "S" } })
  }

  @Test("Threads that come and go all the time do not disturb it, nor it them")
  func churn() throws {
    let running = try RunningProgram(
      Program(
        .c, name: "churning",
        source: """
          #include <pthread.h>
          #include <stdio.h>
          #include <unistd.h>
          static volatile long made;
          static void *brief(void *x) { return x; }
          static void *maker(void *x) {
            for (;;) { pthread_t t; if (!pthread_create(&t, NULL, brief, NULL)) { pthread_join(t, NULL); __atomic_fetch_add(&made, 1, 5); } }
            return x;
          }
          int main(void) {
            pthread_t t;
            for (int i = 0; i < 4; i++) pthread_create(&t, NULL, maker, NULL);
            printf("%p\\n", (void *)&made); fflush(stdout);
            pause();
          }
          """))
    let counter = Address(try #require(UInt64(try running.readLine().dropFirst(2), radix: 16)))
    let process = try LiveProcess(pid: running.pid)
    for _ in 0..<30 {
      let snapshot = try Snapshot.take(pid: running.pid)
      #expect(snapshot.threads.count >= 5)
      #expect(snapshot.threads.allSatisfy { $0.registers != nil || $0.missing != nil })
      #expect(snapshot.threads.count { $0.registers != nil } >= 5)
    }
    // Threads in the middle of their stop or end are a matter of moments here; that work goes on is what counts.
    let before = try #require(ProcessMemory(process).load(Int.self, at: counter))
    #expect(RunningProgram.wait { (ProcessMemory(process).load(Int.self, at: counter) ?? 0) > before + 100 })
  }

  @Test("A process that is killed meanwhile gives an error or a whole snapshot, never a crash")
  func killedMeanwhile() throws {
    let program = try Program(
      .c, name: "doomed",
      source: """
        #include <pthread.h>
        #include <stdio.h>
        #include <unistd.h>
        static void *body(void *x) { pause(); return x; }
        int main(void) {
          pthread_t t;
          for (int i = 0; i < 50; i++) pthread_create(&t, NULL, body, NULL);
          puts("ready"); fflush(stdout);
          pause();
        }
        """)
    for round in 0..<20 {
      let running = try RunningProgram(program)
      _ = try running.readLine()
      let executioner = try RunningProgram(["sh", "-c", "sleep 0.00\(round % 10); kill -9 \(running.pid); echo done"])
      var taken = 0
      while taken < 1000 {
        do throws(InspectError) {
          let snapshot = try Snapshot.take(pid: running.pid)
          #expect(snapshot.threads.count <= 51)
          taken += 1
        } catch {
          #expect(["no-such-process", "zombie"].contains(error.code), "\(error)")
          break
        }
      }
      _ = try executioner.readLine()
    }
  }

  @Test("What cannot be stopped is refused with the reason")
  func refusals() throws {
    #expect(throws: InspectError.ownProcess(pid: getpid())) { try Snapshot.take(pid: getpid()) }
    #expect(throws: InspectError.noSuchProcess(pid: Int32.max)) { try Snapshot.take(pid: Int32.max) }
  }

  @Test("A thread of the kernel is told from a process by its name for it, with where to look instead")
  func kernelThreadSentence() {
    let error = InspectError.kernelThread(pid: 2)
    #expect(error.code == "kernel-thread")
    #expect(
      error.description
        == "2 is a thread of the kernel, not a program; its stack is in /proc/2/stack (root only).")
  }

  @Test(
    "A thread of the kernel is refused as one",
    .enabled(if: hasKernelThreads, "no thread of the kernel is visible: this is a container or a pid namespace"))
  func kernelThread() throws {
    #expect(try LiveProcess(pid: 2).isKernelThread)
    #expect(throws: InspectError.kernelThread(pid: 2)) { try Snapshot.take(pid: 2) }
    #expect(throws: InspectError.kernelThread(pid: 2)) { try Snapshot.takeWithoutStopping(pid: 2) }
  }

  /// Bit 21 of the flags in `/proc/2/stat` (the kernel's PF_KTHREAD), read without the code under test.
  private static let hasKernelThreads: Bool = {
    guard let stat = try? Command.succeed(["cat", "/proc/2/stat"]), let end = stat.lastIndex(of: ")") else {
      return false
    }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    return fields.count > 6 && (UInt64(fields[6]) ?? 0) & 0x20_0000 != 0
  }()

  @Test("A tracer that is killed in the middle leaves its target running; until then others are told its name")
  func killedTracer() throws {
    let target = try RunningProgram(
      Program(
        .c, name: "target",
        source: """
          #include <pthread.h>
          #include <stdio.h>
          #include <unistd.h>
          static volatile long beats;
          static void *body(void *x) { for (;;) { beats++; usleep(100); } return x; }
          int main(void) {
            pthread_t t;
            for (int i = 0; i < 8; i++) pthread_create(&t, NULL, body, NULL);
            printf("%p\\n", (void *)&beats); fflush(stdout);
            pause();
          }
          """))
    let beats = Address(try #require(UInt64(try target.readLine().dropFirst(2), radix: 16)))
    // The product's own primitives, in a process that stops its target and does nothing more.
    let native = "\(#filePath.dropLast("Tests/LockjawInspectTests/SnapshotTests.swift".count))Sources/CLockjawNative"
    let tracer = try RunningProgram(
      Program(
        .c, name: "tracer", flags: ["-I\(native)/include", "\(native)/ptrace.c"],
        source: """
          #include <dirent.h>
          #include <stdio.h>
          #include <stdlib.h>
          #include <unistd.h>
          #include "lockjaw_ptrace.h"
          int main(int argc, char **argv) {
            char path[64];
            snprintf(path, sizeof path, "/proc/%s/task", argc > 1 ? argv[1] : "self");
            DIR *tasks = opendir(path);
            int tids[64], count = 0, signal;
            for (struct dirent *e; (e = readdir(tasks)) && count < 64;) if (atoi(e->d_name)) tids[count++] = atoi(e->d_name);
            for (int i = 0; i < count; i++) if (lj_ptrace_seize(tids[i]) || lj_ptrace_interrupt(tids[i])) return 1;
            for (int i = 0; i < count; i++) while (lj_ptrace_poll(tids[i], &signal) == LJ_WAIT_PENDING) usleep(100);
            puts("stopped"); fflush(stdout);
            pause();
          }
          """), arguments: ["\(target.pid)"])
    #expect(try tracer.readLine() == "stopped")
    let process = try LiveProcess(pid: target.pid)
    #expect(process.threads.allSatisfy { $0.state == "t" })
    #expect(throws: InspectError.tracedByAnother(pid: target.pid, tracer: tracer.pid, tracerName: "tracer")) {
      try Snapshot.take(pid: target.pid)
    }
    let before = try #require(ProcessMemory(process).load(Int.self, at: beats))
    tracer.kill()
    #expect(RunningProgram.wait { (ProcessMemory(process).load(Int.self, at: beats) ?? 0) > before + 100 })
    #expect(try Snapshot.take(pid: target.pid).threads.count == 9)
  }
}
