import LockjawModel

/// Hangs whose holder nobody knows.
///
/// U1. A wait without a deadline for a lock (mutex, rwlock, spinlock, PI futex, once) that has no known holder and
///     lasts for longer than the stall is a hang: locks are not for waiting. In a core that dates no wait, where every
///     thread sleeps. A waiter that the kernel has running is none: it was woken, and is about to have the lock, which
///     the old holder no longer has and the new one does not have yet. Only at a spinlock do waiters run.
/// U2. A wait on a plain futex or semaphore is ordinary, since anyone may end it (every idle worker of a Rust or
///     Swift program sleeps like that). It is a hang only where nobody is left to end it: *every* thread of the
///     process sleeps in a futex wait, none with a deadline, and one of these for longer than the stall.
/// U3. Of a dead process the kernel cannot be asked. There U2 asks that every thread in the arena waits, and that all
///     of them are listed.
/// U4. Never more than *suspect*: what has no known holder proves nothing.
/// U5. Where a cycle or an orphaned lock explains the hang already, U2 has nothing to add.
extension Survey {
  mutating func unknownHangs(isExplained isHangExplained: Bool) -> [RawFinding] {
    let unheld = graph.threads.indices.filter { isUnheldLockWait($0) && !isExplained[$0] }
    let isStill = everybodySleeps
    var waiters = unheld.filter {
      (isUndated($0) ? isStill : waitSeconds($0) >= stall) && !hasDeadline($0) && !isAwake($0)
    }
    var evidence: [String] = waiters.isEmpty ? [] : words(ofLocks: waiters)
    if waiters.contains(where: isUndated) { evidence.append("They wait, \(Self.undated).") }
    evidence += dissents(waiters)
    if !isHangExplained, let reason = nobodyIsAwake() {
      let asleep = graph.threads.indices.filter { isSignalWait($0) && !isExplained[$0] }
      if asleep.contains(where: hasLasted) {
        waiters += asleep
        evidence.append(reason)
      }
    }
    guard !waiters.isEmpty else { return [] }
    for waiter in waiters { isExplained[waiter] = true }
    return [
      RawFinding(
        kind: .hangUnknown, certainty: .suspect,
        edges: waiters.compactMap { edge(ofUnheld: $0) }.sorted {
          ($0.since, $0.waiter) < ($1.since, $1.waiter)
        }, members: tids(waiters), evidence: evidence)
    ]
  }

  /// Waiters that the kernel has doing something else; the first few.
  private func dissents(_ waiters: [Int]) -> [String] {
    waiters.lazy.compactMap { node -> String? in
      let (tid, type) = (graph.threads[node].tid, nodes.gates[Int(nodes.gateOf[node])].type)
      // What the kernel keeps is waited for in other calls.
      if type.isKernelObject { return nil }
      switch graph.kernel[tid] {
      case .futexWait, .running, .unknown, nil: return nil
      case .systemCall, .gone:
        let state = graph.kernel[tid].map(\.words) ?? ""
        return "kernel: thread \(tid) is \(state), not asleep for the \(type.rawValue)."
      }
    }.prefix(8).map { $0 }
  }

  /// Running, at a lock that is waited for asleep.
  private func isAwake(_ node: Int) -> Bool {
    graph.kernel[graph.threads[node].tid] == .running && nodes.gates[Int(nodes.gateOf[node])].type != .spinlock
  }

  /// U1's kind of wait: for a real lock, at a gate without a blocker.
  private func isUnheldLockWait(_ node: Int) -> Bool {
    guard waitsForLock(node) else { return false }
    let gate = nodes.gates[Int(nodes.gateOf[node])]
    return gate.isEmpty && gate.type != .semaphore
  }

  /// U2's kind of wait: for a plain futex, or a semaphore that nobody is known to have.
  private func isSignalWait(_ node: Int) -> Bool {
    guard !nodes.isDead[node], let wait = graph.threads[node].wait else { return false }
    if wait.type == .futex { return true }
    guard wait.type == .semaphore, nodes.gateOf[node] >= 0 else { return false }
    return nodes.gates[Int(nodes.gateOf[node])].isEmpty
  }

  /// Why nobody can end anybody's wait, as a sentence; `nil` where somebody may.
  private func nobodyIsAwake() -> String? {
    let live = graph.threads.indices.filter { !nodes.isDead[$0] }
    guard !live.isEmpty, !live.contains(where: hasDeadline) else { return nil }
    let tids = graph.aliveThreads ?? Set(live.map { graph.threads[$0].tid })
    if graph.kernel.isEmpty, graph.aliveThreads == nil {
      guard graph.listsEveryThread, live.allSatisfy({ graph.threads[$0].wait != nil }) else { return nil }
      return "arena: all \(live.count) threads that it knows wait without a time limit; the kernel was not asked."
    }
    for tid in tids {
      guard case .futexWait? = graph.kernel[tid] else { return nil }
    }
    guard tids.count > 1 else {
      return "kernel: its only thread sleeps in a futex wait that is not known to have a time limit."
    }
    return "kernel: all \(tids.count) threads sleep in futex waits, and none of these is known to have a time limit."
  }

  private mutating func edge(ofUnheld node: Int) -> CandidateEdge? {
    if let edge = edges.edge(of: node) { return edge }
    guard let wait = graph.threads[node].wait else { return nil }
    return CandidateEdge(
      waiter: graph.threads[node].tid, object: wait.object, type: wait.type, mode: wait.mode, holders: [],
      evidence: .none, blocking: .unknown, site: wait.site, since: wait.since, deadline: wait.deadline)
  }

  /// What the words of the locks say, the first few.
  private func words(ofLocks waiters: [Int]) -> [String] {
    var seen: Set<Address> = []
    var sentences: [String] = []
    for waiter in waiters {
      let gate = nodes.gates[Int(nodes.gateOf[waiter])]
      guard seen.insert(gate.object).inserted, sentences.count < 8 else { continue }
      let name = "\(gate.type.rawValue) \(gate.object)"
      sentences.append(
        graph.words[gate.object].map { "lock word: \(name) is \($0.description), and nobody is known to hold it." }
          ?? "lock word: the word of \(name) could not be read, and nobody is known to hold it.")
    }
    return sentences
  }
}
