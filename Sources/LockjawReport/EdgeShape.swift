import LockjawModel

/// What the edges of a finding form.
enum EdgeShape: Hashable {
  /// Every edge's lock is held by the next edge's waiter, and the last one's by the first.
  case cycle
  /// Anything else: waiters gathered around what they wait for.
  case star

  init(_ edges: [Edge]) {
    let closes =
      !edges.isEmpty
      && edges.indices.allSatisfy { index in
        edges[index].holders.contains(edges[(index + 1) % edges.count].waiter)
      }
    self = closes ? .cycle : .star
  }
}

extension Finding {
  /// Who missed a heartbeat, then waiters and holders, each once: a cycle in its order; of a star the holders first, whose stacks explain it.
  var involved: [ThreadID] {
    var seen: Set<ThreadID> = []
    let inOrder =
      EdgeShape(edges) == .cycle
      ? edges.flatMap { [$0.waiter] + $0.holders } : edges.flatMap(\.holders) + edges.map(\.waiter)
    return ((heartbeat.map { [$0.thread] } ?? []) + inOrder).filter { seen.insert($0).inserted }
  }
  var waiters: [ThreadID] {
    var seen: Set<ThreadID> = []
    return edges.map(\.waiter).filter { seen.insert($0).inserted }
  }
  /// Locks in the order in which they appear, each once.
  var lockIDs: [String] {
    var seen: Set<String> = []
    return edges.map(\.lock).filter { seen.insert($0).inserted }
  }
  /// Whether `holder` does not have the edge's lock but waits in front: a writer that the lock prefers to new readers.
  func isPendingWriter(_ holder: ThreadID, of edge: Edge, in index: ReportIndex) -> Bool {
    guard edge.mode == .read, holder != edge.waiter else { return false }
    let waitsToWrite = edges.contains { $0.waiter == holder && $0.lock == edge.lock && $0.mode == .write }
    let hasIt = index.thread(holder)?.holds.contains(edge.lock) ?? (edge.heldSinceAt != nil)
    return waitsToWrite && !hasIt
  }

  /// The longest wait that is a usable number; one of 0 s is one that nobody dated.
  var longestWaitSeconds: Double? {
    edges.map(\.waitingForSeconds).filter { $0.isFinite && $0 > 0 }.max()
  }
}
