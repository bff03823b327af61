import LockjawModel

/// What the witnesses say of a candidate.
package struct Judgement: Hashable, Sendable {
  package var certainty: Certainty
  /// A member's wait ended between the two passes: what was seen was not a deadlock and should not be reported.
  package var isRefuted: Bool
  /// Which witness said what. Sentences.
  package var evidence: [String]
}

/// Arena (twice), lock words and kernel: the witnesses of a deadlock.
package struct Witnesses: Sendable {
  /// - Parameters:
  ///   - first, second: the threads as two passes over the arena saw them, in this order in time. Of a dead process,
  ///     whose arena no longer changes, give the same twice.
  ///   - words: read after `first`.
  ///   - kernel: asked after `first`.
  package init(
    first: [ThreadState], second: [ThreadState], words: [Address: LockWord], kernel: [ThreadID: KernelState]
  ) { fatalError("skeleton") }

  package func judge(_ candidate: Candidate) -> Judgement { fatalError("skeleton") }
}
