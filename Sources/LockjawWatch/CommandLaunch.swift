import CLockjawNative
import Glibc

/// Starts the command under the shim.
///
/// The command stays in lockjaw's own process group and session, so that the terminal treats both as one job:
/// Ctrl-C, Ctrl-Z, `fg` and reads from standard input work as they would without lockjaw.
package struct CommandLaunch {
  package var command: [String]
  /// Variables set for the command beside lockjaw's own environment.
  package var additions: [(String, String)]
  /// Signals the command finds blocked: what lockjaw itself was started with.
  package var signalMask: sigset_t

  package init(command: [String], additions: [(String, String)], signalMask: sigset_t) {
    self.command = command
    self.additions = additions
    self.signalMask = signalMask
  }

  /// - Returns: the pid.
  /// - Throws: `commandNotFound`, `commandNotExecutable`, `cannotStart`.
  package func start() throws(WatchError) -> pid_t {
    let path = try Self.resolve(command[0])
    do {
      return try spawn(path, command)
    } catch let error {
      // A script without an interpreter line: execvp hands it to the shell, and so do we.
      guard case .cannotStart(_, ENOEXEC) = error else { throw error }
      return try spawn("/bin/sh", ["/bin/sh", path] + command.dropFirst())
    }
  }

  /// Finds the command as the shell would.
  package static func resolve(_ name: String) throws(WatchError) -> String {
    guard !name.isEmpty else { throw .commandNotFound("''") }
    if name.contains("/") {
      try check(name)
      return name
    }
    var refused: WatchError?
    for directory in (environmentValue("PATH") ?? "/usr/local/bin:/usr/bin:/bin").split(
      separator: ":", omittingEmptySubsequences: false)
    {
      let candidate = (directory.isEmpty ? "." : String(directory)) + "/" + name
      do {
        try check(candidate)
        return candidate
      } catch let error {
        if case .commandNotExecutable = error { refused = error }
      }
    }
    throw refused ?? .commandNotFound(name)
  }

  private static func check(_ path: String) throws(WatchError) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      if errno == EACCES { throw .commandNotExecutable(path, reason: sentence(EACCES)) }
      throw .commandNotFound(path)
    }
    if status.st_mode & S_IFMT == S_IFDIR { throw .commandNotExecutable(path, reason: "it is a directory") }
    guard access(path, X_OK) == 0 else {
      throw .commandNotExecutable(path, reason: errno == EACCES ? "permission denied: chmod +x it" : sentence(errno))
    }
  }

  private func spawn(_ path: String, _ arguments: [String]) throws(WatchError) -> pid_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var mask = signalMask
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    var environment = Self.currentEnvironment()
    for (name, value) in additions {
      environment.removeAll { $0.hasPrefix(name + "=") }
      environment.append("\(name)=\(value)")
    }
    let argv = arguments.map { strdup($0) } + [nil]
    let envp = environment.map { strdup($0) } + [nil]
    defer { for pointer in argv + envp { free(pointer) } }
    var pid: pid_t = 0
    let failure = posix_spawn(&pid, path, nil, &attributes, argv, envp)
    switch failure {
    case 0: return pid
    // A script whose interpreter is missing reports it like a missing file.
    case ENOENT: throw .commandNotExecutable(path, reason: "the interpreter its first line names does not exist")
    case EACCES: throw .commandNotExecutable(path, reason: sentence(EACCES))
    default: throw .cannotStart(path, errno: failure)
    }
  }

  private static func currentEnvironment() -> [String] {
    var result: [String] = []
    var entry = environ
    while let text = entry.pointee {
      result.append(String(cString: text))
      entry += 1
    }
    return result
  }
}

/// How a child ended.
package enum ChildExit: Hashable, Sendable {
  case status(Int32)
  case signal(Int32)

  /// From `waitpid`'s status word; nil for a stop (0x7f in the low byte) and for its end (0xffff).
  package init?(waitStatus status: Int32) {
    if status & 0x7f == 0 {
      self = .status((status >> 8) & 0xff)
    } else if status & 0x7f != 0x7f {
      self = .signal(status & 0x7f)
    } else {
      return nil
    }
  }

  package var sentence: String {
    switch self {
    case .status(let code): "exited with status \(code)"
    case .signal(let number): "killed by signal \(number) (\(signalName(number)))"
    }
  }
}

package func signalName(_ number: Int32) -> String {
  guard let name = lj_signal_abbreviation(number) else { return "signal \(number)" }
  return "SIG" + String(cString: name)
}
