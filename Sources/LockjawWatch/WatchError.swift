import Glibc
import LockjawArena
import LockjawInspect

/// Why lockjaw itself could not do what it was asked. `description` is a sentence for the person who sees it.
package enum WatchError: Error, Hashable, Sendable, CustomStringConvertible {
  case shimNotFound(searched: [String])
  /// `reason`: a clause.
  case shimUnusable(path: String, reason: String)
  case shimPathUnusable(path: String)
  case arenaDirectoryUnusable(path: String, reason: String)
  case arenaUnreadable(ArenaError)
  case notInspectable(InspectError)
  case commandNotFound(String)
  case commandNotExecutable(String, reason: String)
  case cannotStart(String, errno: Int32)
  case cannotWrite(path: String, errno: Int32)
  /// Where an arena was read there is another file now, or none.
  case arenaReplaced(path: String)
  case systemCall(String, errno: Int32)

  package var code: String {
    switch self {
    case .shimNotFound: "shim-not-found"
    case .shimUnusable: "shim-unusable"
    case .shimPathUnusable: "shim-path-unusable"
    case .arenaDirectoryUnusable: "arena-directory-unusable"
    case .arenaUnreadable(let error): error.code
    case .notInspectable(let error): error.code
    case .commandNotFound: "command-not-found"
    case .commandNotExecutable: "command-not-executable"
    case .cannotStart: "cannot-start"
    case .cannotWrite: "cannot-write"
    case .arenaReplaced: "arena-replaced"
    case .systemCall: "system-call"
    }
  }

  /// The exit status `run` documents for it: as `env`, 127 not found, 126 not executable, 125 anything else.
  package var exitStatus: Int32 {
    switch self {
    case .commandNotFound: 127
    case .commandNotExecutable: 126
    default: 125
    }
  }

  package var description: String {
    switch self {
    case .shimNotFound(let searched):
      "liblockjaw.so is not beside the lockjaw executable (looked for \(searched.joined(separator: ", "))): "
        + "keep both in one directory, or name it in LOCKJAW_SHIM; in a source tree, run 'swift build' first"
    case .shimUnusable(let path, let reason):
      "\(path) is not a liblockjaw.so that can be preloaded: \(reason); name one in LOCKJAW_SHIM, or, to use the one beside "
        + "lockjaw, leave that unset"
    case .shimPathUnusable(let path):
      "\(path) cannot be preloaded: LD_PRELOAD has no way to name a path with a space or a colon in it; put lockjaw and "
        + "liblockjaw.so where there is none, or name such a copy in LOCKJAW_SHIM"
    case .arenaDirectoryUnusable(let path, let reason):
      "cannot keep arenas in \(path): \(reason); name another directory in LOCKJAW_DIR"
    case .arenaUnreadable(let error):
      error.description
    case .notInspectable(let error):
      error.description
    case .commandNotFound(let command):
      "\(command): command not found"
    case .commandNotExecutable(let command, let reason):
      "\(command): cannot be executed (\(reason))"
    case .cannotStart(let command, let code):
      "\(command): cannot be started (\(sentence(code)))"
    case .cannotWrite(let path, let code):
      "cannot write \(path): \(sentence(code))"
    case .arenaReplaced(let path):
      "\(path) is no longer the arena that was read, so nothing was copied from it nor written beside it: whoever may write "
        + "into its directory has removed or replaced it"
    case .systemCall(let call, let code):
      "\(call) failed: \(sentence(code))"
    }
  }
}

func sentence(_ code: Int32) -> String { String(cString: strerror(code)) }
