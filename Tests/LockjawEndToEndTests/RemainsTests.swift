import Foundation
import Testing

extension EndToEnd {
  /// What is told of a process from nothing but the arena it left.
  @Suite struct RemainsOfProcesses {
    private let place = TemporaryPlace()

    /// Two semaphores, used as locks, taken in opposite orders.
    private static let source = """
      #define _GNU_SOURCE
      #include <pthread.h>
      #include <semaphore.h>
      static pthread_barrier_t both;
      static sem_t locks[2];
      static void *run(void *second) {
        pthread_setname_np(pthread_self(), second ? "bob" : "alice");
        sem_wait(&locks[second != NULL]);
        pthread_barrier_wait(&both);
        sem_wait(&locks[second == NULL]);
        return NULL;
      }
      int main(void) {
        pthread_barrier_init(&both, NULL, 2);
        for (int i = 0; i < 2; i++) sem_init(&locks[i], 0, 1);
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, run, i ? locks : NULL);
        for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
        return 0;
      }
      """

    @Test(
      "A cycle of semaphores in a process that was killed is a suspected deadlock, as it was while the process lived")
    func semaphores() async throws {
      let (path, source) = (place.path("semaphores"), place.path("semaphores.c"))
      try Self.source.write(toFile: source, atomically: true, encoding: .utf8)
      let compiler = try ChildProcess(["/usr/bin/gcc", "-g", "-pthread", "-o", path, source])
      try #require(try await compiler.ending(within: .seconds(60)) == .exit(0), "\(compiler.output)")
      let process = try ChildProcess(
        [path], environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
      let isStuck = try await firstValue(within: .seconds(20)) {
        ProcessThreads(pid: process.pid).areAllInFutexWait(["alice", "bob", "main"]) ? true : nil
      }
      try #require(isStuck == true, "\(process.output)")
      let attach = try ChildProcess(
        [Checkout.lockjaw.path, "attach", "--stall", "0.001", "\(process.pid)"], environment: place.environment)
      #expect(try await attach.ending(within: .seconds(60)) == .exit(1), "\(attach.output)")
      #expect(attach.output.hasPrefix("DEADLOCK (suspect): threads "), "\(attach.output)")

      // Long before the default stall, as far as its arena tells: nothing happened in it after they fell asleep.
      kill(process.pid, SIGKILL)
      #expect(try await process.ending(within: .seconds(20)) == .signal(SIGKILL))
      let arena = try #require(place.arenas.first)
      let analyze = try ChildProcess([Checkout.lockjaw.path, "analyze", arena], environment: place.environment)
      #expect(try await analyze.ending(within: .seconds(60)) == .exit(1), "\(analyze.output)")
      #expect(analyze.output.hasPrefix("DEADLOCK (suspect): threads "), "\(analyze.output)")
      #expect(analyze.output.contains("nobody recorded when the process ended"), "\(analyze.output)")
    }
  }
}
