/// A shortest cycle inside one strongly connected component.
///
/// 1. A component in which no gate has two ways on *is* one cycle.
/// 2. Otherwise every cycle passes a gate with two ways on: a cycle without one could not be left, so it would be
///    the whole component. A breadth-first search from each such gate therefore finds a shortest.
struct CycleSearch {
  /// Arcs followed before the best cycle so far is good enough. A report wants a short cycle; only thousands of
  /// interwoven read locks ever come near this.
  static let arcBudget = 4_000_000

  private let nodes: GraphNodes
  private let componentOf: [Int32]
  private let component: Int32
  private let threadNodes: Int
  private var arcs = 0

  init(_ nodes: GraphNodes, componentOf: [Int32], component: Int32) {
    self.nodes = nodes
    self.componentOf = componentOf
    self.component = component
    threadNodes = nodes.threadNodeCount
  }

  /// The threads of a shortest cycle; each waits at a gate that the next one blocks.
  mutating func shortest(among members: [Int32]) -> [Int] {
    let offset = threadNodes
    let gates = members.compactMap { Int($0) >= offset ? Int($0) - offset : nil }
    var best: [Int] = []
    var hasBranch = false
    for gate in gates where waysOn(from: gate).count > 1 {
      hasBranch = true
      let bound = best.isEmpty ? Int.max : best.count
      if let found = search(from: gate, shorterThan: bound) { best = found }
      if best.count == 1 || arcs > Self.arcBudget { break }
    }
    if !hasBranch, let first = gates.first { best = search(from: first, shorterThan: .max) ?? [] }
    return best
  }

  /// Blockers of the gate that are in the component, each once.
  private func waysOn(from gate: Int) -> Set<Int32> {
    Set(nodes.gates[gate].range.map { nodes.blockers[$0].node }.filter { componentOf[Int($0)] == component })
  }

  private mutating func search(from start: Int, shorterThan bound: Int) -> [Int]? {
    /// By gate: the gate it was reached from and the thread that waits at it.
    var cameBy: [Int: (gate: Int, thread: Int)] = [:]
    var frontier = [start]
    var length = 0
    while !frontier.isEmpty {
      length += 1
      guard length < bound else { return nil }
      var next: [Int] = []
      for gate in frontier {
        for index in nodes.gates[gate].range {
          arcs += 1
          let thread = Int(nodes.blockers[index].node)
          guard componentOf[thread] == component else { continue }
          let target = Int(nodes.gateOf[thread])
          guard cameBy[target] == nil else { continue }
          cameBy[target] = (gate, thread)
          if target == start { return unwind(cameBy, to: start) }
          next.append(target)
        }
      }
      frontier = next
    }
    return nil
  }

  /// The threads on the way from `start` around to `start` again.
  private func unwind(_ cameBy: [Int: (gate: Int, thread: Int)], to start: Int) -> [Int] {
    var threads: [Int] = []
    var gate = start
    while let step = cameBy[gate] {
      threads.append(step.thread)
      gate = step.gate
      if gate == start { break }
    }
    return threads.reversed()
  }
}
