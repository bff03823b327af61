import LockjawModel

/// What is left: waits that are no hang.
///
/// N1. Waits for locks that no rule before has explained are contention: short ones, and long ones of a lock that
///     keeps changing hands.
/// N2. A process in which threads wait only for what anyone may end (conditions, barriers, futexes, semaphores
///     without a holder, joins) is idle.
extension Survey {
  mutating func contention() -> [RawFinding] {
    let waiters = graph.threads.indices.filter { node in
      guard waitsForLock(node), !isExplained[node], isOwn(node) else { return false }
      let gate = nodes.gates[Int(nodes.gateOf[node])]
      return !gate.isEmpty || gate.type != .semaphore
    }
    guard !waiters.isEmpty else { return [] }
    let objects = Set(waiters.map { nodes.gates[Int(nodes.gateOf[$0])].object })
    let longest = waiters.map(waitSeconds).max() ?? 0
    var evidence = [
      "\(waiters.count == 1 ? "1 thread waits" : "\(waiters.count) threads wait") for "
        + "\(objects.count == 1 ? "1 lock" : "\(objects.count) locks"), "
        + (waiters.allSatisfy(isUndated) ? "\(Self.undated)." : "the longest for \(words(seconds: longest)).")
    ]
    if longest >= stall {
      evidence.append("No single holder is known to have kept one of them waiting for longer than the stall.")
    }
    return [
      RawFinding(
        kind: .contention, certainty: .inferred, edges: edges(of: waiters), members: tids(waiters),
        evidence: evidence)
    ]
  }

  private func isOwn(_ node: Int) -> Bool { graph.threads[node].process == nil }

  func idleness() -> [RawFinding] {
    let waiters = graph.threads.indices.filter { node in
      !nodes.isDead[node] && isOwn(node) && graph.threads[node].wait.map { !$0.isFromKernel } ?? false
    }
    guard !waiters.isEmpty, !graph.kernel.values.contains(.running) else { return [] }
    let count = waiters.count == 1 ? "1 thread waits" : "\(waiters.count) threads wait"
    return [
      RawFinding(
        kind: .idle, certainty: .inferred, edges: [], members: tids(waiters),
        evidence: [
          "\(count) for conditions, barriers, futexes, semaphores or threads: for nothing that anyone is known to hold."
        ]
          + unrecordedPermits(waiters))
    ]
  }

  /// Where nobody records who takes a semaphore, one that is used as a lock looks like one that is used as a signal.
  private func unrecordedPermits(_ waiters: [Int]) -> [String] {
    let count = waiters.filter { graph.threads[$0].wait?.type == .semaphore }.count
    guard graph.strangersPosts == nil, count > 0 else { return [] }
    return [
      "\(count == 1 ? "1 of them waits" : "\(count) of them wait") for semaphores, and who has taken a semaphore is "
        + "not known of this process. Where semaphores are used as locks, as CPython does, these threads may be waiting "
        + "for each other: only a process that was started with lockjaw's library tells."
    ]
  }
}
