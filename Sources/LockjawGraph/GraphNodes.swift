import LockjawModel

/// The graph in numbers: what the search walks.
///
/// Nodes are threads (their index in the input), then owners that have no slot, then *gates*. A gate is one question
/// that several waiters ask: who stands in the way of an exclusive (or a read) acquire of this lock? Gates keep the
/// graph linear: 5,000 writers behind 5,000 readers are 10,000 arcs through one gate and not 25 million edges.
/// A thread has at most one arc, to the gate of its wait; a gate has one to each blocker.
struct GraphNodes: Sendable {
  struct Gate: Sendable {
    var object: Address
    var type: LockType
    /// Asked by readers of an rwlock; pending writers may stand in their way too.
    var isRead: Bool
    var evidence: HolderEvidence
    /// Any one blocker can open it (a semaphore's permits), where others need all of theirs gone.
    var opensByAny: Bool
    /// Its blockers are `blockers[first..<end]`.
    var first: Int32
    var end: Int32

    var range: Range<Int> { Int(first)..<Int(end) }
    var isEmpty: Bool { first == end }
  }

  struct Blocker: Sendable {
    /// A thread or an external owner.
    var node: Int32
    /// Index in that thread's `held`; -1 where the arena does not list the hold.
    var held: Int32
    var blocking: CandidateEdge.Blocking
  }

  /// Of each thread and external owner, the gate it waits at; -1: none.
  var gateOf: [Int32] = []
  /// Thread ids of owners without a slot; node `threads.count + k`.
  var externals: [ThreadID] = []
  /// Of each thread and external owner: it does not exist any more.
  var isDead: [Bool] = []
  var gates: [Gate] = []
  var blockers: [Blocker] = []

  /// Waiters of gate `g` are `waiters[waiterStart[g]..<waiterStart[g + 1]]`.
  private(set) var waiters: [Int32] = []
  private(set) var waiterStart: [Int32] = []
  /// Gates that node `n` blocks are `blocked[blockedStart[n]..<blockedStart[n + 1]]`, once per blocker entry.
  private(set) var blocked: [Int32] = []
  private(set) var blockedStart: [Int32] = []

  /// Threads and external owners.
  var threadNodeCount: Int { gateOf.count }

  func waiters(of gate: Int) -> ArraySlice<Int32> { waiters[Int(waiterStart[gate])..<Int(waiterStart[gate + 1])] }
  func gatesBlocked(by node: Int) -> ArraySlice<Int32> {
    blocked[Int(blockedStart[node])..<Int(blockedStart[node + 1])]
  }

  /// Fills `waiters`; again whenever `gateOf` has changed.
  mutating func indexWaiters() {
    (waiterStart, waiters) = Self.bucketed(count: gates.count) { add in
      for node in gateOf.indices where gateOf[node] >= 0 { add(gateOf[node], Int32(node)) }
    }
  }

  /// Fills `blocked`, once every gate has its blockers.
  mutating func indexBlocked() {
    (blockedStart, blocked) = Self.bucketed(count: threadNodeCount) { add in
      for gate in gates.indices {
        for index in gates[gate].range { add(blockers[index].node, Int32(gate)) }
      }
    }
  }

  /// A counting sort: `each` is run twice and calls `add(bucket, value)` in the same order both times.
  private static func bucketed(count: Int, each: ((Int32, Int32) -> Void) -> Void) -> ([Int32], [Int32]) {
    var start = [Int32](repeating: 0, count: count + 1)
    each { bucket, _ in start[Int(bucket) + 1] += 1 }
    for bucket in 0..<count { start[bucket + 1] += start[bucket] }
    var next = start
    var values = [Int32](repeating: 0, count: Int(start[count]))
    each { bucket, value in
      values[Int(next[Int(bucket)])] = value
      next[Int(bucket)] += 1
    }
    return (start, values)
  }
}
