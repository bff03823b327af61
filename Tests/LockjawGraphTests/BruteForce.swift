import LockjawModel

/// The oracle: the rules of the graph once more, written without gates, peeling or Tarjan, in cubic time.
///
/// It reads a `Scene`'s truth (not the graph's edges), so that it can disagree with both halves of the code: with who
/// waits for whom, and with what follows from it.
struct BruteForce {
  struct Cycle: Equatable {
    var members: [ThreadID]
    var bystanders: [ThreadID]
    var isTimed: Bool
  }

  let threads: [ThreadState]
  /// `waitsFor[i][j]`: thread i waits for thread j.
  private(set) var waitsFor: [[Bool]]
  private let opensByAny: [Bool]
  private let isTimed: [Bool]

  init(_ scene: Scene, prefersWriters: Bool) {
    threads = scene.threads
    let count = threads.count
    waitsFor = Array(repeating: Array(repeating: false, count: count), count: count)
    opensByAny = threads.map { $0.wait?.type == .semaphore }
    isTimed = threads.map { $0.wait?.deadline != nil }
    for waiter in 0..<count {
      guard let wait = threads[waiter].wait else { continue }
      for other in 0..<count {
        let blocks =
          switch wait.type {
          case .mutex: threads[other].held.contains { $0.object == wait.object }
          case .rwlock:
            threads[other].held.contains { $0.object == wait.object && (wait.mode == .write || $0.mode == .write) }
              || (wait.mode == .read && prefersWriters && threads[other].wait?.object == wait.object
                && threads[other].wait?.mode == .write)
          case .join: wait.companion.rawValue == UInt64(threads[other].tid.rawValue)
          case .semaphore:
            threads[other].permits.contains { $0.object == wait.object } && threads[other].wait?.object != wait.object
          default: false
          }
        if blocks { waitsFor[waiter][other] = true }
      }
    }
  }

  /// Who can never go on: start with every waiter, take away until nothing changes.
  private func stuck(timedGoOn: Bool) -> [Bool] {
    var stuck = threads.indices.map { waitsFor[$0].contains(true) && !(timedGoOn && isTimed[$0]) }
    var changed = true
    while changed {
      changed = false
      for waiter in threads.indices where stuck[waiter] {
        let blockers = threads.indices.filter { waitsFor[waiter][$0] }
        let isOpen =
          opensByAny[waiter] ? blockers.contains { !stuck[$0] } : !blockers.contains { stuck[$0] }
        if isOpen {
          stuck[waiter] = false
          changed = true
        }
      }
    }
    return stuck
  }

  /// Floyd and Warshall's transitive closure over the stuck threads, then mutual reachability.
  private func components(of stuck: [Bool]) -> [[Int]] {
    let count = threads.count
    var reaches = waitsFor
    for i in 0..<count {
      for j in 0..<count where !stuck[i] || !stuck[j] { reaches[i][j] = false }
    }
    for k in 0..<count {
      for i in 0..<count where reaches[i][k] {
        for j in 0..<count where reaches[k][j] { reaches[i][j] = true }
      }
    }
    var isTaken = [Bool](repeating: false, count: count)
    var result: [[Int]] = []
    for i in 0..<count where reaches[i][i] && !isTaken[i] {
      let members = (0..<count).filter { reaches[i][$0] && reaches[$0][i] }
      for member in members { isTaken[member] = true }
      result.append(members)
    }
    return result
  }

  /// By smallest member.
  func cycles() -> [Cycle] {
    let lasting = components(of: stuck(timedGoOn: true))
    let inLasting = Set(lasting.flatMap { $0 })
    let timed = components(of: stuck(timedGoOn: false)).filter { inLasting.isDisjoint(with: $0) }
    var found = (lasting.map { ($0, false) } + timed.map { ($0, true) })
      .sorted { smallest($0.0) < smallest($1.0) }
      .map { (members: $0.0, isTimed: $0.1, bystanders: [Int]()) }
    // Distances by relaxation until nothing changes; ties to the cycle that comes first.
    let stuck = stuck(timedGoOn: false)
    var best = [(distance: Int, cycle: Int)](repeating: (.max, .max), count: threads.count)
    for index in found.indices { for member in found[index].members { best[member] = (0, index) } }
    var changed = true
    while changed {
      changed = false
      for waiter in threads.indices where stuck[waiter] && best[waiter].distance > 0 {
        for blocker in threads.indices where waitsFor[waiter][blocker] && best[blocker].distance < .max {
          let way = (best[blocker].distance + 1, best[blocker].cycle)
          if way < best[waiter] {
            best[waiter] = way
            changed = true
          }
        }
      }
    }
    for node in threads.indices where best[node].distance > 0 && best[node].distance < .max {
      found[best[node].cycle].bystanders.append(node)
    }
    return found.map { cycle in
      Cycle(members: tids(cycle.members), bystanders: tids(cycle.bystanders), isTimed: cycle.isTimed)
    }
  }

  /// Length of a shortest cycle among these members that uses no timed wait, unless `isTimed`.
  func shortestCycle(among members: [ThreadID]) -> Int {
    let nodes = threads.indices.filter { members.contains(threads[$0].tid) }
    var best = Int.max
    for start in nodes {
      var distance = [start: 0]
      var queue = [start]
      while !queue.isEmpty {
        let node = queue.removeFirst()
        for next in nodes where waitsFor[node][next] {
          if next == start { best = min(best, (distance[node] ?? 0) + 1) }
          if distance[next] == nil {
            distance[next] = (distance[node] ?? 0) + 1
            queue.append(next)
          }
        }
      }
    }
    return best
  }

  private func smallest(_ nodes: [Int]) -> ThreadID { nodes.map { threads[$0].tid }.min() ?? ThreadID(0) }
  private func tids(_ nodes: [Int]) -> [ThreadID] { nodes.map { threads[$0].tid }.sorted() }
}
