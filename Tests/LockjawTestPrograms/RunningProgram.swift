import Glibc

/// A started program; killed when the value goes away.
package final class RunningProgram {
  package let pid: pid_t
  private let output: Int32
  /// Keeps its files where they are.
  private let program: Program?
  private var isReaped = false

  package convenience init(
    _ program: Program, arguments: [String] = [], environment: [String: String] = [:]
  ) throws {
    try self.init([program.path] + arguments, program: program, environment: environment)
  }

  package init(_ command: [String], program: Program? = nil, environment: [String: String] = [:]) throws {
    self.program = program
    (pid, output) = try Command.spawn(command, mergesErrors: false, environment: environment)
  }

  deinit {
    kill()
    close(output)
  }

  /// Ends it by SIGKILL and waits for that.
  package func kill() {
    guard !isReaped else { return }
    Glibc.kill(pid, SIGKILL)
    _ = reap()
  }

  /// Waits for its end.
  /// - Returns: its status, as `waitpid` has it.
  func reap() -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    isReaped = true
    return status
  }

  /// Reads what it prints up to the next newline.
  package func readLine(deadlineSeconds: Int = 20) throws -> String {
    var line = [UInt8]()
    let end = now() + Double(deadlineSeconds)
    while true {
      var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, Int32(max(0, (end - now()) * 1000))) > 0 else {
        throw CommandFailure(description: "the program said nothing for \(deadlineSeconds) s")
      }
      var byte: UInt8 = 0
      guard read(output, &byte, 1) == 1 else { throw CommandFailure(description: "the program ended") }
      if byte == 0x0A { return String(decoding: line, as: UTF8.self) }
      line.append(byte)
    }
  }

  /// Asks until the answer is yes; a test that waits for a state has no need to know how long it takes.
  package static func wait(seconds: Double = 60, until condition: () -> Bool) -> Bool {
    let end = now() + seconds
    while !condition() {
      if now() > end { return false }
      usleep(1000)
    }
    return true
  }
}

private func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
