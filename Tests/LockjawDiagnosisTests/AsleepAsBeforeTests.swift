import Glibc
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawDiagnosis

/// A thread that sleeps on one futex for whatever it waits for, as parking_lot's and abseil's threads do.
@Suite("What a snapshot's process still does")
struct AsleepAsBeforeTests {
  private static let source = """
    #define _GNU_SOURCE
    #include <linux/futex.h>
    #include <pthread.h>
    #include <signal.h>
    #include <stdio.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    static unsigned parker;
    static int a, b;
    static long far_away[1000];
    __attribute__((noinline)) static void wait_for(void *lock) {
      void *volatile key = lock;
      while (syscall(SYS_futex, &parker, FUTEX_WAIT, 0, NULL, NULL, 0) != 0) {}
      (void)key;
    }
    static void *worker(void *x) {
      wait_for(&a);
      puts("next"); fflush(stdout);
      wait_for(&b);
      return x;
    }
    int main(void) {
      sigset_t set; int signal;
      sigemptyset(&set); sigaddset(&set, SIGUSR1); pthread_sigmask(SIG_BLOCK, &set, NULL);
      pthread_t t; pthread_create(&t, NULL, worker, NULL);
      printf("%p %p\\n", (void *)&parker, (void *)&far_away[500]); fflush(stdout);
      for (;;) { sigwait(&set, &signal); syscall(SYS_futex, &parker, FUTEX_WAKE, 1, NULL, NULL, 0); }
    }
    """

  @Test("A thread is asleep as before until it has gone on to another lock, though it sleeps on the same futex")
  func goesOn() throws {
    let running = try RunningProgram(Program(.c, name: "parker", source: Self.source))
    let addresses = try running.readLine().split(separator: " ").compactMap { UInt64($0.dropFirst(2), radix: 16) }
    try #require(addresses.count == 2)
    let process = try LiveProcess(pid: running.pid)
    let main = ThreadID(running.pid)
    let asleep = KernelState.futexWait(word: Address(addresses[0]))
    func worker() -> ThreadID? { process.threadIDs.first { $0 != main && process.kernelState(of: $0) == asleep } }
    try #require(RunningProgram.wait { worker() != nil })
    let thread = try #require(worker())
    let target = SnapshotTarget(
      running: try Snapshot.take(pid: running.pid, deadline: .seconds(10)), process: process)
    #expect(target.isOfItsMoment(Address(addresses[0]), count: 4))
    #expect(!target.isOfItsMoment(Address(addresses[1]), count: 8), "nobody sleeps there: read later")
    // The stop has woken it for an instant.
    #expect(RunningProgram.wait { target.isAsleepAsBefore(thread) })
    #expect(WholeProcess(target, nil).oneAsleepAsBefore([thread], target) == [thread])

    kill(running.pid, SIGUSR1)
    #expect(try running.readLine() == "next")
    try #require(RunningProgram.wait { process.kernelState(of: thread) == asleep })
    #expect(!target.isAsleepAsBefore(thread))
    #expect(WholeProcess(target, nil).oneAsleepAsBefore([thread], target) == [])
    #expect(target.isAlive(ThreadID(1)) == false)
  }
}
