/// Strongly connected components of the stuck part of a graph.
///
/// Tarjan's algorithm (SIAM J. Comput. 1(2), 1972) with its recursion unrolled into an array: a chain of ten thousand
/// waiters must not become ten thousand stack frames.
struct StronglyConnected {
  /// The component of each node, numbered in the order in which Tarjan closes them; -1: not stuck, or on no cycle.
  private(set) var componentOf: [Int32]
  /// Node indices of each component on a cycle. A component has threads and gates; a thread that waits for itself is
  /// one of each.
  private(set) var components: [[Int32]]

  init(_ nodes: GraphNodes, within isIncluded: [Bool]) {
    let threadNodes = nodes.threadNodeCount
    let count = isIncluded.count
    componentOf = [Int32](repeating: -1, count: count)
    components = []

    var index = [Int32](repeating: -1, count: count)
    var low = [Int32](repeating: 0, count: count)
    var isOpen = [Bool](repeating: false, count: count)
    var open: [Int32] = []
    /// The unrolled recursion: a node, and which of its arcs to follow next.
    var path: [(node: Int32, arc: Int32)] = []
    var counter: Int32 = 0

    for root in 0..<count where isIncluded[root] && index[root] < 0 {
      path.append((Int32(root), 0))
      while let (current, arc) = path.last {
        let node = Int(current)
        if arc == 0 {
          index[node] = counter
          low[node] = counter
          counter += 1
          open.append(current)
          isOpen[node] = true
        }
        if let target = Self.successor(of: node, arc: Int(arc), in: nodes, threadNodes: threadNodes) {
          path[path.count - 1].arc = arc + 1
          guard isIncluded[target] else { continue }
          if index[target] < 0 {
            path.append((Int32(target), 0))
          } else if isOpen[target] {
            low[node] = min(low[node], index[target])
          }
          continue
        }
        path.removeLast()
        if let parent = path.last { low[Int(parent.node)] = min(low[Int(parent.node)], low[node]) }
        if low[node] == index[node] { close(at: current, open: &open, isOpen: &isOpen) }
      }
    }
  }

  private static func successor(of node: Int, arc: Int, in nodes: GraphNodes, threadNodes: Int) -> Int? {
    if node < threadNodes {
      return arc == 0 && nodes.gateOf[node] >= 0 ? threadNodes + Int(nodes.gateOf[node]) : nil
    }
    let gate = nodes.gates[node - threadNodes]
    return arc < gate.range.count ? Int(nodes.blockers[Int(gate.first) + arc].node) : nil
  }

  /// Takes a finished component off the stack. One node alone is on no cycle: no thread is its own gate.
  private mutating func close(at root: Int32, open: inout [Int32], isOpen: inout [Bool]) {
    var members: [Int32] = []
    while let node = open.popLast() {
      isOpen[Int(node)] = false
      members.append(node)
      if node == root { break }
    }
    guard members.count > 1 else { return }
    members.sort()
    for node in members { componentOf[Int(node)] = Int32(components.count) }
    components.append(members)
  }
}
