/// What `lockjaw run` is about to start, and whether a preloaded library can reach it.
package indirect enum ExecutableKind: Hashable, Sendable {
  /// 64-bit x86, started through glibc's loader: the shim will be loaded.
  case dynamic(path: String)
  /// No loader runs, so nothing is preloaded.
  case `static`(path: String)
  /// The loader ignores preloads for programs that gain rights; `reason` says how it does.
  case setUID(path: String, reason: String)
  case thirtyTwoBit(path: String)
  case foreignMachine(path: String, machine: UInt16)
  /// Another C library's loader (musl): a library made for glibc does not load there.
  case foreignLoader(path: String, loader: String)
  /// The kernel starts `interpreter` instead, which is what the shim is loaded into.
  case script(path: String, interpreter: ExecutableKind)
  case notFound(name: String)
  case notExecutable(path: String, reason: String)

  /// Whether the shim will be loaded.
  package var isCovered: Bool {
    switch self {
    case .dynamic: true
    case .script(_, let interpreter): interpreter.isCovered
    default: false
    }
  }

  /// One sentence for the user where it is not covered or cannot be run; `nil` where all is well.
  package var warning: String? {
    switch self {
    case .dynamic: nil
    case .static(let path):
      "\(path) is statically linked, so no library can be preloaded into it and its locks are not recorded."
    case .setUID(let path, let reason):
      "\(path) \(reason), so the loader ignores preloaded libraries and its locks are not recorded. Run it as the user "
        + "it changes to, or take that right from a copy of it."
    case .thirtyTwoBit(let path):
      "\(path) is a 32-bit program; lockjaw serves 64-bit x86 programs only, so its locks are not recorded."
    case .foreignMachine(let path, let machine):
      "\(path) is for another processor (ELF machine \(machine)); lockjaw serves 64-bit x86 programs only."
    case .foreignLoader(let path, let loader):
      "\(path) is started by \(loader), not by glibc's loader; lockjaw's library needs glibc, so its locks are not recorded."
    case .script(let path, let interpreter):
      interpreter.warning.map { "\(path) is a script: \($0)" }
    case .notFound(let name):
      name.contains("/")
        ? "\(name): there is no such file."
        : "\(name): not found in any directory of PATH. Give its path, or check the spelling."
    case .notExecutable(let path, let reason): "\(path) cannot be run: \(reason)."
    }
  }

  /// 127 not found, 126 found but not to be run, as `env` has it; `nil` where it can be started.
  package var exitStatus: Int32? {
    switch self {
    case .notFound: 127
    case .notExecutable: 126
    case .script(_, let interpreter): interpreter.exitStatus == nil ? nil : 126
    default: nil
    }
  }

  /// The file the kernel will be asked to run; `nil` where nothing was found.
  package var path: String? {
    switch self {
    case .dynamic(let path), .static(let path), .setUID(let path, _), .thirtyTwoBit(let path),
      .foreignMachine(let path, _), .foreignLoader(let path, _), .script(let path, _), .notExecutable(let path, _):
      path
    case .notFound: nil
    }
  }
}
