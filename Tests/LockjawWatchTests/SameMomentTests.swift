import Glibc
import LockjawInspect
import LockjawModel
import LockjawReport
import LockjawTestPrograms
import Testing

@testable import LockjawWatch

/// One pipeline, two sources: what is said of a process and of the core of the same moment.
@Suite("A process and the core of the same moment")
struct SameMomentTests {
  private static let source = """
    #define _GNU_SOURCE
    #include <pthread.h>
    #include <stdio.h>
    #include <unistd.h>
    static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
    static pthread_rwlock_t settings = PTHREAD_RWLOCK_INITIALIZER;
    static pthread_barrier_t both;
    static int ends[2];
    static void transfer(pthread_mutex_t *from, pthread_mutex_t *to) {
      pthread_mutex_lock(from); pthread_barrier_wait(&both); pthread_mutex_lock(to);
    }
    static void *alice(void *x) { pthread_setname_np(pthread_self(), "alice"); transfer(&a, &b); return x; }
    static void *bob(void *x) { pthread_setname_np(pthread_self(), "bob"); transfer(&b, &a); return x; }
    static void *late(void *x) {  // after alice has a
      pthread_setname_np(pthread_self(), "late"); pthread_barrier_wait(&both); pthread_mutex_lock(&a); return x;
    }
    static void *reload(void *x) { pthread_setname_np(pthread_self(), "reload"); pthread_rwlock_wrlock(&settings); return x; }
    static void *reader(void *x) { pthread_setname_np(pthread_self(), "reader"); char c; read(ends[0], &c, 1); return x; }
    int main(void) {
      pthread_t t; pipe(ends); pthread_barrier_init(&both, NULL, 3); pthread_rwlock_rdlock(&settings);
      void *(*bodies[])(void *) = {alice, bob, late, reload, reader};
      for (int i = 0; i < 5; i++) pthread_create(&t, NULL, bodies[i], NULL);
      puts("ready"); fflush(stdout);
      pause();
    }
    """

  private let program: Program
  private let running: RunningProgram
  private let process: LiveProcess
  private let snapshot: Snapshot

  init() throws {
    program = try Program(.c, name: "moment", source: Self.source)
    running = try program.startWithCores()
    _ = try running.readLine()
    let process = try LiveProcess(pid: running.pid)
    self.process = process
    let isStuck = RunningProgram.wait {
      // Past the barrier, which is a futex wait too, alice and bob wait for locks that name each other.
      let threads = process.threads
      return Set(threads.map(\.name)) == ["moment", "alice", "bob", "late", "reload", "reader"]
        && threads.allSatisfy { if case .running = process.kernelState(of: $0.tid) { false } else { true } }
        && Set(threads.map { process.kernelState(of: $0.tid) }).count == 5
    }
    guard isStuck else { throw CommandFailure(description: "the program did not come to rest") }
    snapshot = try Snapshot.take(pid: running.pid)
  }

  private var single: SingleReport { SingleReport(wantsAllStacks: true) }

  @Test("get the same report to the byte, from a minicore")
  func minicore() throws {
    let path = program.directory.path + "/mini"
    _ = try Minicore(snapshot, of: process).write(to: path)
    let live = single.of(snapshot, of: process)
    running.kill()
    let core = single.of(try CoreFile(path: path), arena: nil)
    #expect(live.verdict == .deadlock)
    #expect(live.findings.first?.certainty == .inferred)
    #expect(live.threads.count == 6)
    #expect(live.threads.contains { $0.state.hasPrefix("asleep in read on pipe:") })
    #expect(ReportDocument.encode(live.comparable) == ReportDocument.encode(core.comparable))
    #expect(TextReport.render(live.comparable) == TextReport.render(core.comparable))
  }

  @Test("get the same report from the kernel's core, but for what the kernel does not record")
  func kernelCore() throws {
    // A core dates no wait; the process' waits are to count as lasting for the same verdict.
    let live = SingleReport(stall: 0, wantsAllStacks: true).of(snapshot, of: process)
    #expect(running.abort())
    guard let path = program.core(of: running) else {
      try Test.cancel("this machine does not write cores into the working directory (core_pattern)")
    }
    let core = single.of(try CoreFile(path: path), arena: nil)
    #expect(core.verdict == .deadlock)
    #expect(core.signature == live.signature)
    #expect(core.process.condition == "ended by signal 6 (SIGABRT)")
    #expect(
      ReportDocument.encode(live.withoutWhatCoresLack) == ReportDocument.encode(core.withoutWhatCoresLack))
  }
  @Test("get the same report from gcore's core, but for what it does not record; the program goes on")
  func gcore() throws {
    let live = SingleReport(stall: 0, wantsAllStacks: true).of(snapshot, of: process)
    let path = program.directory.path + "/gcore"
    try Command.succeed(["gcore", "-o", path, "\(running.pid)"])
    #expect(process.isAlive)
    let core = single.of(try CoreFile(path: "\(path).\(running.pid)"), arena: nil)
    #expect(core.verdict == .deadlock)
    #expect(core.signature == live.signature)
    #expect(
      ReportDocument.encode(live.withoutWhatCoresLack) == ReportDocument.encode(core.withoutWhatCoresLack))
  }
}
