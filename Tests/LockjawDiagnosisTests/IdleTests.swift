import Glibc
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawDiagnosis

@Suite("Idle or busy")
struct IdleTests {
  private static let source = """
    #include <pthread.h>
    #include <stdio.h>
    #include <unistd.h>
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    static volatile unsigned long work;
    static void *worker(void *a) {
      pthread_mutex_lock(&mutex);
      for (;;) pthread_cond_wait(&cond, &mutex);
      return a;
    }
    int main(int n, char **v) {
      pthread_t t;
      pthread_create(&t, NULL, worker, NULL);
      puts("ready"); fflush(stdout);
      while (n > 1) work++;
      for (;;) pause();
    }
    """

  @Test("Workers that wait make a process idle only where no thread runs", arguments: [false, true])
  func idleness(isBusy: Bool) throws {
    let running = try RunningProgram(
      Program(.c, name: isBusy ? "busy" : "idle", source: Self.source), arguments: isBusy ? ["busy"] : [])
    _ = try running.readLine()
    let process = try LiveProcess(pid: running.pid)
    // The worker waits, and the main thread sleeps or does not, once the kernel says so.
    #expect(
      RunningProgram.wait {
        process.threads.allSatisfy { thread in
          switch process.kernelState(of: thread.tid) {
          case .futexWait: thread.tid != ThreadID(running.pid)
          case .systemCall: thread.tid == ThreadID(running.pid) && !isBusy
          default: thread.tid == ThreadID(running.pid) && isBusy
          }
        } && process.threads.count == 2
      })
    let target = SnapshotTarget(running: try Snapshot.take(pid: running.pid), process: process)
    let examination = Examination(Examination.glance(target), arena: nil, target: target, stall: 10)
    #expect(examination.diagnosis.verdict == (isBusy ? .healthy : .idle))
  }
}
