/// What `lockjaw run` is about to start, and whether a preloaded library can reach it.
package indirect enum ExecutableKind: Hashable, Sendable {
  /// 64-bit x86, dynamically linked: the shim will be loaded.
  case dynamic(path: String)
  /// No loader runs, so nothing is preloaded.
  case `static`(path: String)
  /// The loader ignores preloads for programs that gain rights.
  case setUID(path: String)
  case thirtyTwoBit(path: String)
  case foreignMachine(path: String, machine: String)
  /// The kernel starts `interpreter` instead, which is what the shim is loaded into.
  case script(path: String, interpreter: ExecutableKind)
  case notFound(name: String)
  case notExecutable(path: String, reason: String)

  /// Looks `command` up as `execvp` does: a name with a slash is a path, others are searched for in `searchPath`.
  package static func of(command: String, searchPath: String?) -> ExecutableKind { fatalError("skeleton") }
  /// Whether the shim will be loaded.
  package var isCovered: Bool { fatalError("skeleton") }
  /// One sentence for the user where it is not covered or cannot be run; `nil` where all is well.
  package var warning: String? { fatalError("skeleton") }
  /// 127 not found, 126 found but not executable, as `env` has it; `nil` where it can be started.
  package var exitStatus: Int32? { fatalError("skeleton") }
}
