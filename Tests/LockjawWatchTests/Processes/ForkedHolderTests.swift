import LockjawInspect
import LockjawModel
import LockjawReport
import LockjawTestPrograms
import Testing

@testable import LockjawWatch

/// A mutex that is held over a fork keeps the number of its holder in the parent, which is no thread of the child.
@Suite("Locks held over a fork")
struct ForkedHolderTests {
  /// Prints the child's pid once the child's second thread is about to wait. The child's first thread has the mutex, or, with
  /// an argument, a thread has taken it after the fork and ended.
  private static let source = """
    #define _GNU_SOURCE
    #include <pthread.h>
    #include <signal.h>
    #include <stdio.h>
    #include <sys/prctl.h>
    #include <unistd.h>
    static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    static void *wait(void *x) { pthread_mutex_lock(&held); return x; }
    static void *leave(void *x) { pthread_mutex_lock(&held); return x; }
    int main(int count, char **arguments) {
      (void)arguments;
      int isOverFork = count == 1;
      if (isOverFork) pthread_mutex_lock(&held);
      pid_t child = fork();
      if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_t t;
        if (!isOverFork) { pthread_create(&t, NULL, leave, NULL); pthread_join(t, NULL); }
        pthread_create(&t, NULL, wait, NULL);
        for (;;) pause();
      }
      printf("%d\\n", child);
      fflush(stdout);
      for (;;) pause();
    }
    """
  private static let program = Result { try Program(.c, name: "forked", source: source) }

  /// The child's report once its second thread sleeps.
  private func report(_ arguments: [String]) throws -> Report {
    let running = try RunningProgram(try Self.program.get(), arguments: arguments)
    let pid = try #require(Int32(try running.readLine()))
    let child = try LiveProcess(pid: pid)
    let isAsleep = RunningProgram.wait {
      child.threadIDs.contains { $0.rawValue != pid && child.futexWait(of: $0) != nil }
    }
    try #require(isAsleep)
    // On a busy machine a thread may not be back in its sleep when it is asked after the stop.
    var report = try SingleReport(stall: 0).of(child, withoutStopping: false)
    _ = RunningProgram.wait {
      if report.verdict == .orphanedLock { return true }
      if let again = try? SingleReport(stall: 0).of(child, withoutStopping: false) { report = again }
      return false
    }
    return report
  }

  @Test("The holder may live under another number, so the lock is only suspected to be an orphan")
  func overFork() throws {
    let report = try report([])
    #expect(report.verdict == .orphanedLock, "\(TextReport.render(report))")
    #expect(report.findings.first?.certainty == .suspect, "\(TextReport.render(report))")
    #expect(report.findings.first?.evidence.contains { $0.contains("was forked from") } ?? false)
  }

  @Test("A lock that was taken after the fork, by a thread that has ended, is an orphan as anywhere")
  func afterFork() throws {
    let report = try report(["after"])
    #expect(report.verdict == .orphanedLock, "\(TextReport.render(report))")
    let finding = try #require(report.findings.first)
    #expect(!finding.evidence.contains { $0.contains("was forked from") }, "\(TextReport.render(report))")
  }
}
