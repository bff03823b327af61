import LockjawModel

/// Who waits for whom, at one moment.
package struct WaitForGraph: Sendable {
  /// A lock the graph would like to see the word of.
  package struct LockReference: Hashable, Sendable {
    package var object: Address
    package var type: LockType
  }

  package let threads: [ThreadState]

  /// - Parameters:
  ///   - words: decoded lock words, for any of `locksToDecode(threads)`; each missing one costs certainty only.
  ///   - kernel: what the kernel says of threads that were asked; needed only to see woken condition waiters.
  ///   - aliveThreads: every thread id of the process, or `nil` where that is not known.
  package init(
    threads: [ThreadState], words: [Address: LockWord] = [:], kernel: [ThreadID: KernelState] = [:],
    aliveThreads: Set<ThreadID>? = nil
  ) {
    self.threads = threads
    fatalError("skeleton")
  }

  /// The locks somebody waits for, each once: read their words before building the graph.
  package static func locksToDecode(_ threads: [ThreadState]) -> [LockReference] { fatalError("skeleton") }

  /// Every wait for a lock, in the order of `threads`; `holders` is empty where none is known.
  package var edges: [CandidateEdge] { fatalError("skeleton") }

  /// Cycles, most serious kind first.
  package func candidates() -> [Candidate] { fatalError("skeleton") }
}
