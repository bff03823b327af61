import LockjawModel

/// What the edges of a finding form.
enum EdgeShape: Hashable {
  /// Every edge's lock is held by the next edge's waiter, and the last one's by the first.
  case ring
  /// Anything else: waiters gathered around what they wait for.
  case star

  init(_ edges: [Edge]) {
    let closes = !edges.isEmpty && edges.indices.allSatisfy { index in
      edges[index].holders.contains(edges[(index + 1) % edges.count].waiter)
    }
    self = closes ? .ring : .star
  }
}

extension Finding {
  /// Waiters and holders in the order in which they appear, each once.
  var involved: [ThreadID] {
    var seen: Set<ThreadID> = []
    return edges.flatMap { [$0.waiter] + $0.holders }.filter { seen.insert($0).inserted }
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
  /// The longest wait that is a usable number.
  var longestWaitSeconds: Double? {
    edges.map(\.waitingForSeconds).filter { $0.isFinite && $0 >= 0 }.max()
  }
}
