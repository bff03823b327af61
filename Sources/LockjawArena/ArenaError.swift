/// Why an arena cannot be read. `description` is a sentence for the person who sees it; `code` is for machines.
package enum ArenaError: Error, Hashable, Sendable, CustomStringConvertible {
  case cannotOpen(path: String, errno: Int32)
  case notAnArena(path: String)
  case otherVersion(path: String, found: UInt32, expected: UInt32)
  case truncated(path: String, has: UInt64, needs: UInt64)
  case inconsistent(path: String, field: String)

  package var code: String {
    switch self {
    case .cannotOpen: "arena-cannot-open"
    case .notAnArena: "arena-not-an-arena"
    case .otherVersion: "arena-other-version"
    case .truncated: "arena-truncated"
    case .inconsistent: "arena-inconsistent"
    }
  }

  package var description: String {
    switch self {
    case .cannotOpen(let path, let errno):
      "cannot open arena \(path): \(errnoSentence(errno))"
    case .notAnArena(let path):
      "\(path) is not a lockjaw arena (its first bytes are not an arena's)"
    case .otherVersion(let path, let found, let expected):
      "\(path) is an arena of format \(found), this lockjaw reads format \(expected): "
        + "use the lockjaw that came with the liblockjaw.so which wrote it"
    case .truncated(let path, let has, let needs):
      "\(path) is cut short: it has \(has) bytes and its header speaks of \(needs)"
    case .inconsistent(let path, let field):
      "\(path) is damaged: its header field '\(field)' has an impossible value"
    }
  }
}
