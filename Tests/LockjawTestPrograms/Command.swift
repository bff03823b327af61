import Glibc
import Synchronization

/// Why a test's tool or program did not do what the test needs.
package struct CommandFailure: Error, CustomStringConvertible {
  package var description: String
  package init(description: String) { self.description = description }
}

/// Runs a tool to its end.
package enum Command {
  package struct Output {
    package var status: Int32
    package var text: String
  }

  /// - Returns: exit status (128 + signal for a killed tool) and standard output with standard error.
  package static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Output {
    let (pid, output) = try spawn(arguments, mergesErrors: true, environment: environment)
    defer { close(output) }
    var text = [UInt8]()
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let got = read(output, &chunk, chunk.count)
      if got <= 0 { break }
      text.append(contentsOf: chunk[..<got])
    }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    let code = status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    return Output(status: code, text: String(decoding: text, as: UTF8.self))
  }

  /// The same, and a failure with the tool's words where it does not exit with 0.
  @discardableResult
  package static func succeed(_ arguments: [String]) throws -> String {
    let output = try run(arguments)
    guard output.status == 0 else {
      throw CommandFailure(
        description: "\(arguments.joined(separator: " ")) exited with \(output.status):\n\(output.text)")
    }
    return output.text
  }

  /// Held from the making of a pipe until its ends are closed to others: tests run side by side, and a pipe that
  /// lives on in another test's child never ends.
  private static let spawning = Mutex(())

  /// Starts a program found along PATH, with this process' environment changed by `environment`.
  /// - Returns: its pid, and where its output can be read.
  static func spawn(
    _ arguments: [String], mergesErrors: Bool, environment: [String: String]
  ) throws -> (pid: pid_t, output: Int32) {
    var values = [String: String]()
    var entry = environ
    while let text = entry.pointee {
      let pair = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if pair.count == 2 { values[String(pair[0])] = String(pair[1]) }
      entry += 1
    }
    values.merge(environment) { _, new in new }
    let argv = arguments.map { strdup($0) } + [nil]
    let envp = values.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    return try spawning.withLock { _ in
      var ends = [Int32](repeating: 0, count: 2)
      guard pipe(&ends) == 0 else { throw CommandFailure(description: "pipe failed: \(errno)") }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      defer { close(ends[1]) }
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
      posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
      if mergesErrors { posix_spawn_file_actions_adddup2(&actions, ends[1], 2) }
      // The threads that run tests block signals, and a child would inherit that.
      var attributes = posix_spawnattr_t()
      posix_spawnattr_init(&attributes)
      defer { posix_spawnattr_destroy(&attributes) }
      var none = sigset_t()
      sigemptyset(&none)
      posix_spawnattr_setsigmask(&attributes, &none)
      posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
      var pid: pid_t = 0
      let error = posix_spawnp(&pid, arguments[0], &actions, &attributes, argv, envp)
      guard error == 0 else {
        close(ends[0])
        throw CommandFailure(description: "\(arguments[0]) could not be started: error \(error)")
      }
      return (pid, ends[0])
    }
  }
}
