import LockjawModel

/// Locks whose holder is gone.
///
/// O1. A lock that somebody waits for is orphaned when a thread in its waiters' way holds it and no longer exists.
/// O2. *Proven*: the arena has the exited thread's entry for it, the word agrees, and the kernel has no such thread.
///     With a witness missing, *inferred*.
/// O3. Where only the word names the dead owner, it may have unlocked and exited between our looks: the waiter must
///     have waited for longer than the stall. The same holds for robust mutexes, whose waiters the kernel wakes when
///     the owner dies.
/// O4. A process-shared mutex that only the word says is owned by a stranger may be owned in another process; and a
///     robust one whose word names an owner has a living one, since the kernel would have taken a dead one out.
///     Neither is an orphan.
/// O5. *Suspect* where only the word names the owner and a living thread may have the lock under that number: one that
///     lists the lock itself, or one whose list lacks entries. A thread that has forked goes on in the child with what it
///     held, and there the words keep the number it had in its parent.
extension Survey {
  mutating func orphanedLocks() -> [RawFinding] {
    struct Orphan: Hashable {
      var object: Address
      var owner: Int32
    }
    var order: [Orphan] = []
    var gatesOf: [Orphan: (gates: [Int], held: Int32)] = [:]
    for gate in nodes.gates.indices where !nodes.gates[gate].opensByAny {
      for index in nodes.gates[gate].range {
        let blocker = nodes.blockers[index]
        guard blocker.blocking == .holds, nodes.isDead[Int(blocker.node)] else { continue }
        let orphan = Orphan(object: nodes.gates[gate].object, owner: blocker.node)
        if gatesOf[orphan] == nil { order.append(orphan) }
        gatesOf[orphan, default: ([], blocker.held)].gates.append(gate)
      }
    }
    return order.compactMap { orphan in
      guard let (gates, held) = gatesOf[orphan] else { return nil }
      return orphanedLock(orphan.object, owner: Int(orphan.owner), isListed: held >= 0, gates: gates)
    }
  }

  private mutating func orphanedLock(
    _ object: Address, owner: Int, isListed: Bool, gates: [Int]
  ) -> RawFinding? {
    let waiters = Set(gates.flatMap { nodes.waiters(of: $0).map(Int.init) }).filter { !isExplained[$0] }.sorted()
    guard !waiters.isEmpty else { return nil }
    let word = graph.words[object]
    let variant = word?.variant ?? ""
    let hasLasted = waiters.contains(where: hasLasted)
    if !isListed, variant.contains("process-shared") || variant.contains("robust") { return nil }
    if !isListed || variant.contains("robust"), !hasLasted { return nil }

    let tid = graph.tid(of: owner)
    let name = "\(nodes.gates[gates[0]].type.rawValue) \(object)"
    var certainty = Certainty.proven
    var evidence: [String] = []
    func hear(_ agrees: Bool, _ agreeing: String, _ missing: String) {
      if !agrees { certainty = .inferred }
      evidence.append(agrees ? agreeing : missing)
    }
    hear(
      isListed, "arena: thread \(tid) exited while it held \(name).",
      "arena: it has no entry of thread \(tid) for \(name); only the lock's word names it.")
    hear(
      word.map { $0.owner == tid || ($0.readerCount ?? 0) > 0 } ?? false,
      "lock word: \(name) is still taken (\(word?.description ?? "")).",
      "lock word: the word of \(name) could not be read, or does not name its holder.")
    hear(
      graph.aliveThreads.map { !$0.contains(tid) } ?? (graph.kernel[tid] == .gone),
      "kernel: there is no thread \(tid) any more.",
      "kernel: whether a thread \(tid) exists was not asked, or one does: ids are reused.")
    if !isListed, let other = possibleHolder(of: object) {
      certainty = .suspect
      evidence.append(other)
    }
    let finding = RawFinding(
      kind: .orphanedLock, certainty: certainty, edges: edges(of: waiters, next: owner), members: tids(waiters),
      bystanders: tids(explain(waiters)), culprit: tid, culpritState: .gone, evidence: evidence)
    return finding
  }

  /// O5: a sentence; `nil` where no living thread is known that could have the lock under another's number.
  private func possibleHolder(of object: Address) -> String? {
    let live = graph.threads.indices.lazy.filter { graph.threads[$0].phase == .live && !nodes.isDead[$0] }
    if let lister = live.first(where: { graph.threads[$0].held.contains { $0.object == object } }) {
      return "arena: thread \(graph.threads[lister].tid) lists it, and may have it under an older number."
    }
    return live.first { graph.threads[$0].heldIsIncomplete }.map {
      "arena: the list of thread \(graph.threads[$0].tid) lacks locks that it took before it had one, before a fork for "
        + "example; this may be one of them."
    }
  }
}
