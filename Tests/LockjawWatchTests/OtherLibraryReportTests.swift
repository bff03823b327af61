import Glibc
import LockjawInspect
import LockjawModel
import LockjawReport
import LockjawTestPrograms
import Testing

@testable import LockjawWatch

private let abseilCycle = """
  #include <absl/synchronization/mutex.h>
  #include <atomic>
  #include <cstdio>
  #include <pthread.h>
  #include <thread>
  #include <unistd.h>
  static absl::Mutex accounts[2];
  static std::atomic<int> holding{0};
  static void transfer(const char *name, int from, int to) {
    pthread_setname_np(pthread_self(), name);
    absl::MutexLock source(&accounts[from]); // LINE: holds
    holding++;
    while (holding < 2) usleep(100);
    absl::MutexLock target(&accounts[to]); // LINE: waits
  } // LINE: releases
  int main() {
    alarm(120);
    // A library with its own detector in it would end the program instead.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    std::thread one(transfer, "alice", 0, 1), two(transfer, "bob", 1, 0);
    std::puts("started");
    std::fflush(stdout);
    one.join();
  }
  """

private let muslCycle = """
  #include <pthread.h>
  #include <stdio.h>
  #include <sys/prctl.h>
  #include <unistd.h>
  static pthread_mutex_t accounts[2];
  static pthread_barrier_t both_hold_one;
  static void *transfer(void *x) {
    long from = (long)x;
    prctl(PR_SET_NAME, from ? "bob" : "alice");
    pthread_mutex_lock(&accounts[from]);
    pthread_barrier_wait(&both_hold_one);
    pthread_mutex_lock(&accounts[1 - from]);
    return 0;
  }
  int main(void) {
    alarm(120);
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    for (int i = 0; i < 2; i++) pthread_mutex_init(&accounts[i], &recursive);
    pthread_barrier_init(&both_hold_one, 0, 2);
    pthread_t threads[2];
    for (long i = 0; i < 2; i++) pthread_create(&threads[i], 0, transfer, (void *)i);
    puts("started");
    fflush(stdout);
    pthread_join(threads[0], 0);
  }
  """

/// Whole reports, live and from a minicore, of programs whose locks are another library's than glibc's.
@Suite("Reports on other libraries' locks")
struct OtherLibraryReportTests {
  static let hasAbseil = access("/usr/include/absl/synchronization/mutex.h", R_OK) == 0
  static let hasMusl = access("/usr/bin/musl-gcc", X_OK) == 0

  /// A live look until all of the cycle's threads are asleep in it, then what a minicore of it says.
  private func reports(_ program: Program) throws -> (running: RunningProgram, live: Report, core: Report) {
    let running = try RunningProgram(program)
    _ = try running.readLine()
    let process = try LiveProcess(pid: running.pid)
    var live: Report?
    let isFound = RunningProgram.wait {
      live = try? SingleReport(stall: 0.01).of(process, withoutStopping: false)
      return live?.verdict == .deadlock && live?.findings.first?.edges.count == 2
    }
    try #require(isFound, "\(live.map { TextReport.render($0) } ?? "no report")")
    var core: Report?
    // The look has taken the threads out of their sleep for a moment.
    let isFoundAgain = RunningProgram.wait {
      let path = program.directory.path + "/core"
      guard let snapshot = try? Snapshot.take(pid: running.pid),
        (try? Minicore(snapshot, of: process).write(to: path)) != nil, let file = try? CoreFile(path: path)
      else { return false }
      core = SingleReport(stall: 0).of(file, arena: nil)
      return core?.verdict == .deadlock && core?.findings.first?.edges.count == 2
    }
    try #require(isFoundAgain, "\(core.map { TextReport.render($0) } ?? "no report")")
    return (running, try #require(live), try #require(core))
  }

  private func name(_ tid: ThreadID?, _ report: Report) -> String? {
    tid.flatMap { tid in report.threads.first { $0.tid == tid }?.name }
  }

  @Test(
    "abseil: each holder is named with its line, its guard and where that ends, live and from a core",
    .enabled(if: hasAbseil, "libabsl-dev is not installed; Tools/install-packages test"), arguments: ["-O0", "-O2"])
  func abseil(optimisation: String) throws {
    let libraries = try Command.succeed(["pkg-config", "--libs", "absl_synchronization"])
      .split { $0.isWhitespace }.map { String($0) }
    let program = try Program(.cpp, name: "abseil", flags: ["-g", optimisation] + libraries, source: abseilCycle)
    let (running, live, core) = try reports(program)
    defer { running.kill() }
    for report in [live, core] {
      let finding = try #require(report.findings.first)
      #expect(finding.kind == .deadlock && finding.certainty == .inferred)
      for edge in finding.edges {
        #expect(Set([name(edge.waiter, report), name(edge.holders.first, report)]) == ["alice", "bob"])
        #expect(edge.waitsAt?.line == program.line("waits") && edge.waitsAt?.file == program.sourcePath)
        #expect(edge.heldIn?.line == program.line("waits"))
        #expect(edge.releasedAt?.line == program.line("releases") && edge.guardType == "MutexLock")
        #expect(edge.guardVariable?.name == "source" && edge.guardVariable?.line == program.line("holds"))
        let lock = try #require(report.locks.first { $0.id == edge.lock })
        #expect(lock.library == "abseil" && lock.name?.hasPrefix("accounts[") == true, "\(lock)")
      }
    }
  }

  @Test(
    "musl: the cycle is named by its words, and it is said why no line is",
    .enabled(if: hasMusl, "musl-gcc is not installed; Tools/install-packages test"))
  func musl() throws {
    let program = try Program(.c, name: "musl", flags: ["-g", "-O0"], compiler: "musl-gcc", source: muslCycle)
    let (running, live, core) = try reports(program)
    defer { running.kill() }
    for report in [live, core] {
      let finding = try #require(report.findings.first)
      // That these are the locks is told by values alone.
      #expect(finding.kind == .deadlock && finding.certainty == .suspect)
      for edge in finding.edges {
        #expect(Set([name(edge.waiter, report), name(edge.holders.first, report)]) == ["alice", "bob"])
        #expect(edge.evidence == .ownerField && edge.waitsAt?.line == nil)
        let lock = try #require(report.locks.first { $0.id == edge.lock })
        #expect(lock.library == "musl" && lock.name?.hasPrefix("accounts[") == true, "\(lock)")
      }
      // The two of the cycle; the one that joins them where it has been asleep for long enough to be shown.
      #expect(
        report.diagnostics.contains { sentence in
          [2, 3].contains {
            sentence.contains("has no unwind information where \($0) threads sleep: which function of")
          }
        }, "\(report.diagnostics)")
      let text = TextReport.render(report)
      #expect(!text.contains("run the same code"), "one line of the C library is not the program's: \(text)")
    }
  }
}
