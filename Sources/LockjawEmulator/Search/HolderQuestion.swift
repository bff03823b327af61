import LockjawModel
import LockjawSymbols

/// A thread as the search sees it.
package struct SearchedThread: Hashable, Sendable {
  /// What the thread waits for, where its wait is for a lock.
  package struct Awaited: Hashable, Sendable {
    package var lock: Address
    package var mode: LockMode
    /// The lock is taken again at the end of a condition's wait: a guard for it exists already. `nil`: not known.
    package var isReacquisition: Bool?
    package init(lock: Address, mode: LockMode, isReacquisition: Bool? = nil) {
      self.lock = lock
      self.mode = mode
      self.isReacquisition = isReacquisition
    }
  }
  package var tid: ThreadID
  /// Innermost first, with preserved registers.
  package var frames: [Unwinding.Frame]
  package var fsBase: UInt64
  package var awaits: Awaited?
  /// The word that the thread sleeps on in futex(2), if it does.
  package var futex: Address?
  package init(
    tid: ThreadID, frames: [Unwinding.Frame], fsBase: UInt64, awaits: Awaited? = nil, futex: Address? = nil
  ) {
    self.futex = futex
    self.tid = tid
    self.frames = frames
    self.fsBase = fsBase
    self.awaits = awaits
  }
}

/// What the lock's own word says about who holds it.
package struct ExpectedHolders: Hashable, Sendable {
  /// `.exclusive` or `.write`: one holder; `.read`: `count` of them.
  package var mode: LockMode
  /// `nil`: the word does not count.
  package var count: Int?
  /// The holder, where the word names it.
  package var owner: ThreadID?
  package init(mode: LockMode, count: Int?, owner: ThreadID? = nil) {
    self.mode = mode
    self.count = count
    self.owner = owner
  }
}

/// A lock whose holders are looked for.
package struct SearchedLock: Hashable, Sendable {
  package var semantics: LockSemantics
  /// `nil`: the word could not be decoded, and nothing can be confirmed.
  package var expected: ExpectedHolders?
  package init(_ semantics: LockSemantics, expected: ExpectedHolders?) {
    self.semantics = semantics
    self.expected = expected
  }
}

/// A frame that would release a lock it has not acquired: its thread holds the lock.
package struct FoundHold: Hashable, Sendable {
  /// How it was found: the `holder_evidence` of the report.
  package enum Rung: String, Hashable, Sendable {
    case landingPad = "landing-pad"
    case forwardRun = "forward-run"
  }
  /// How far a find is to be trusted where there are more of them than the word counts.
  package enum Strength: Int, Hashable, Comparable, Sendable {
    /// A forward run at a point where a call that it gave up may have left an old guard: no hold, only a hint.
    case doubtful
    /// One that had given a call up, in a function that has returned since: a hold only where the word's count confirms it.
    case incompleteRun
    /// One that began with a return which never was, and never came to its end.
    case unfinishedRun
    /// One that began with a return which never was: what the callee would have left there is stale.
    case run
    /// One that came from the callee's own end.
    case chainedRun
    case landingPad
    package static func < (a: Strength, b: Strength) -> Bool { a.rawValue < b.rawValue }
  }
  package var tid: ThreadID
  /// Index into the thread's frames.
  package var frame: Int
  package var mode: LockMode
  package var rung: Rung
  package var strength: Strength
  /// The instruction that would release the lock, which may be in a function that the frame calls. Of a function of the
  /// C library it is where that returns to.
  package var releasedAt: Address
  package var releasedAtIsReturnAddress = false
  /// Return addresses of the calls from the frame to `releasedAt`, innermost first.
  package var releaseCallers: [Address] = []
  /// The same in the frame's own code: its line is where the guard's scope ends.
  package var scopeEndsAt: Address
  package var scopeEndIsReturnAddress: Bool
}

/// Who holds one lock.
package struct FoundHolders: Hashable, Sendable {
  package enum Check: Hashable, Sendable {
    /// As many as the word counts, in its mode.
    case confirmed
    /// The word counts so many more: they have no owning frame (a guard in a static, a thread-local or a heap object, a
    /// suspended future, a guard that was forgotten), or their frame could not be read.
    case short(by: Int)
    /// More than the word counts: none of `holds` is claimed.
    case contradicted(found: Int, counted: Int)
    /// The word says nothing that could be compared.
    case unchecked
  }
  package var lock: Address
  package var holds: [FoundHold]
  package var check: Check
  /// What was found and is not claimed, because the word, its owner or its count contradicts it.
  package var dismissed: [FoundHold]
  /// Who may hold it: what was found does not prove it (`Strength.doubtful`), or would only with a count that confirms it.
  package var doubtful: [FoundHold]
  /// Frames that neither way gave an answer for.
  package var unansweredFrames: Int
}
