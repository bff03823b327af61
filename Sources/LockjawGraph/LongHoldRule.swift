import LockjawModel

/// Holders that keep others waiting for longer than the stall, without being stuck themselves.
///
/// L1. A thread that waits for a lock for longer than the stall is *stalled*. Follow holders from a stalled thread
///     while they are stalled too; the first who is not is to blame, whatever it is doing: running, in a system call,
///     asleep in a wait that is for no lock.
/// L2. The hold itself must be as old as the stall, else the lock merely changes hands (a convoy, which is
///     contention). Its age is known after a contended acquire. Otherwise at least as old as the oldest wait that
///     began when the same thread was the owner already, or whose lock does not say who was.
///     In a core that dates nothing, a holder that sleeps, with others waiting, is shown as one, for what it is; but
///     no more than *suspect*, since it may have slept for a moment only. One that runs is contention there.
/// L3. Who merely waits in front (a pending writer) or is joined holds nothing and is not to blame.
extension Survey {
  mutating func longHolds() -> [RawFinding] {
    var culprits: [Int] = []
    var isCulprit = [Bool](repeating: false, count: nodes.threadNodeCount)
    for waiter in graph.threads.indices where isStalled(waiter) && !isExplained[waiter] {
      for index in nodes.gates[Int(nodes.gateOf[waiter])].range {
        let blocker = nodes.blockers[index]
        let node = Int(blocker.node)
        guard blocker.blocking == .holds, !isCulprit[node] else { continue }
        // Of exited threads `OrphanRule` has said all there is; an owner without a slot may be another process's.
        let isOutside = node >= graph.threads.count
        guard isOutside || (!nodes.isDead[node] && !isStalled(node) && !isExplained[node]) else { continue }
        isCulprit[node] = true
        culprits.append(node)
      }
    }
    return culprits.compactMap { longHold(by: $0) }
  }

  /// Waits for a lock with a known holder, for longer than the stall.
  private func isStalled(_ node: Int) -> Bool {
    waitsForLock(node) && !nodes.gates[Int(nodes.gateOf[node])].isEmpty
      && (isUndated(node) || waitSeconds(node) >= stall)
  }

  /// Asleep in whatever is no wait for a lock.
  private func isAsleep(_ node: Int) -> Bool {
    switch graph.kernel[graph.tid(of: node)] {
    case .systemCall, .futexWait: true
    case .running, .gone, .unknown, nil: false
    }
  }

  private mutating func longHold(by culprit: Int) -> RawFinding? {
    var waiters: [Int] = []
    var oldest = 0.0
    var isWeak = false
    var areDated = false
    var objects: Set<Address> = []
    for gate in Set(nodes.gatesBlocked(by: culprit).map(Int.init)).sorted() where nodes.gates[gate].type.isForShortWaits
    {
      let stalled = nodes.waiters(of: gate).map(Int.init).filter { isStalled($0) && !isExplained[$0] }
      let age = holdSeconds(of: culprit, at: gate)
      let isUndated = stalled.allSatisfy(isUndated)
      guard !stalled.isEmpty, isUndated ? isAsleep(culprit) : age >= stall else { continue }
      oldest = max(oldest, age)
      areDated = areDated || !isUndated
      isWeak = isWeak || nodes.gates[gate].type == .semaphore
      objects.insert(nodes.gates[gate].object)
      waiters += nodes.waiters(of: gate).map(Int.init).filter { !isExplained[$0] }
    }
    guard !waiters.isEmpty else { return nil }
    let tid = graph.tid(of: culprit)
    let locks = objects.count == 1 ? "\(objects.first ?? Address(0))" : "\(objects.count) locks"
    let many = waiters.count == 1 ? "1 thread" : "\(waiters.count) threads"
    var evidence = [
      areDated
        ? "Thread \(tid) has held \(locks)\(oldest < 0.1 ? "" : " for at least \(words(seconds: oldest))"); it keeps \(many) waiting."
        : "Thread \(tid) holds \(locks) and keeps \(many) waiting; \(Self.undated)."
    ]
    let state = graph.kernel[tid]
    if nodes.isDead[culprit] {
      evidence.append("kernel: this process has no thread \(tid); the lock may be shared with another process.")
    } else {
      evidence.append(
        state.map { "kernel: thread \(tid) is \($0.words)." } ?? "kernel: thread \(tid) was not asked what it does.")
    }
    if culprit < graph.threads.count, let wait = graph.threads[culprit].wait {
      evidence.append(
        "arena: thread \(tid) itself waits in a \(wait.type.rawValue) wait on \(wait.object), "
          + (wait.since.isKnown ? "for \(words(seconds: now.seconds(since: wait.since)))." : "since nobody knows when.")
      )
    }
    if isWeak {
      evidence.append("semaphore: the holder is the thread that took its permit last; others could post it.")
    }
    return RawFinding(
      kind: .longHold, certainty: isWeak || !areDated ? .suspect : .inferred, edges: edges(of: waiters, next: culprit),
      members: tids(waiters), bystanders: tids(explain(waiters)), culprit: tid, culpritState: state,
      evidence: evidence)
  }

  /// A lower bound of how long `culprit` has blocked this gate.
  private func holdSeconds(of culprit: Int, at gate: Int) -> Double {
    let tid = graph.tid(of: culprit)
    for index in nodes.gates[gate].range where Int(nodes.blockers[index].node) == culprit {
      let held = Int(nodes.blockers[index].held)
      guard nodes.gates[gate].type != .semaphore, held >= 0, culprit < graph.threads.count,
        held < graph.threads[culprit].held.count
      else { continue }
      if let since = graph.threads[culprit].held[held].since { return now.seconds(since: since) }
    }
    return nodes.waiters(of: gate).map(Int.init).filter { waiter in
      let owner = graph.threads[waiter].wait?.ownerAtBegin
      return owner == nil || owner == tid
    }.map(waitSeconds).max() ?? 0
  }
}
