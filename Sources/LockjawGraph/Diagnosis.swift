import LockjawModel

/// A finding in the graph's own words; the stacks and lines come later.
package struct RawFinding: Hashable, Sendable {
  package var kind: FindingKind
  package var certainty: Certainty
  /// In the order of the cycle, or one per waiter, longest wait first.
  package var edges: [CandidateEdge]
  /// Threads the finding is about: members of a cycle; else the waiters of `edges`.
  package var members: [ThreadID]
  package var bystanders: [ThreadID]
  /// The thread to blame: the last holder, the exited owner. `nil` for cycles and where nobody is known.
  package var culprit: ThreadID?
  /// What `culprit` is doing.
  package var culpritState: KernelState?
  /// Sentences: what each witness said, and why the certainty is not higher.
  package var evidence: [String]
}

/// Everything the graph of one moment says.
package struct Diagnosis: Hashable, Sendable {
  package var verdict: FindingKind
  /// Most serious first.
  package var findings: [RawFinding]

  /// - Parameters:
  ///   - witnesses: judges the cycles; without it none is proven.
  ///   - now: the moment of `graph`.
  ///   - stall: seconds after which a wait is a finding.
  package static func of(
    _ graph: WaitForGraph, witnesses: Witnesses? = nil, now: Instant, stall: Double
  ) -> Diagnosis { fatalError("skeleton") }
}
