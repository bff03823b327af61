import LockjawModel

/// The lock's own word has the last say: what contradicts its mode, its owner or its count is not claimed.
enum CountCheck {
  static func check(
    _ lock: SearchedLock, _ found: [FoundHold], threads: [SearchedThread], unansweredFrames: Int
  ) -> FoundHolders {
    var result = FoundHolders(
      lock: lock.semantics.address, holds: [], check: .unchecked, dismissed: [], unansweredFrames: unansweredFrames)
    guard let expected = lock.expected else {
      result.holds = found
      return result
    }
    var holds = [FoundHold]()
    for var hold in found {
      // One function unlocks either mode: the word knows which.
      if lock.semantics.kind == .glibcRwlock { hold.mode = expected.mode }
      if expected.count == 0 || hold.mode != expected.mode || expected.owner.map({ $0 != hold.tid }) ?? false {
        result.dismissed.append(hold)
      } else {
        holds.append(hold)
      }
    }
    if expected.mode != .read { holds = innermostOfEachThread(holds, &result.dismissed) }

    guard let count = expected.mode == .read ? expected.count : 1 else {
      result.holds = holds
      return result
    }
    // The weakest go first, and of those the ones of threads that wait: a run forward from a blocked call begins with a
    // return that never was.
    let waiting = Set(threads.filter { $0.awaits != nil }.map(\.tid))
    let order: [(FoundHold.Strength, ofWaiting: Bool)] = [
      (.unfinishedRun, true), (.run, true), (.unfinishedRun, false), (.run, false), (.chainedRun, true),
      (.chainedRun, false),
    ]
    for (strength, ofWaiting) in order where holds.count > count {
      dismiss(&holds, &result.dismissed) { $0.strength == strength && (!ofWaiting || waiting.contains($0.tid)) }
    }
    if holds.count > count {
      result.check = .contradicted(found: holds.count, counted: count)
      result.dismissed += holds
      return result
    }
    result.holds = holds
    result.check = holds.count == count ? .confirmed : .short(by: count - holds.count)
    return result
  }

  /// A lock with one holder is held once: of several frames of a thread the innermost has the guard.
  private static func innermostOfEachThread(_ holds: [FoundHold], _ dismissed: inout [FoundHold]) -> [FoundHold] {
    var kept: [FoundHold] = []
    for hold in holds {
      guard let index = kept.firstIndex(where: { $0.tid == hold.tid }) else {
        kept.append(hold)
        continue
      }
      // A landing pad is the better evidence.
      if kept[index].rung == .forwardRun, hold.rung == .landingPad {
        dismissed.append(kept[index])
        kept[index] = hold
      } else {
        dismissed.append(hold)
      }
    }
    return kept
  }

  private static func dismiss(_ holds: inout [FoundHold], _ dismissed: inout [FoundHold], _ isWeak: (FoundHold) -> Bool)
  {
    dismissed += holds.filter(isWeak)
    holds.removeAll(where: isWeak)
  }
}
