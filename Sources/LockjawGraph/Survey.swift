import LockjawModel

/// What the rules share: how long each thread has waited, and whose wait is explained already.
struct Survey {
  let graph: WaitForGraph
  let now: Instant
  let stall: Double
  /// Nobody recorded when the process ended: every wait has lasted until `now`, and perhaps for long after it.
  let isEndUnknown: Bool
  /// By thread index: a finding has said why this thread waits.
  var isExplained: [Bool]
  var edges: EdgeMaker
  /// Members of each cycle that was reported.
  private var cycleMembers: Set<[ThreadID]> = []

  init(_ graph: WaitForGraph, now: Instant, stall: Double, isEndUnknown: Bool = false) {
    self.isEndUnknown = isEndUnknown
    self.graph = graph
    self.now = now
    self.stall = stall
    isExplained = [Bool](repeating: false, count: graph.threads.count)
    edges = EdgeMaker(graph)
  }

  var nodes: GraphNodes { graph.nodes }

  /// Seconds the thread at `node` has waited; 0 where it does not wait or has no slot.
  func waitSeconds(_ node: Int) -> Double {
    guard node < graph.threads.count, let since = graph.threads[node].wait?.since else { return 0 }
    return now.seconds(since: since)
  }

  /// Whether the wait is as old as the stall, or nobody knows how old it is: a core that someone took of a process was
  /// taken for a reason.
  func hasLasted(_ node: Int) -> Bool {
    guard node < graph.threads.count, let since = graph.threads[node].wait?.since else { return false }
    return !since.isKnown || now.seconds(since: since) >= stall
  }

  /// The thread waits, and nobody knows since when: a core that the kernel or gcore wrote.
  func isUndated(_ node: Int) -> Bool {
    node < graph.threads.count && graph.threads[node].wait.map { !$0.since.isKnown } ?? false
  }

  /// Every thread that the kernel was asked about sleeps, and it was asked about every one there is.
  var everybodySleeps: Bool {
    guard let alive = graph.aliveThreads, !alive.isEmpty else { return false }
    return alive.allSatisfy { tid in
      switch graph.kernel[tid] {
      case .futexWait, .systemCall: true
      case .running, .gone, .unknown, nil: false
      }
    }
  }

  static let undated =
    "for how long is not known: nothing here says when the threads last ran, and what lasts a moment looks the same"

  private static let ageUnknown =
    "arena: nobody recorded when the process ended, so how long these threads had waited by then is not known. For a moment, "
    + "threads that another is about to wake look the same."

  /// Whether the thread waits for a lock. A thread's end, a child's, or data from a peer is none.
  func waitsForLock(_ node: Int) -> Bool {
    guard nodes.gateOf[node] >= 0 else { return false }
    return nodes.gates[Int(nodes.gateOf[node])].type.isForShortWaits
  }

  func hasDeadline(_ node: Int) -> Bool { graph.hasDeadline(node) }

  /// The edges of these threads, longest wait first.
  mutating func edges(of threads: [Int], next: Int? = nil) -> [CandidateEdge] {
    threads.compactMap { edges.edge(of: $0, next: next) }
      .sorted { ($0.since, $0.waiter) < ($1.since, $1.waiter) }
  }

  /// Marks `waiters` explained, and everyone who waits for them, directly or not; returns the latter.
  mutating func explain(_ waiters: [Int]) -> [Int] {
    for waiter in waiters { isExplained[waiter] = true }
    var behind: [Int] = []
    var queue = waiters
    while let node = queue.popLast() {
      for gate in nodes.gatesBlocked(by: node).map(Int.init) where !nodes.gates[gate].opensByAny {
        for waiter in nodes.waiters(of: gate).map(Int.init) where !isExplained[waiter] {
          isExplained[waiter] = true
          behind.append(waiter)
          queue.append(waiter)
        }
      }
    }
    return behind
  }

  func tids(_ nodes: [Int]) -> [ThreadID] { nodes.map(graph.tid(of:)).sorted() }

  /// "14.2 s", for sentences. Rounded down: it is at least that long. The kernel's clock of sleeps has ticks, so what
  /// is shorter is not told apart.
  func words(seconds: Double) -> String {
    let tenths = (min(max(seconds, 0), 1e12) * 10).rounded(.down)
    return tenths < 1 ? "less than 0.1 s" : Elapsed.words(tenths / 10)
  }

  // MARK: cycles

  /// Found by `cycles`, not by one of the other rules.
  func isOfCycle(_ finding: RawFinding) -> Bool { cycleMembers.contains(finding.members) }

  /// Every candidate that its witnesses do not refute. One with a semaphore in it may only be a queue whose other end is
  /// busy: it must have lasted for longer than the stall; so must one in a process whose threads release each other's locks, where
  /// a mutex may be a signal. What a process left that ended nobody knows when may have lasted so long: that is *suspect*.
  mutating func cycles(_ witnesses: Witnesses?) -> [RawFinding] {
    var findings: [RawFinding] = []
    for found in graph.stuckAnalysis() {
      let hasSemaphore = found.candidate.memberEdges.contains(where: \.isWeak)
      var judgement =
        witnesses?.judge(found.candidate)
        ?? Judgement(
          certainty: hasSemaphore ? .suspect : .inferred,
          evidence: ["Only one look was taken, so no witness was heard."])
      guard !judgement.isRefuted else { continue }
      let mayBeSignals = hasSemaphore || (witnesses?.foreignReleases ?? 0) > 0
      if mayBeSignals, found.memberNodes.contains(where: { waitSeconds($0) < stall }) {
        guard isEndUnknown else { continue }
        judgement.certainty = .suspect
        judgement.evidence.append(Self.ageUnknown)
      }
      for node in found.memberNodes + found.bystanderNodes { isExplained[node] = true }
      cycleMembers.insert(found.candidate.members)
      findings.append(
        RawFinding(
          kind: found.candidate.kind, certainty: judgement.certainty, edges: found.candidate.cycle,
          members: found.candidate.members, bystanders: found.candidate.bystanders,
          evidence: judgement.evidence + found.candidate.notes))
    }
    return findings
  }
}
