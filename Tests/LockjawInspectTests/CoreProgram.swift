import LockjawInspect
import LockjawModel
import LockjawTestPrograms

/// A program with four threads asleep at known places, and what it says of itself.
struct CoreProgram {
  let program: Program
  let running: RunningProgram
  /// Of a global variable that holds `mark`.
  let global: Address
  static let mark: UInt64 = 0x1122_3344_5566_7788

  init(name: String = "marked") throws {
    program = try Program(
      .c, name: name,
      source: """
        #define _GNU_SOURCE
        #include <pthread.h>
        #include <stdio.h>
        #include <unistd.h>
        unsigned long global = 0x1122334455667788;
        static int ends[2];
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        static void *reader(void *x) {
          pthread_setname_np(pthread_self(), "read\\ter");
          char c; read(ends[0], &c, 1); return x;
        }
        static void *waiter(void *x) { pthread_setname_np(pthread_self(), "waiter"); pthread_mutex_lock(&lock); return x; }
        int main(void) {
          pthread_t t; pipe(ends); pthread_mutex_lock(&lock);
          pthread_create(&t, NULL, reader, NULL);
          pthread_create(&t, NULL, waiter, NULL);
          pthread_create(&t, NULL, waiter, NULL);
          printf("%p\\n", (void *)&global); fflush(stdout);
          pause();
        }
        """)
    running = try program.startWithCores()
    global = Address(UInt64(try running.readLine().dropFirst(2), radix: 16) ?? 0)
    let pid = running.pid
    let isAsleep = RunningProgram.wait {
      guard let process = try? LiveProcess(pid: pid) else { return false }
      let sleeping = process.threads.count { thread in
        if case .running = process.kernelState(of: thread.tid) { false } else { true }
      }
      return sleeping == 4 && process.threads.count { $0.name == "waiter" } == 2
    }
    guard isAsleep else { throw CommandFailure(description: "the program's threads did not fall asleep") }
  }

  /// A snapshot and the minicore of the same moment.
  func minicore() throws -> (snapshot: Snapshot, path: String) {
    let process = try LiveProcess(pid: running.pid)
    let snapshot = try Snapshot.take(pid: running.pid)
    let path = program.directory.path + "/mini"
    _ = try Minicore(snapshot, of: process).write(to: path)
    return (snapshot, path)
  }
}
