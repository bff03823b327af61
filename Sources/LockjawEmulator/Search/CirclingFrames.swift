/// What one search has learned about frames that, run forward, go round in circles: most threads of a server sleep below
/// the same loop, and what led out of it for one leads out for the next.
///
/// Every frame is first run as it is; only what is tried after that is chosen by what is known. A place that no way led
/// out of, for two threads, is not tried in other ways again.
struct CirclingFrames {
  /// One way to run a frame forward.
  enum Way: Hashable {
    /// As if its callee had returned this.
    case result(UInt64)
    /// With the frame's own conditional branch of this number, counted from 1, going the other way.
    case flippedBranch(Int)
    /// To the first call that has a landing pad, and on through that.
    case pad

    var flippedBranch: Int { if case .flippedBranch(let branch) = self { branch } else { 0 } }
  }

  enum Outcome { case leadsOut, circles, impossible }

  private struct Place: Hashable {
    var returnAddress: UInt64
    /// A run of a thread's innermost frame, which goes on through its callers.
    var isChained: Bool
  }
  private struct Experience {
    var wayOut: Way?
    var failures = 0
  }

  private static let flippedBranches = 10
  private static let enoughFailures = 2
  private static let ways: [Way] = [.result(0), .result(1)] + (1...flippedBranches).map { .flippedBranch($0) } + [.pad]

  private var known: [Place: Experience] = [:]

  /// Tries one way after the other until one leads out of the frame that `returnAddress` returns to.
  mutating func tryWays(out returnAddress: UInt64, isChained: Bool, _ attempt: (Way) -> Outcome) {
    if attempt(.result(0)) == .leadsOut { return }
    let place = Place(returnAddress: returnAddress, isChained: isChained)
    var experience = known[place] ?? Experience()
    if let way = experience.wayOut, attempt(way) == .leadsOut { return }
    guard experience.failures < Self.enoughFailures else { return }
    for way in Self.ways.dropFirst() where way != experience.wayOut {
      guard attempt(way) == .leadsOut else { continue }
      experience.wayOut = way
      known[place] = experience
      return
    }
    experience.failures += 1
    known[place] = experience
  }
}
