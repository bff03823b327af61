/// What one search has learned about frames that go round in circles when they are run: most threads of a server sleep
/// below the same loop, and what led out of it for one leads out for the next.
///
/// Only the order and the length of attempts depend on it, and two threads have to agree. A place that no way led out
/// of is run as it is once more for each further thread, and not for long.
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

  /// What is run from a return address.
  enum Kind: Hashable {
    /// The frame.
    case frame
    /// The frame and on through its callers.
    case chain
    case landingPad
  }

  private struct Place: Hashable {
    var returnAddress: UInt64
    var kind: Kind
  }
  private struct Experience {
    var wayOut: Way?
    /// Threads that no way led out for.
    var failures = 0
    /// Threads for which the frame, as it is, did not come to an end.
    var sightings = 0
  }

  private static let flippedBranches = 10
  private static let enoughFailures = 2
  private static let ways: [Way] = [.result(0), .result(1)] + (1...flippedBranches).map { .flippedBranch($0) } + [.pad]

  private var known: [Place: Experience] = [:]

  /// Whether the frame has been seen to circle, whatever led out of it.
  func isCircling(_ returnAddress: UInt64) -> Bool {
    (known[Place(returnAddress: returnAddress, kind: .frame)]?.sightings ?? 0) >= Self.enoughFailures
  }

  /// Whether landing pads there have often enough not come to an end.
  func isHopelessPad(_ returnAddress: UInt64) -> Bool {
    (known[Place(returnAddress: returnAddress, kind: .landingPad)]?.failures ?? 0) >= Self.enoughFailures
  }

  mutating func notePadWithoutEnd(_ returnAddress: UInt64) {
    known[Place(returnAddress: returnAddress, kind: .landingPad), default: Experience()].failures += 1
  }

  /// Tries one way after the other until one leads out of the frame that `returnAddress` returns to.
  /// - Parameter attempt: is told whether the run will most likely not come to an end.
  mutating func tryWays(out returnAddress: UInt64, _ kind: Kind, _ attempt: (Way, _ isHopeless: Bool) -> Outcome) {
    let place = Place(returnAddress: returnAddress, kind: kind)
    var experience = known[place] ?? Experience()
    if let way = experience.wayOut, experience.sightings >= Self.enoughFailures, attempt(way, false) == .leadsOut {
      return
    }
    let isHopeless = experience.failures >= Self.enoughFailures
    if attempt(.result(0), isHopeless) == .leadsOut || isHopeless { return }
    experience.sightings += 1
    known[place] = experience
    for way in Self.ways.dropFirst() {
      guard attempt(way, false) == .leadsOut else { continue }
      experience.wayOut = way
      known[place] = experience
      return
    }
    experience.failures += 1
    known[place] = experience
  }
}
