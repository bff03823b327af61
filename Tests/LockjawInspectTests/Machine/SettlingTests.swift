import Glibc
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawInspect

/// Which threads are worth waiting for after a stop.
@Suite struct SettlingTests {
  private static let source = """
    #include <stdio.h>
    #include <unistd.h>
    int main(int count, char **arguments) {
      (void)arguments;
      alarm(120);
      puts("ready");
      fflush(stdout);
      if (count > 1) for (;;) { }
      for (;;) pause();
    }
    """

  @Test("A thread that goes on running is not waited for, however long it runs", .timeLimit(.minutes(2)))
  func running() throws {
    let running = try RunningProgram(try Program(.c, name: "settling", source: Self.source), arguments: ["run"])
    try #require(try running.readLine() == "ready")
    // Only the processor time that the thread gets can end this in time.
    var asked = 0
    try LiveProcess(pid: running.pid).settle([ThreadID(running.pid)], seconds: 3600) { _ in
      asked += 1
      return false
    }
    #expect(asked > 1)
  }

  @Test("A thread that lacks a processor is waited for, since it has not run meanwhile")
  func withoutProcessor() throws {
    let running = try RunningProgram(try Program(.c, name: "settling", source: Self.source), arguments: ["run"])
    try #require(try running.readLine() == "ready")
    kill(running.pid, SIGSTOP)
    let process = try LiveProcess(pid: running.pid)
    try #require(RunningProgram.wait { process.thread(ThreadID(running.pid))?.state == "T" })
    let begin = monotonicNanoseconds()
    process.settle([ThreadID(running.pid)], seconds: 0.2) { _ in false }
    #expect(monotonicNanoseconds() - begin >= 200_000_000)
  }

  @Test("A thread that has ended is not waited for, and one that sleeps is asked once", .timeLimit(.minutes(2)))
  func ended() throws {
    let running = try RunningProgram(try Program(.c, name: "settling", source: Self.source))
    try #require(try running.readLine() == "ready")
    let process = try LiveProcess(pid: running.pid)
    let thread = ThreadID(running.pid)
    var asked = 0
    process.settle([thread], seconds: 3600) { _ in
      asked += 1
      return true
    }
    #expect(asked == 1)
    kill(running.pid, SIGKILL)
    process.settle([thread], seconds: 3600) { _ in false }
    #expect(process.thread(thread)?.hasEnded ?? true)
  }
}
