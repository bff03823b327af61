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
  /// A circle of waits is one of the finding's only where the finding says so: drawn beside "contention", it would say that they are
  /// stuck.
  var shape: EdgeShape { kind.isHang || kind == .timedCycle ? EdgeShape(edges) : .star }

  /// Who missed a heartbeat, then waiters and holders, each once: a cycle in its order; of a star the holders first, whose stacks explain it.
  var involved: [ThreadID] {
    var seen: Set<ThreadID> = []
    let inOrder =
      shape == .cycle
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
  /// The longest wait that is a usable number; one of 0 s is one that nobody dated.
  var longestWaitSeconds: Double? {
    edges.map(\.waitingForSeconds).filter { $0.isFinite && $0 > 0 }.max()
  }
}

/// Threads of a finding that wait to write and do not have the lock: ahead of its readers where the lock lets writers go
/// first, and no holders, though an edge lists them as what is in its reader's way.
struct WaitingWriters {
  private var ofLock: [String: Set<ThreadID>] = [:]

  init(_ finding: Finding, _ index: ReportIndex) {
    for edge in finding.edges where edge.mode == .write {
      if index.thread(edge.waiter)?.holds.contains(edge.lock) ?? false { continue }
      ofLock[edge.lock, default: []].insert(edge.waiter)
    }
  }

  func contains(_ holder: ThreadID, of edge: Edge) -> Bool {
    guard edge.mode == .read, holder != edge.waiter, ofLock[edge.lock]?.contains(holder) ?? false else { return false }
    return edge.heldMode == nil || holder != edge.holders.first
  }
}
