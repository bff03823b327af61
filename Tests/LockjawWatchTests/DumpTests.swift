import Glibc
import LockjawInspect
import LockjawTestPrograms
import Testing

@testable import LockjawWatch

@Suite("Dumps")
struct DumpTests {
  @Test("Of a process of which no thread can be stopped nothing is written, and a sentence says so")
  func notStopped() throws {
    let running = try RunningProgram(
      Program(
        .c, name: "vforking",
        source: """
          #include <stdio.h>
          #include <unistd.h>
          int main(void) {
            int never[2];
            if (pipe(never)) return 1;
            if (vfork() == 0) { // shares our memory until it ends
              char text[16];
              write(1, text, snprintf(text, sizeof text, "%d\\n", getpid()));
              char c; read(never[0], &c, 1);
              _exit(0);
            }
            for (;;) pause();
          }
          """))
    let child = try #require(Int32(try running.readLine()))
    defer { kill(child, SIGKILL) }
    let process = try LiveProcess(pid: running.pid)
    // It told its number just before it began to wait; a process in vfork sleeps where no stop reaches it.
    #expect(RunningProgram.wait { process.threads.first?.state == "D" })
    let path = "/tmp/lockjaw-dump-test-\(running.pid).core"
    #expect(throws: InspectError.notStopped(pid: running.pid)) { try Dump(process, to: path) }
    #expect(access(path, F_OK) != 0)
  }
}
