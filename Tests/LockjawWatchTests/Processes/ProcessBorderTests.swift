import Glibc
import LockjawInspect
import LockjawModel
import LockjawReport
import LockjawTestPrograms
import Testing

@testable import LockjawWatch

/// Waits over the border of two processes, none of them preloaded: the kernel's own books say who could end them.
@Suite("Waits over process borders")
struct ProcessBorderTests {
  private func look(_ process: LiveProcess, stall: Double = 10) throws -> Report {
    try SingleReport(stall: stall).of(process, withoutStopping: false)
  }

  /// Looks until the report is as it is to be, and gives the last. On a busy machine a thread may not be back in its sleep
  /// when it is asked, and then nothing is said of it.
  private func look(
    _ process: LiveProcess, stall: Double = 10, until isExpected: (Report) -> Bool
  ) throws -> Report {
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(20)
    while true {
      let report = try look(process, stall: stall)
      if isExpected(report) || clock.now >= deadline { return report }
    }
  }

  private func hasStacks(_ report: Report, of pids: [Int32]) -> Bool {
    pids.allSatisfy { pid in report.threads.first { $0.tid.rawValue == pid }?.stack.isEmpty == false }
  }

  @Test(
    "A cycle of two processes is named from either of them, with both in it",
    arguments: ["pipe", "full-pipe", "socket", "flock", "ofd", "flock-and-posix", "parked-threads"])
  func cycle(mode: String) throws {
    let border = try BorderProgram.start(mode)
    let pids = border.processes.map(\.pid)
    for process in border.processes {
      let report = try look(process) { $0.verdict == .deadlock && hasStacks($0, of: pids) }
      #expect(report.verdict == .deadlock, "\(mode) from \(process.pid): \(TextReport.render(report))")
      guard let finding = report.findings.first(where: { $0.kind == .deadlock }) else { continue }
      #expect(finding.certainty == .inferred)
      #expect(Set(finding.edges.map(\.waiter.rawValue)) == Set(pids))
      #expect(finding.edges.allSatisfy { $0.evidence == .kernel })
      #expect(report.process.pid == process.pid)
      #expect(report.processes.map(\.pid) == pids.filter { $0 != process.pid })
      #expect(Set(report.threads.compactMap(\.process)) == Set(pids.filter { $0 != process.pid }))
      // Both stacks are there, the other process' too.
      #expect(hasStacks(report, of: pids), "\(report.diagnostics)")
    }
  }

  @Test(
    "A cycle through mutexes or rwlocks in shared memory is named from either process, with both in it",
    arguments: ["shared-mutexes", "shared-rwlocks"])
  func sharedMemory(mode: String) throws {
    let border = try BorderProgram.start(mode)
    let pids = border.processes.map(\.pid)
    for process in border.processes {
      let report = try look(process) { $0.verdict == .deadlock && hasStacks($0, of: pids) }
      #expect(report.verdict == .deadlock, "\(mode) from \(process.pid): \(TextReport.render(report))")
      let finding = try #require(report.findings.first { $0.kind == .deadlock })
      #expect(finding.certainty == .inferred)
      #expect(Set(finding.edges.map(\.waiter.rawValue)) == Set(pids))
      for edge in finding.edges {
        #expect(edge.holders.map(\.rawValue) == pids.filter { $0 != edge.waiter.rawValue })
        #expect(edge.evidence == .ownerField)
      }
      let types = Set(report.locks.map(\.type))
      #expect(types == [mode == "shared-mutexes" ? .mutex : .rwlock], "\(report.locks)")
      #expect(report.processes.map(\.pid) == pids.filter { $0 != process.pid })
      #expect(hasStacks(report, of: pids), "\(report.diagnostics)")
    }
  }

  @Test("A parent that waits for any of its children is stuck when all of them wait for it")
  func anyChild() throws {
    let border = try BorderProgram.start("any-child")
    let report = try look(border.processes[0]) { $0.verdict == .deadlock }
    #expect(report.verdict == .deadlock, "\(TextReport.render(report))")
    let edge = report.findings.first?.edges.first { $0.waiter.rawValue == border.processes[0].pid }
    #expect(Set(edge?.holders.map(\.rawValue) ?? []) == Set(border.processes.dropFirst().map(\.pid)))
  }

  @Test(
    "One process or thread that may still act is enough for nobody to be called stuck",
    arguments: ["one-free-child", "free-thread", "self-pipe", "timed-socket"])
  func free(mode: String) throws {
    let border = try BorderProgram.start(mode)
    for process in border.processes {
      let report = try look(process, stall: 1000)
      #expect(!report.findings.contains { $0.kind.isHang }, "\(mode) from \(process.pid): \(TextReport.render(report))")
    }
  }

  @Test("A cycle through a FIFO that has a name is only suspected: anybody may open it yet")
  func fifo() throws {
    let border = try BorderProgram.start("fifo")
    for process in border.processes {
      let report = try look(process) { $0.verdict == .deadlock }
      #expect(report.verdict == .deadlock, "\(TextReport.render(report))")
      #expect(report.findings.first?.certainty == .suspect)
      #expect(report.findings.first?.evidence.contains { $0.contains("a FIFO that has a name") } ?? false)
    }
  }

  @Test(
    "The kernel tells of a sleep on a socket whether it ends after a time, and of others nothing",
    arguments: [
      ("socket", false), ("timed-socket", true), ("pipe", nil),
    ])
  func socketTimeLimit(mode: String, expected: Bool?) throws {
    let border = try BorderProgram.start(mode)
    for process in border.processes {
      #expect(process.hasSocketTimeLimit(ThreadID(process.pid)) == expected)
    }
  }

  /// Runs a command that the kernel tells nothing about others' sockets, as before Linux 5.6.
  private static let withoutGetfd = Result {
    try Program(
      .c, name: "without_getfd",
      source: """
        #include <errno.h>
        #include <linux/filter.h>
        #include <linux/seccomp.h>
        #include <stddef.h>
        #include <sys/prctl.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        int main(int count, char **arguments) {
          struct sock_filter rules[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_getfd, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
          };
          struct sock_fprog program = {.len = sizeof rules / sizeof *rules, .filter = rules};
          if (count < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return 120;
          if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) return 121;
          execv(arguments[1], arguments + 1);
          return 122;
        }
        """)
  }

  /// `lockjaw`, beside the tests.
  private static func lockjaw() throws -> String {
    let own = try Command.succeed(["readlink", "/proc/\(getpid())/exe"]).dropLast()
    return own.prefix(upTo: try #require(own.lastIndex(of: "/"))) + "/lockjaw"
  }

  @Test(
    "A cycle through a unix socket is only suspected where the kernel will not say whether the wait has a time limit",
    arguments: [true, false])
  func unknownTimeLimit(isAnswered: Bool) throws {
    let border = try BorderProgram.start("socket")
    let command =
      (isAnswered ? [] : [try Self.withoutGetfd.get().path]) + [
        try Self.lockjaw(), "attach", "\(border.processes[0].pid)",
      ]
    // A member that is not back in its sleep when it is asked leaves no cycle to speak of.
    var text = ""
    let isFound = RunningProgram.wait {
      text = (try? Command.run(command).text) ?? ""
      return text.hasPrefix("DEADLOCK")
    }
    #expect(isFound, "\(text)")
    #expect(text.hasPrefix(isAnswered ? "DEADLOCK (inferred)" : "DEADLOCK (suspect)"), "\(text)")
    #expect(text.contains("SO_RCVTIMEO") == !isAnswered, "\(text)")
  }

  @Test("Where a signal handler may end the wait, the cycle is only suspected")
  func handler() throws {
    let border = try BorderProgram.start("handler")
    let report = try look(border.processes[0]) { $0.verdict == .deadlock }
    #expect(report.verdict == .deadlock)
    #expect(report.findings.first?.certainty == .suspect, "\(TextReport.render(report))")
    #expect(report.findings.first?.evidence.contains { $0.contains("handlers for signals") } ?? false)
  }

  @Test(
    "Who waits for a lock of a process that sleeps is told who that is and what it does",
    arguments: ["flock-holder", "posix-holder", "shared-holder"])
  func longHold(mode: String) throws {
    let border = try BorderProgram.start(mode)
    let (holder, waiter) = (border.processes[0], border.processes[1])
    let report = try look(waiter, stall: 0) { $0.verdict == .longHold }
    #expect(report.verdict == .longHold, "\(TextReport.render(report))")
    let edge = try #require(report.findings.first?.edges.first)
    #expect(edge.waiter.rawValue == waiter.pid)
    #expect(edge.holders == [ThreadID(holder.pid)])
    #expect(report.processes.map(\.pid) == [holder.pid])
    let state = report.threads.first { $0.tid.rawValue == holder.pid }?.state ?? ""
    #expect(state.hasPrefix("sleeps for a time that it has set itself"), "\(state)")
    // Nobody is hung for sure, and so nothing may be ended for it.
    #expect(!report.findings.contains { $0.kind.isHang })
  }

  @Test(
    "The report of a cycle over processes survives being written and read, and has the same signature from run to run")
  func document() throws {
    let signatures = try (0..<2).map { _ in
      let border = try BorderProgram.start("pipe")
      let report = try look(border.processes[0]) {
        $0.verdict == .deadlock && hasStacks($0, of: border.processes.map(\.pid))
      }
      let read = try ReportDocument.decode(ReportDocument.encode(report))
      #expect(read.processes == report.processes && read.threads == report.threads && read.locks == report.locks)
      return report.signature
    }
    #expect(signatures[0] == signatures[1])
  }
}
