import LockjawModel

/// What the runs of one frame have told, the most trusted first.
struct FrameAnswer: Hashable {
  struct Part: Hashable {
    var rung: FoundHold.Rung
    var events: [LockWatch.Event]
    var end: FrameRun.Outcome
    /// Run on from the frame's callee: an awaited lock was acquired on the way.
    var isChained = false
    /// The run reached its end, with all that it called: locks it did not touch are not held by the frame.
    var isComplete: Bool { end == .complete }
    var hasEnded: Bool { end == .complete || end == .incomplete }
    /// How far a release is to be trusted that the run has come to.
    func strength(of event: LockWatch.Event) -> FoundHold.Strength {
      if rung == .landingPad { return .landingPad }
      switch event.footing {
      case .insideGap: return .doubtful
      // Of a frame that never ends nothing says how far ahead of the snapshot its run has got.
      case .afterGap: return hasEnded ? .incompleteRun : .doubtful
      case .whole: return isChained ? .chainedRun : hasEnded ? .run : .unfinishedRun
      }
    }
  }
  var parts: [Part] = []

  var isComplete: Bool { parts.contains { $0.isComplete } }
  /// No other way to run the frame forward would tell more.
  var hasForwardRun: Bool { parts.contains { $0.rung == .forwardRun && $0.hasEnded } }

  /// The holds of one lock that a thread's frames prove: the first thing a frame does to the lock is a release.
  ///
  /// Of the lock that the thread itself waits for, a release can be that of what the wait will have acquired: a run that
  /// goes on from the wait acquires it and gives it back. Chained runs see the acquire, and what it pays for. In others
  /// one release of the awaited mode does not count, in the innermost frame that has one: whoever calls that frame
  /// releases what was acquired before. A landing pad of a plain wait never gets there, so
  /// its releases are real; at the end of a condition's wait the guard exists already, and the pad drops it.
  static func holds(
    of lock: Int, in thread: SearchedThread, answers: [(index: Int, answer: FrameAnswer)], locks: [LockSemantics]
  ) -> [FoundHold] {
    let awaited = thread.awaits?.lock == locks[lock].address ? thread.awaits : nil
    var holds = [FoundHold]()
    // Acquires that no release has paid for yet. The awaited one may go unseen: a lock can be handed over by its holder.
    var owed = 0
    var mayBeHandedOver = awaited != nil
    var isExcused = false
    for (index, answer) in answers {
      // Of a run that was cut short what it did is true, and what it did not do says nothing.
      guard let part = answer.parts.first(where: { $0.isComplete || $0.events.contains { $0.lock == lock } }) else {
        continue
      }
      var excused = 0
      if let awaited, !part.isChained, !isExcused {
        excused = part.rung == .landingPad && awaited.isReacquisition == false ? 0 : 1
      }
      events: for event in part.events where event.lock == lock {
        switch event.operation {
        case .neutral: continue
        case .acquire:
          guard part.isChained else { break events }
          owed += 1
          mayBeHandedOver = false
        case .release(let mode):
          if part.isChained, owed > 0 {
            owed -= 1
            isExcused = true
            continue
          }
          if part.isChained, mayBeHandedOver, mode == nil || mode == awaited?.mode {
            mayBeHandedOver = false
            isExcused = true
            continue
          }
          if excused > 0, mode == nil || mode == awaited?.mode {
            excused -= 1
            isExcused = true
            continue
          }
          holds.append(
            FoundHold(
              tid: thread.tid, frame: index, mode: mode ?? .read, rung: part.rung, strength: part.strength(of: event),
              releasedAt: Address(event.pc), releasedAtIsReturnAddress: event.isReturnAddress,
              releaseCallers: event.callers.map { Address($0) }, scopeEndsAt: Address(event.ownPC),
              scopeEndIsReturnAddress: event.ownPCIsReturnAddress))
          // A frame is asked for one hold of a lock: a second release may follow an acquire that was not seen.
          break events
        }
      }
    }
    return holds
  }
}
