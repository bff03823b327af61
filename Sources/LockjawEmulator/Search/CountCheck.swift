import LockjawModel

/// The lock's own word has the last say: what contradicts its mode, its owner or its count is not claimed.
enum CountCheck {
  static func check(
    _ lock: SearchedLock, _ found: [FoundHold], threads: [SearchedThread], unansweredFrames: Int
  ) -> FoundHolders {
    var result = FoundHolders(
      lock: lock.semantics.address, holds: [], check: .unchecked, dismissed: [],
      doubtful: found.filter { $0.strength == .doubtful }, unansweredFrames: unansweredFrames)
    let found = found.filter { $0.strength != .doubtful }
    guard let expected = lock.expected else {
      result.keep(found)
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
      result.keep(holds)
      return result
    }
    // The weakest go first, and of those the ones of threads that wait: a run forward from a blocked call begins with a
    // return that never was.
    let waiting = Set(threads.filter { $0.awaits != nil }.map(\.tid))
    let order: [(FoundHold.Strength, ofWaiting: Bool)] = [
      (.incompleteRun, true), (.unfinishedRun, true), (.run, true), (.incompleteRun, false), (.unfinishedRun, false),
      (.run, false), (.chainedRun, true), (.chainedRun, false),
    ]
    for (strength, ofWaiting) in order where holds.count > count {
      dismiss(&holds, &result.dismissed) { $0.strength == strength && (!ofWaiting || waiting.contains($0.tid)) }
    }
    if holds.count > count {
      result.check = .contradicted(found: holds.count, counted: count)
      result.dismissed += holds
      return result
    }
    if holds.count == count {
      result.holds = holds
      result.check = .confirmed
    } else {
      result.keep(holds)
      result.check = .short(by: count - result.holds.count)
    }
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

extension FoundHolders {
  /// Claims those of `found` that need no count to confirm them.
  fileprivate mutating func keep(_ found: [FoundHold]) {
    holds = found.filter { $0.strength != .incompleteRun }
    doubtful += found.filter { $0.strength == .incompleteRun }
  }
}
