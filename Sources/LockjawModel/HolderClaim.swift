/// What one rung of the holder ladder says of one hold. Two holds of one thread are two claims.
package struct HolderClaim: Hashable, Sendable {
  package var thread: ThreadID
  package var mode: LockMode
  package var evidence: HolderEvidence
  package init(thread: ThreadID, mode: LockMode, evidence: HolderEvidence) {
    self.thread = thread
    self.mode = mode
    self.evidence = evidence
  }
}

/// Everything the ladder found about one lock, and how far it could look.
package struct HolderAccount: Hashable, Sendable {
  /// How the claims compare with what the lock's word counts.
  package enum Completeness: Hashable, Sendable {
    /// As many as the word counts.
    case complete
    /// So many holds that the word counts were not found.
    case short(by: Int)
    /// More than the word counts: some claim is wrong.
    case excess(by: Int)
    /// The word does not count.
    case uncounted
  }

  package var claims: [HolderClaim]
  /// Threads whose frames could not be searched: running, or without a stack. Each may be a holder.
  package var unsearched: [ThreadID]

  /// - Parameter claims: without any, and nobody unsearched: the ladder was climbed and found nobody.
  package init(claims: [HolderClaim], unsearched: [ThreadID] = []) {
    self.claims = claims
    self.unsearched = unsearched
  }

  package func completeness(against word: LockWord) -> Completeness {
    guard let count = word.holderCount else { return .uncounted }
    if claims.count == count { return .complete }
    return claims.count < count ? .short(by: count - claims.count) : .excess(by: claims.count - count)
  }

  /// What is missing, as a sentence; `nil` where nothing is.
  package func shortfall(against word: LockWord) -> String? {
    switch completeness(against: word) {
    case .complete, .uncounted: return nil
    case .excess(let count):
      return "holders: \(count) more were found than the word counts; some of them do not hold it."
    case .short(let count) where !unsearched.isEmpty:
      let threads = unsearched.count == 1 ? "thread \(unsearched[0])" : "\(unsearched.count) threads"
      return
        "holders: \(count) that the word counts \(count == 1 ? "was" : "were") not found; not all frames of \(threads) could "
        + "be asked (running, or without a stack)."
    case .short(let count):
      let holds = word.mode == .read ? (count == 1 ? "read hold has" : "read holds have") : "hold has"
      return "holders: \(count) \(holds) no owning frame: forgotten, in a thread-local, static or heap object or a "
        + "suspended future, or never released."
    }
  }
}
