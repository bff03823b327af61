import Glibc

extension RunningProgram {
  /// Makes the kernel write a core of the program: it is ended by SIGABRT in the directory it was started in.
  /// - Returns: whether it ended by a signal that leaves a core behind.
  package func abort() -> Bool {
    Glibc.kill(pid, SIGABRT)
    return reap() & 0x80 != 0
  }
}

extension Program {
  /// Starts the program so that a core of it is written into its own directory, whatever the limits of the tests are.
  package func startWithCores(_ arguments: [String] = []) throws -> RunningProgram {
    let script = "ulimit -c unlimited; cd \"$1\"; shift; exec \"$@\""
    return try RunningProgram(["bash", "-c", script, "bash", directory.path, path] + arguments, program: self)
  }

  /// The core that `abort` left; `nil` where the machine sends cores elsewhere (core(5), `core_pattern`).
  package func core(of running: RunningProgram) -> String? {
    let names = ["core", "core.\(running.pid)"].map { "\(directory.path)/\($0)" }
    return names.first { access($0, R_OK) == 0 }
  }
}
