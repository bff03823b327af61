import Foundation
import Testing

extension EndToEnd {
  /// A preloaded program may sleep where the library sees nothing.
  @Suite struct UnrecordedSleepers {
    private let place = TemporaryPlace()

    /// Two threads asleep on a word by a system call instruction of the program's own. With an argument, on two conditions.
    private static let source = """
      #define _GNU_SOURCE
      #include <linux/futex.h>
      #include <pthread.h>
      #include <sys/syscall.h>
      static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
      static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
      static int only_conditions;
      static int word;
      static void sleep_on(int *word) {
        register long limit __asm__("r10") = 0;
        long call = SYS_futex;
        __asm__ volatile("syscall" : "+a"(call) : "D"(word), "S"(FUTEX_WAIT_PRIVATE), "d"(0), "r"(limit) : "rcx", "r11", "memory");
      }
      static void *run(void *second) {
        pthread_setname_np(pthread_self(), second ? "bob" : "alice");
        pthread_mutex_lock(&mutex);
        while (only_conditions) pthread_cond_wait(&never, &mutex);
        pthread_mutex_unlock(&mutex);
        for (;;) sleep_on(&word);
      }
      int main(int count, char **arguments) {
        (void)arguments;
        only_conditions = count > 1;
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, run, i ? &word : NULL);
        for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
        return 0;
      }
      """

    private func program() async throws -> String {
      let (path, source) = (place.path("sleepers"), place.path("sleepers.c"))
      try Self.source.write(toFile: source, atomically: true, encoding: .utf8)
      let compiler = try ChildProcess(["/usr/bin/gcc", "-g", "-pthread", "-o", path, source])
      try #require(try await compiler.ending(within: .seconds(60)) == .exit(0), "\(compiler.output)")
      return path
    }

    @Test(
      "attach names threads that sleep in waits the library did not see, and no others",
      arguments: [[], ["conditions"]])
    func attach(arguments: [String]) async throws {
      let process = try ChildProcess(
        [try await program()] + arguments,
        environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
      let isStuck = try await firstValue(within: .seconds(20)) {
        ProcessThreads(pid: process.pid).areAllInFutexWait(["alice", "bob", "main"]) ? true : nil
      }
      try #require(isStuck == true, "\(process.output)")
      let attach = try ChildProcess(
        [Checkout.lockjaw.path, "attach", "\(process.pid)", "--format", "json"], environment: place.environment)
      #expect(try await attach.ending(within: .seconds(60)) == .exit(0), "\(attach.output)")
      let report = try JSONDecoder().decode(ReportDocument.self, from: Data(attach.output.utf8))
      let said = report.diagnostics.filter { $0.contains("futex waits that the library did not see") }
      let tids = ProcessThreads(pid: process.pid).list().filter { ["alice", "bob"].contains($0.name) }.map(\.tid)
        .sorted()
      #expect(tids.count == 2)
      if arguments.isEmpty {
        #expect(
          said.count == 1 && said[0].hasPrefix("Threads \(tids[0]), \(tids[1]) sleep in "), "\(report.diagnostics)")
      } else {
        #expect(said.isEmpty, "\(said)")
      }
      try await process.stop()
    }
  }
}
