import Glibc
import LockjawInspect
import LockjawModel
import LockjawReport
import LockjawTestPrograms
import Testing

@testable import LockjawWatch

/// A holder that only runs when nobody else wants its processor, beside one that always does.
private let source = """
  #define _GNU_SOURCE
  #include <pthread.h>
  #include <sched.h>
  #include <stdio.h>
  #include <string.h>
  #include <unistd.h>
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static pthread_barrier_t taken;
  static int is_starved;
  static void pin(void) {
    cpu_set_t set;
    int first = 0;
    sched_getaffinity(0, sizeof set, &set);
    while (!CPU_ISSET(first, &set)) first++;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    sched_setaffinity(0, sizeof set, &set);
  }
  static void *busy(void *x) { pin(); for (volatile unsigned long n = 0;; n++); return x; }
  static void *holder(void *x) {
    struct sched_param none = {0};
    pthread_setname_np(pthread_self(), "holder");
    pthread_mutex_lock(&lock);
    pthread_barrier_wait(&taken);
    if (!is_starved) for (;;) pause();
    pin();
    pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
    for (volatile unsigned long n = 0;; n++);
    return x;
  }
  int main(int count, char **arguments) {
    pthread_t thread;
    alarm(120);
    is_starved = count > 1 && !strcmp(arguments[1], "starved");
    pthread_barrier_init(&taken, NULL, 2);
    pthread_create(&thread, NULL, holder, NULL);
    pthread_barrier_wait(&taken);
    if (is_starved) pthread_create(&thread, NULL, busy, NULL);
    puts("ready"); fflush(stdout);
    pthread_mutex_lock(&lock);
  }
  """

@Suite("A holder that the host does not let run")
struct StarvedHolderTests {
  /// Looks, without stopping, until the report has the verdict.
  private func look(_ mode: String, until verdict: FindingKind) throws -> Report {
    let running = try RunningProgram(Program(.c, name: "starved", source: source), arguments: [mode])
    _ = try running.readLine()
    let process = try LiveProcess(pid: running.pid)
    var last: Report?
    _ = RunningProgram.wait {
      last = try? SingleReport(stall: 0.05).of(process, withoutStopping: true)
      return last?.verdict == verdict
    }
    return try #require(last)
  }

  @Test("It is told apart from one that keeps the lock of its own will")
  func starved() throws {
    let starved = try look("starved", until: .hostStarved)
    #expect(starved.verdict == .hostStarved, "\(TextReport.render(starved))")
    #expect(!starved.findings.contains { $0.kind.isHang })
    let summary = starved.findings.first?.summary ?? ""
    #expect(summary.contains("\"holder\" hardly any time to run"), "\(summary)")
    let pausing = try look("pausing", until: .longHold)
    #expect(pausing.verdict == .longHold, "\(TextReport.render(pausing))")
  }
}
