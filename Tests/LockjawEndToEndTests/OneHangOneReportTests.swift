import Foundation
import Testing

extension EndToEnd {
  /// What is seen first need not be what is said first.
  @Suite struct OneHangOneReport {
    private let place = TemporaryPlace()

    /// Once a file is there, `keeper` sleeps for good on a futex, with a mutex; `waiter` comes a third of a second later.
    private static let source = """
      #define _GNU_SOURCE
      #include <linux/futex.h>
      #include <pthread.h>
      #include <sys/syscall.h>
      #include <unistd.h>
      static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
      static int word;
      static void *keeper(void *unused) {
        pthread_mutex_lock(&lock);
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
        return unused;
      }
      static void *waiter(void *unused) {
        usleep(333000);
        pthread_mutex_lock(&lock);
        return unused;
      }
      int main(int count, char **arguments) {
        (void)count;
        while (access(arguments[1], F_OK) != 0) usleep(10000);
        pthread_t threads[2];
        pthread_create(&threads[0], NULL, keeper, NULL);
        pthread_create(&threads[1], NULL, waiter, NULL);
        for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
        return 0;
      }
      """

    /// poll(2), where lockjaw rests between looks: number 7 on x86-64.
    private static func isInPoll(_ pid: pid_t) -> Bool {
      (try? String(contentsOfFile: "/proc/\(pid)/syscall", encoding: .utf8))?.hasPrefix("7 ") ?? false
    }

    private func program() async throws -> String {
      let (path, source) = (place.path("keeps"), place.path("keeps.c"))
      try Self.source.write(toFile: source, atomically: true, encoding: .utf8)
      let compiler = try ChildProcess(["/usr/bin/gcc", "-g", "-pthread", "-o", path, source])
      #expect(try await compiler.ending(within: .seconds(60)) == .exit(0), "\(compiler.output)")
      return path
    }

    @Test(
      "A sleep of unknown cause is told together with those it keeps waiting, once they have waited long enough as well",
      arguments: [true, false])
    func longHold(isPreloaded: Bool) async throws {
      let keeps = try await program()
      let begin = place.path("begin")
      let bare = isPreloaded ? nil : try ChildProcess([keeps, begin], environment: place.environment)
      let arguments =
        bare.map { ["attach", "--follow", "--stall", "2", "\($0.pid)"] } ?? ["run", "--stall", "2", "--", keeps, begin]
      let session = try ChildProcess([Checkout.lockjaw.path] + arguments, environment: place.environment)
      // The first look of `attach` says at once what is there; this is about what comes after it.
      let isWatching = try await firstValue(within: .seconds(60)) { Self.isInPoll(session.pid) ? true : nil }
      #expect(isWatching == true, "\(session.output)")
      #expect(FileManager.default.createFile(atPath: begin, contents: nil))
      let isReported = try await firstValue(within: .seconds(60)) { session.output.contains("Took: ") ? true : nil }
      #expect(isReported == true, "\(session.output)")
      // The first report has both.
      let first = session.output.components(separatedBy: "Took:")[0]
      #expect(first.contains("HANG, CAUSE UNKNOWN (suspect)"), "\(first)")
      #expect(first.contains("LONG HOLD (inferred)"), "\(first)")
      try await session.stop()
    }
  }
}
