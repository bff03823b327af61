import LockjawModel

/// Cycles of the wait-for graph, and who is stuck behind each.
///
/// C1. A *lasting* cycle is a strongly connected component of what stays stuck when every wait with a deadline is
///     regarded as able to go on. Its members have no deadline; it never ends by itself.
/// C2. A *timed* cycle is a component of what is stuck for now, without a lasting cycle's member in it.
/// C3. Members are the whole component. The cycle shown is a shortest one inside, except where two or more members
///     hold one rwlock for reading and want to write it: then two of those are shown, since each alone already
///     stops the other.
/// C4. A bystander waits for a cycle without being in one, and belongs to the cycle that is fewest waits away;
///     between equally near ones, to that with the smallest member.
extension WaitForGraph {
  /// Cycles, most serious kind first, then by smallest member.
  package func candidates() -> [Candidate] {
    stuckAnalysis().map(\.candidate).sorted { ($0.kind, $0.members[0]) < ($1.kind, $1.members[0]) }
  }

  struct FoundCycle {
    var candidate: Candidate
    /// Thread nodes of members and bystanders.
    var memberNodes: [Int]
    var bystanderNodes: [Int]
  }

  func stuckAnalysis() -> [FoundCycle] {
    let stuck = Peeling(nodes)
    guard stuck.stuckCount > 0 else { return [] }
    let lasting = StronglyConnected(nodes, within: Peeling(nodes, canGoOn: hasDeadline).isStuck)
    let present = StronglyConnected(nodes, within: stuck.isStuck)

    var found = lasting.components.indices.map { cycle(in: lasting, component: $0, isTimed: false) }
    for index in present.components.indices {
      let isLasting = present.components[index].contains { lasting.componentOf[Int($0)] >= 0 }
      if !isLasting { found.append(cycle(in: present, component: index, isTimed: true)) }
    }
    found.sort { $0.candidate.members[0] < $1.candidate.members[0] }
    assignBystanders(to: &found, within: stuck.isStuck)
    return found
  }

  /// Whether the thread's wait ends by itself. A condition wait's time limit is for the condition: once it
  /// re-acquires the mutex, it waits without limit. And a limit past the end of the clock (584 years) is none.
  func hasDeadline(_ node: Int) -> Bool {
    guard node < threads.count, let wait = threads[node].wait else { return false }
    guard let deadline = wait.deadline, deadline.nanoseconds < .max else { return false }
    return wait.type != .condition || nodes.gateOf[node] < 0
  }

  // MARK: one component

  private func cycle(in components: StronglyConnected, component: Int, isTimed: Bool) -> FoundCycle {
    let all = components.components[component]
    let members = all.map(Int.init).filter { $0 < nodes.threadNodeCount }.sorted { tid(of: $0) < tid(of: $1) }
    var shown = mutualUpgrade(among: members, at: all)
    let isMutualUpgrade = !shown.isEmpty
    if !isMutualUpgrade {
      var search = CycleSearch(nodes, componentOf: components.componentOf, component: Int32(component))
      shown = search.shortest(among: all)
    }
    if let start = shown.indices.min(by: { tid(of: shown[$0]) < tid(of: shown[$1]) }) {
      shown = Array(shown[start...] + shown[..<start])
    }
    var maker = EdgeMaker(self)
    let edges = shown.indices.compactMap { maker.edge(of: shown[$0], next: shown[($0 + 1) % shown.count]) }
    let memberEdges = members.compactMap { maker.edge(of: $0) }
    let objects = Set(memberEdges.map(\.object))
    let candidate = Candidate(
      kind: isTimed ? .timedCycle : isMutualUpgrade ? .upgradeDeadlock : kind(of: edges, shown),
      members: members.map(tid(of:)), cycle: edges, memberEdges: memberEdges, hasDeadline: isTimed,
      hasUnknownPosts: strangersPosts == nil && memberEdges.contains(where: \.isWeak),
      notes: graphNotes.filter { objects.contains($0.object) && !$0.isHeardInCycles }.map(\.text))
    return FoundCycle(candidate: candidate, memberNodes: members, bystanderNodes: [])
  }

  /// Two members with the smallest ids that both hold one rwlock for reading and both wait to write it.
  private func mutualUpgrade(among members: [Int], at component: [Int32]) -> [Int] {
    let isMember = Set(members)
    for gate in component.lazy.map({ Int($0) - self.nodes.threadNodeCount }) where gate >= 0 {
      guard nodes.gates[gate].type == .rwlock, !nodes.gates[gate].isRead else { continue }
      let upgraders = Set(
        nodes.gates[gate].range.compactMap { index -> Int? in
          let node = Int(nodes.blockers[index].node)
          // A member's one way on is its gate; a timed upgrader may wait at this gate and be no member.
          guard isMember.contains(node), nodes.gateOf[node] == Int32(gate) else { return nil }
          return heldMode(nodes.blockers[index]) == .read ? node : nil
        })
      if upgraders.count > 1 { return Array(upgraders.sorted { tid(of: $0) < tid(of: $1) }.prefix(2)) }
    }
    return []
  }

  private func heldMode(_ blocker: GraphNodes.Blocker) -> LockMode? {
    guard blocker.held >= 0, Int(blocker.node) < threads.count, blocker.blocking == .holds else { return nil }
    let held = threads[Int(blocker.node)].held
    return Int(blocker.held) < held.count ? held[Int(blocker.held)].mode : nil
  }

  /// The name of a lasting cycle that is no mutual upgrade.
  private func kind(of cycle: [CandidateEdge], _ shown: [Int]) -> FindingKind {
    if cycle.contains(where: { $0.type == .join }) { return .joinCycle }
    if cycle.count == 1 { return .selfDeadlock }
    guard let lock = cycle.first?.object, cycle.allSatisfy({ $0.type == .rwlock && $0.object == lock }) else {
      return .deadlock
    }
    // A reader that is already inside waits behind a writer that waits for it.
    let isRecursiveRead = cycle.indices.contains { index in
      cycle[index].mode == .read && cycle[index].blocking == .pendingWriter
        && threads[shown[index]].held.contains { $0.object == lock && $0.type == .rwlock && $0.mode == .read }
    }
    return isRecursiveRead ? .recursiveReadDeadlock : .deadlock
  }

  // MARK: bystanders

  /// One breadth-first search backwards from all members at once. Sources are queued in the order of `found`, so the
  /// labels within one distance never decrease and the first to arrive is the one C4 asks for.
  private func assignBystanders(to found: inout [FoundCycle], within isStuck: [Bool]) {
    var cycleOf = [Int32](repeating: -1, count: nodes.threadNodeCount)
    var queue: [Int] = []
    for index in found.indices {
      for node in found[index].memberNodes {
        cycleOf[node] = Int32(index)
        queue.append(node)
      }
    }
    var visitedGates = [Bool](repeating: false, count: nodes.gates.count)
    var next = 0
    while next < queue.count {
      let node = queue[next]
      next += 1
      for gate in nodes.gatesBlocked(by: node).map(Int.init) where !visitedGates[gate] {
        guard isStuck[nodes.threadNodeCount + gate] else { continue }
        visitedGates[gate] = true
        for waiter in nodes.waiters(of: gate).map(Int.init) where cycleOf[waiter] < 0 {
          cycleOf[waiter] = cycleOf[node]
          found[Int(cycleOf[node])].bystanderNodes.append(waiter)
          queue.append(waiter)
        }
      }
    }
    for index in found.indices {
      found[index].candidate.bystanders = found[index].bystanderNodes.map(tid(of:)).sorted()
    }
  }
}
