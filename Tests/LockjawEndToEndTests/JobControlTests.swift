import Foundation
import Testing

extension EndToEnd {
  /// A shell with job control, at a terminal, that runs the same program with lockjaw and without.
  @Suite struct JobControl {
    private let place = TemporaryPlace()

    /// The shell's part: the job is a group of its own, in the foreground of a new terminal; every stop is printed, and
    /// answered as `fg` does. Ctrl-Z is typed when the program is ready.
    private static let shell = """
      import os, pty, signal, sys
      pid, terminal = pty.fork()
      if pid == 0:
          job = os.fork()
          if job == 0:
              os.setpgid(0, 0)
              signal.signal(signal.SIGTTOU, signal.SIG_IGN)
              os.tcsetpgrp(0, os.getpid())
              signal.signal(signal.SIGTTOU, signal.SIG_DFL)
              os.execv(sys.argv[1], sys.argv[1:])
          while True:
              status = os.waitpid(job, os.WUNTRACED)[1]
              if os.WIFSTOPPED(status):
                  print("stopped by", os.WSTOPSIG(status), flush=True)
                  os.killpg(job, signal.SIGCONT)
              else:
                  print("ended with", os.waitstatus_to_exitcode(status), flush=True)
                  os._exit(0)
      text = b""
      typed = False
      while True:
          try: chunk = os.read(terminal, 1024)
          except OSError: break
          if not chunk: break
          text += chunk
          if b"ready" in text and not typed:
              typed = True
              os.write(terminal, b"\\x1a")
      os.waitpid(pid, 0)
      sys.stdout.write(text.decode(errors="replace").replace("^Z", ""))
      """

    enum Program: String, CaseIterable {
      case stopsItself = """
        import os, signal
        os.kill(os.getpid(), signal.SIGSTOP)
        print("on again", flush=True)
        exit(7)
        """
      case isStopped = """
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCONT])
        print("ready", flush=True)
        signal.sigwait([signal.SIGCONT])
        print("on again", flush=True)
        exit(7)
        """
      case refusesToStop = """
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTSTP])
        print("ready", flush=True)
        signal.sigwait([signal.SIGTSTP])
        print("asked to stop", flush=True)
        exit(7)
        """
    }

    private func output(_ command: [String]) async throws -> String {
      let child = try ChildProcess(
        ["/usr/bin/python3", "-c", Self.shell] + command, environment: place.environment)
      #expect(try await child.ending(within: .seconds(60)) == .exit(0))
      return child.output
    }

    @Test(
      "A shell sees the same stops and the same end of a job, with lockjaw and without", arguments: Program.allCases)
    func stops(_ program: Program) async throws {
      let command = ["/usr/bin/python3", "-c", program.rawValue]
      let alone = try await output(command)
      #expect(alone.contains("ended with 7"))
      #expect(alone.contains("stopped by") == (program != .refusesToStop))
      #expect(try await output([Checkout.lockjaw.path, "run", "--"] + command) == alone)
    }

    @Test("What is asked of lockjaw alone, to stop and to go on, the program does")
    func alone() async throws {
      let child = try ChildProcess(
        [Checkout.lockjaw.path, "run", "--", "/usr/bin/python3", "-c", Program.isStopped.rawValue],
        environment: place.environment)
      let program = try await firstValue(within: .seconds(20)) {
        child.output.contains("ready") ? ProcessThreads.children(of: child.pid).first : nil
      }
      let pid = try #require(program)
      kill(child.pid, SIGTSTP)
      #expect(try await firstValue(within: .seconds(20)) { ProcessThreads.isStopped(pid) ? true : nil } == true)
      kill(child.pid, SIGCONT)
      #expect(try await child.ending(within: .seconds(20)) == .exit(7))
    }
  }
}
