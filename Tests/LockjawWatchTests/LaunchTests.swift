import Glibc
import Testing

@testable import LockjawWatch

@Suite("Starting the command")
struct LaunchTests {
  private let directory: String = {
    let path = "/tmp/lockjaw-launch-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    mkdir(path, 0o700)
    return path
  }()

  private func file(_ name: String, _ content: String, mode: mode_t) throws -> String {
    let path = "\(directory)/\(name)"
    try ReportFile.write(content, to: path)
    chmod(path, mode)
    return path
  }

  private func start(_ command: [String]) throws(WatchError) -> ChildExit? {
    let pid = try CommandLaunch(command: command, additions: [("LAUNCHED", "yes")], signalMask: sigset_t()).start()
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    return ChildExit(waitStatus: status)
  }

  @Test("What is not there is not found, with env's status")
  func notFound() {
    #expect(throws: WatchError.commandNotFound("no-such-command-here")) {
      try CommandLaunch.resolve("no-such-command-here")
    }
    #expect(throws: WatchError.commandNotFound("/no/such/file")) { try CommandLaunch.resolve("/no/such/file") }
    #expect(WatchError.commandNotFound("x").exitStatus == 127)
  }

  @Test("What is there and cannot be executed says why, with env's status")
  func notExecutable() throws {
    let plain = try file("plain", "text", mode: 0o600)
    for path in [plain, directory] {
      #expect { try CommandLaunch.resolve(path) } throws: { error in
        guard let error = error as? WatchError, case .commandNotExecutable = error else { return false }
        return error.exitStatus == 126
      }
    }
  }

  @Test("A name without a slash is searched along PATH")
  func search() throws {
    #expect(try CommandLaunch.resolve("sh").hasSuffix("/sh"))
  }

  @Test("A command gets its arguments and the added environment")
  func arguments() throws {
    #expect(try start(["sh", "-c", "test \"$LAUNCHED\" = yes && exit $1", "sh", "7"]) == .status(7))
    #expect(try start(["sh", "-c", "kill -TERM $$"]) == .signal(SIGTERM))
  }

  @Test("A script without an interpreter line is handed to the shell, as execvp does")
  func bareScript() throws {
    let script = try file("script", "exit 9\n", mode: 0o700)
    #expect(try start([script]) == .status(9))
  }

  @Test("A script whose interpreter is missing cannot be executed")
  func missingInterpreter() throws {
    let script = try file("broken", "#!/no/such/interpreter\n", mode: 0o700)
    #expect { try start([script]) } throws: { ($0 as? WatchError)?.exitStatus == 126 }
  }

  @Test("Actions are parsed as documented, and nothing else is")
  func actions() {
    #expect(HangAction("report") == .report)
    #expect(HangAction("abort") == .abort)
    #expect(HangAction("kill") == .kill)
    #expect(HangAction("exec:notify-me $LOCKJAW_PID") == .execute("notify-me $LOCKJAW_PID"))
    for text in ["", "exec:", "restart", "KILL", "exec"] { #expect(HangAction(text) == nil, "\(text)") }
  }
}
