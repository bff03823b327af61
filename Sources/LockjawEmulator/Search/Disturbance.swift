/// What a run has left out so far, and with it how much of what comes is what the thread would really do.
///
/// A call that is given up leaves the place of its result as it was: where a guard should have been put, that of an
/// earlier lock may stand, long released, and is dropped as if it were held. As long as a function runs in whose frame that
/// place is, a release proves nothing; nor does what a function does that the frame has called and that has gone on without
/// one of its own calls. Once they have returned that is of the past: who called them has its guards where they were.
struct Disturbance {
  /// How an event is to be taken.
  enum Footing: Hashable {
    /// Nothing was left out before it.
    case whole
    /// A call was given up whose result, if it had any in memory, is not in the frames that are open.
    case afterGap
    /// The place of a result that is missing lies in a frame that is open.
    case insideGap
  }

  private(set) var hasGap = false
  /// Places of missing results, the newest instead of the oldest: those lie in frames that have returned, mostly.
  private var gaps = SIMD16<UInt64>()
  private var gapCount = 0
  /// A bit for each call that is open, the frame's own lowest: the function went on without one of its calls.
  private var functions: UInt32 = 0

  /// Notes a call that was not run to its end, or that has none and was passed over.
  /// - Parameters:
  ///   - openCalls: of the function that goes on without it; 0: the frame itself.
  ///   - results: where it may have been asked to put what it returns.
  mutating func noteGivenUpCall(openCalls: Int, results: SIMD2<UInt64>) {
    hasGap = true
    noteReturn(openCalls: openCalls)
    if openCalls > 0 { functions |= 1 << UInt32(openCalls - 1) }
    for index in results.indices {
      gaps[gapCount % gaps.scalarCount] = results[index]
      gapCount += 1
    }
  }

  /// - Parameter openCalls: that are left.
  mutating func noteReturn(openCalls: Int) { functions &= 1 << UInt32(openCalls) &- 1 }

  /// - Parameter open: from the stack pointer to the end of the frame under examination.
  func footing(open: Range<UInt64>) -> Footing {
    guard hasGap else { return .whole }
    if functions != 0 { return .insideGap }
    return gaps.indices.contains { open.contains(gaps[$0]) } ? .insideGap : .afterGap
  }
}
