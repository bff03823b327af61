import Glibc
import LockjawDiagnosis
import LockjawInspect
import LockjawModel
import LockjawReport
import LockjawTestPrograms
import Testing

@testable import LockjawWatch

/// What a report shows of stacks that lead through functions without unwind tables.
@Suite("A stack without unwind tables")
struct TablelessStackTests {
  /// Two threads in a deadlock. One function's frame has a size that is not known beforehand, one is called through a pointer.
  private static let source = """
    #define _GNU_SOURCE
    #include <alloca.h>
    #include <pthread.h>
    #include <string.h>
    static pthread_mutex_t locks[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
    static pthread_barrier_t both;
    __attribute__((noipa)) int inner(long own) {
      pthread_mutex_lock(&locks[own]);
      pthread_barrier_wait(&both);
      pthread_mutex_lock(&locks[!own]);
      return pthread_mutex_unlock(&locks[!own]);
    }
    __attribute__((noipa)) int middle(long own, int size) {
      char *room = alloca(size);
      memset(room, 1, size);
      return inner(own) + room[size - 1];
    }
    __attribute__((noipa)) int outer(long own, int (*next)(long, int)) { return next(own, 100) + 1; }
    static void *run(void *own) {
      pthread_setname_np(pthread_self(), own ? "bob" : "alice");
      return (void *)(long)outer((long)own, middle);
    }
    int main(void) {
      pthread_barrier_init(&both, NULL, 2);
      pthread_t threads[2];
      for (long i = 0; i < 2; i++) pthread_create(&threads[i], NULL, run, (void *)i);
      for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
      return 0;
    }
    """

  private func start(_ level: String, tables: [String]) throws -> (Program, RunningProgram, LiveProcess) {
    let program = try Program(.c, name: "tableless", flags: ["-g", level] + tables, source: Self.source)
    let running = try RunningProgram(program)
    let process = try LiveProcess(pid: running.pid)
    let isStuck = RunningProgram.wait {
      let threads = process.threads
      // Past the barrier, whose waiters all sleep on one word, the two wait for two locks.
      return Set(threads.map(\.name)) == ["tableless", "alice", "bob"]
        && Set(threads.map { process.kernelState(of: $0.tid) }).count == 3
        && threads.allSatisfy { if case .futexWait = process.kernelState(of: $0.tid) { true } else { false } }
    }
    try #require(isStuck)
    return (program, running, process)
  }

  private static let none = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"]

  @Test(
    "goes on to the thread's beginning, is marked from there on, and is the same from a core",
    arguments: ["-O0", "-O2"])
  func goesOn(level: String) throws {
    let (program, running, process) = try start(level, tables: Self.none)
    let snapshot = try Snapshot.take(pid: running.pid)
    let single = SingleReport(wantsAllStacks: true)
    let live = single.of(snapshot, of: process)
    #expect(live.verdict == .deadlock)
    let alice = try #require(live.threads.first { $0.name == "alice" })
    let own = alice.stack.filter { !$0.isPlumbing }
    #expect(own.map(\.function) == ["inner", "middle", "outer", "run"])
    // The frame that calls libc is found by libc's tables.
    #expect(own.map(\.isBeyondTables) == [false, true, true, true])
    #expect(alice.stack.last.map { $0.isBeyondTables && $0.isPlumbing } == true)
    #expect(TextReport.render(live).contains("no unwind tables above"))

    let path = program.directory.path + "/mini"
    _ = try Dump(snapshot, of: process, to: path)
    running.kill()
    let core = single.of(try CoreFile(path: path), arena: nil)
    #expect(ReportDocument.encode(live.comparable) == ReportDocument.encode(core.comparable))
  }

  @Test("is the one that tables would have shown, and with tables no frame is marked")
  func tables() throws {
    let single = SingleReport(wantsAllStacks: true)
    let (_, without, tableless) = try start("-O2", tables: Self.none)
    let one = single.of(try Snapshot.take(pid: without.pid), of: tableless)
    let (_, with, described) = try start("-O2", tables: ["-fasynchronous-unwind-tables"])
    let other = single.of(try Snapshot.take(pid: with.pid), of: described)
    func functions(_ report: Report) -> [String?] {
      report.threads.first { $0.name == "alice" }?.stack.filter { !$0.isPlumbing }.map(\.function) ?? []
    }
    #expect(functions(one) == functions(other))
    #expect(!other.threads.contains { $0.stack.contains(where: \.isBeyondTables) })
    #expect(!TextReport.render(other).contains("no unwind tables"))
  }
}
