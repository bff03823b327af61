import Foundation
import Testing

extension EndToEnd {
  /// A hang may come true long after its waits began.
  @Suite struct LateHang {
    private let place = TemporaryPlace()

    /// `refresher` lets go of a mutex by hand, waking nobody, once a file is there; until then it has it and runs.
    private static let source = """
      #define _GNU_SOURCE
      #include <pthread.h>
      #include <unistd.h>
      static pthread_mutex_t cache = PTHREAD_MUTEX_INITIALIZER;
      static pthread_barrier_t is_locked;
      static const char *gate;
      static void *refresh(void *unused) {
        pthread_mutex_lock(&cache);
        pthread_barrier_wait(&is_locked);
        while (access(gate, F_OK) != 0) usleep(1000);
        cache.__data.__owner = 0;
        cache.__data.__nusers--;
        __atomic_store_n(&cache.__data.__lock, 0, __ATOMIC_RELEASE);
        return unused;
      }
      static void *look_up(void *unused) {
        pthread_setname_np(pthread_self(), "reader");
        pthread_barrier_wait(&is_locked);
        pthread_mutex_lock(&cache);
        return unused;
      }
      int main(int count, char **arguments) {
        (void)count;
        gate = arguments[1];
        pthread_barrier_init(&is_locked, NULL, 2);
        pthread_t threads[2];
        pthread_create(&threads[0], NULL, refresh, NULL);
        pthread_create(&threads[1], NULL, look_up, NULL);
        for (;;) pause();
      }
      """

    private func program() async throws -> String {
      let (path, source) = (place.path("late"), place.path("late.c"))
      try Self.source.write(toFile: source, atomically: true, encoding: .utf8)
      let compiler = try ChildProcess(["/usr/bin/gcc", "-g", "-pthread", "-o", path, source])
      try #require(try await compiler.ending(within: .seconds(60)) == .exit(0), "\(compiler.output)")
      return path
    }

    @Test("A wake-up that is lost after the stall is told, though no wait begins or ends with it")
    func lostWakeup() async throws {
      let gate = place.path("gate")
      let session = try ChildProcess(
        [Checkout.lockjaw.path, "run", "--stall", "1", "--on-hang", "kill", "--", try await program(), gate],
        environment: place.environment)
      // The stall is over: a long hold has been told, or, on a machine that is short of processors, a starved host.
      let isStalled = try await firstValue(within: .seconds(30)) { session.output.contains("Took: ") ? true : nil }
      try #require(isStalled == true, "\(session.output)")
      #expect(!session.output.contains("LOST WAKEUP"), "\(session.output)")
      let isAsleep = try await firstValue(within: .seconds(20)) { () -> Bool? in
        let program = ProcessThreads.children(of: session.pid).first
        return program.map { ProcessThreads(pid: $0).areAllInFutexWait(["reader"]) } == true ? true : nil
      }
      try #require(isAsleep == true, "\(session.output)")
      try #require(FileManager.default.createFile(atPath: gate, contents: nil))
      #expect(try await session.ending(within: .seconds(20)) == .exit(LockjawRun.endedByFinding), "\(session.output)")
      #expect(session.output.contains("LOST WAKEUP (inferred)"), "\(session.output)")
    }
  }
}
