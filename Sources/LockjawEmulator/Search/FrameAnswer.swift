import LockjawModel

/// What the runs of one frame have told, the most trusted first.
struct FrameAnswer: Hashable {
  struct Part: Hashable {
    var rung: FoundHold.Rung
    var events: [LockWatch.Event]
    /// The run reached its end: locks it did not touch are not held by the frame.
    var isComplete: Bool
  }
  var parts: [Part] = []

  var isComplete: Bool { parts.contains { $0.isComplete } }

  /// The hold that these events prove: the first thing done to the lock is a release.
  ///
  /// Of the lock that the thread itself waits for one release does not count: a run that goes on from the wait releases
  /// what the wait would have acquired. A landing pad of a plain wait never gets there, so its releases are real; at
  /// the end of a condition's wait the guard exists already, and the pad drops it.
  func hold(of lock: Int, in thread: SearchedThread, frame: Int, locks: [LockSemantics]) -> FoundHold? {
    // Of a run that was cut short what it did is true, and what it did not do says nothing.
    guard let part = parts.first(where: { $0.isComplete || $0.events.contains { $0.lock == lock } }) else { return nil }
    let isAwaited = thread.awaits?.lock == locks[lock].address
    var remaining = isAwaited ? 1 : 0
    if isAwaited, part.rung == .landingPad, thread.awaits?.isReacquisition == false { remaining = 0 }
    for event in part.events where event.lock == lock {
      guard case .release(let mode) = event.operation else { return nil }
      // The mode that is waited for, or a release that does not say.
      if remaining > 0, mode == nil || mode == thread.awaits?.mode {
        remaining -= 1
        continue
      }
      return FoundHold(
        tid: thread.tid, frame: frame, mode: mode ?? .read, rung: part.rung, releasedAt: Address(event.pc),
        scopeEndsAt: Address(event.ownPC), scopeEndIsReturnAddress: event.ownPC != event.pc)
    }
    return nil
  }
}
