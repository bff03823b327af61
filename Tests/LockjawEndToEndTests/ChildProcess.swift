import Foundation

/// A program under test, in a process group of its own so that it can be ended together with what it started.
///
/// Nothing here waits without limit: every wait is a poll with a deadline, and the group is killed when the value goes.
final class ChildProcess: @unchecked Sendable {
  // Sendable: used by one test's task only; the pid never changes and `ended` is written under that use.
  enum Ending: Equatable {
    case exit(Int32)
    case signal(Int32)

    /// As a shell shows it.
    var status: Int32 {
      switch self {
      case .exit(let code): code
      case .signal(let number): 128 + number
      }
    }
  }

  struct LaunchError: Error, CustomStringConvertible {
    var description: String
  }

  struct StillRunning: Error, CustomStringConvertible {
    var description: String
  }

  let pid: pid_t
  private(set) var ended: Ending?
  private let outputFile: URL

  /// Starts `arguments[0]` with its output, standard and error, in a file that `output` reads.
  init(_ arguments: [String], environment additions: [String: String] = [:]) throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "lockjaw-test-\(UUID().uuidString).out")
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The runner's threads may block or ignore signals (SIGCHLD for one), and a child would inherit that.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, file.path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)

    let environment = ProcessInfo.processInfo.environment.merging(additions) { $1 }
    var argumentPointers = arguments.map { strdup($0) } + [nil]
    var environmentPointers = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
    var child = pid_t()
    let error = posix_spawn(
      &child, arguments[0], &actions, &attributes, &argumentPointers, &environmentPointers)
    guard error == 0 else {
      throw LaunchError(description: "\(arguments[0]) could not be started: \(String(cString: strerror(error)))")
    }
    pid = child
    outputFile = file
  }

  deinit {
    if ended == nil {
      kill(-pid, SIGKILL)
      var status: Int32 = 0
      waitpid(pid, &status, 0)
    }
    try? FileManager.default.removeItem(at: outputFile)
  }

  /// What the program has written so far.
  var output: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }

  /// How the program ended, if it has. What it leaves behind in its group is killed then.
  func poll() -> Ending? {
    guard ended == nil else { return ended }
    // Looked at first and reaped after: until then nobody else can have this group's number.
    var state = siginfo_t()
    guard waitid(P_PID, id_t(pid), &state, WEXITED | WNOHANG | WNOWAIT) == 0, state.si_signo == SIGCHLD else {
      return nil
    }
    kill(-pid, SIGKILL)
    var status: Int32 = 0
    guard waitpid(pid, &status, 0) == pid else { return nil }
    let signal = status & 0x7f
    ended = signal == 0 ? .exit((status >> 8) & 0xff) : .signal(signal)
    return ended
  }

  /// Waits for the program's own end.
  func ending(within limit: Duration) async throws -> Ending {
    guard let ending = try await firstValue(within: limit, { poll() }) else {
      throw StillRunning(description: "still running after \(limit * patience); so far it wrote:\n\(output)")
    }
    return ending
  }

  /// Asks the program to end as a user would, then kills what is left of its group.
  func stop() async throws {
    if poll() == nil {
      kill(pid, SIGTERM)
      _ = try await firstValue(within: .seconds(3), isOwed: false) { poll() }
    }
    kill(-pid, SIGKILL)
    _ = try await ending(within: .seconds(5))
  }
}

/// Limits are what a machine of its own needs; one that is shared is given so many times that. Who passes does not wait.
let patience = 4

/// The first value `body` gives, asked every few milliseconds; `nil` when the limit passes without one.
/// - Parameter isOwed: `false` where none is expected, and the limit says how long it is waited for.
func firstValue<Value>(
  within limit: Duration, isOwed: Bool = true, isolation: isolated (any Actor)? = #isolation,
  _ body: () async throws -> Value?
) async throws -> Value? {
  let clock = ContinuousClock()
  let deadline = clock.now + limit * (isOwed ? patience : 1)
  while true {
    if let value = try await body() { return value }
    if clock.now >= deadline { return nil }
    try await Task.sleep(for: .milliseconds(5))
  }
}
