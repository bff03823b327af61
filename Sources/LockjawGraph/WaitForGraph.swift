import LockjawModel

/// Who waits for whom, at one moment.
///
/// The theory stands beside the code, as numbered propositions with a test each: what a wait is for in
/// `Demand.swift`, who holds a lock in `HolderRules.swift`, who can go on in `Peeling.swift`, what a cycle is in
/// `CandidateSearch.swift`, what proves it in `Witnesses.swift`, and everything that is no cycle in `Diagnosis.swift`.
package struct WaitForGraph: Sendable {
  /// A lock whose word the graph would like to see.
  package struct LockReference: Hashable, Sendable {
    package var object: Address
    package var type: LockType
    package init(object: Address, type: LockType) {
      self.object = object
      self.type = type
    }
  }

  package let threads: [ThreadState]
  package let words: [Address: LockWord]
  package private(set) var kernel: [ThreadID: KernelState]
  package let aliveThreads: Set<ThreadID>?
  package let listsEveryThread: Bool
  package let strangersPosts: Set<Address>?
  let nodes: GraphNodes
  let graphNotes: [GraphNote]

  /// Linear in threads and held entries.
  ///
  /// - Parameters:
  ///   - words: decoded lock words, for any of `locksToDecode(threads)`; each missing one costs certainty only.
  ///   - kernel: what the kernel says of threads that were asked; needed only to see woken condition waiters.
  ///   - aliveThreads: every thread id of the process, listed after the words were read, or `nil` where that is not
  ///     known (a dead process).
  ///   - listsEveryThread: `threads` has every thread of the process that ever used a lock, also those that neither
  ///     wait nor hold anything. Only then can "they all wait" be said of a process that cannot be asked any more.
  ///   - strangersPosts: every semaphore that was ever posted by a thread without a permit, also by threads that have
  ///     ended; `nil` where that is not known. Then no semaphore is more than suspected of being used as a lock.
  package init(
    threads: [ThreadState], words: [Address: LockWord] = [:], kernel: [ThreadID: KernelState] = [:],
    aliveThreads: Set<ThreadID>? = nil, listsEveryThread: Bool = false,
    strangersPosts: Set<Address>? = nil
  ) {
    var builder = GraphBuilder(
      threads: threads, words: words, kernel: kernel, aliveThreads: aliveThreads, strangersPosts: strangersPosts ?? [])
    builder.build()
    self.threads = threads
    self.words = words
    self.kernel = kernel
    self.aliveThreads = aliveThreads
    self.listsEveryThread = listsEveryThread
    self.strangersPosts = strangersPosts
    nodes = builder.nodes
    graphNotes = builder.notes
  }

  /// The graph with more of what the kernel said. Built anew only where that changes an edge: a thread turns out to be
  /// gone, or a condition waiter to be woken.
  package func adding(_ states: [ThreadID: KernelState]) -> WaitForGraph {
    let changesEdges =
      states.contains { thread, state in
        state == .gone && kernel[thread] != .gone
      }
      || threads.contains { thread in
        thread.wait?.type == .condition && states[thread.tid] != nil && kernel[thread.tid] == nil
      }
    let all = kernel.merging(states) { $1 }
    if changesEdges {
      return WaitForGraph(
        threads: threads, words: words, kernel: all, aliveThreads: aliveThreads, listsEveryThread: listsEveryThread,
        strangersPosts: strangersPosts)
    }
    var graph = self
    graph.kernel = all
    return graph
  }

  /// The locks somebody waits for, and the mutexes of condition waits, each once: read their words before building
  /// the graph.
  package static func locksToDecode(_ threads: [ThreadState]) -> [LockReference] {
    var seen: Set<LockReference> = []
    var result: [LockReference] = []
    for index in threads.indices {
      guard let wait = threads[index].wait else { continue }
      let reference =
        wait.type == .condition
        ? LockReference(object: wait.companion, type: .mutex) : LockReference(object: wait.object, type: wait.type)
      guard reference.object.rawValue != 0, reference.type.hasHolder, reference.type != .join,
        !reference.type.isKernelObject
      else { continue }
      if seen.insert(reference).inserted { result.append(reference) }
    }
    return result
  }

  /// Where the arena and lock words disagreed, as sentences.
  package var notes: [String] { graphNotes.map(\.text) }

  /// The same, about these locks only.
  func notes(about objects: Set<Address>) -> [String] {
    graphNotes.filter { objects.contains($0.object) }.map(\.text)
  }

  /// Every wait for something that can have a holder, in the order of `threads`; `holders` is empty where none is
  /// known.
  package var edges: [CandidateEdge] {
    var maker = EdgeMaker(self)
    return threads.indices.compactMap { maker.edge(of: $0) }
  }

  func tid(of node: Int) -> ThreadID {
    node < threads.count ? threads[node].tid : nodes.externals[node - threads.count]
  }
}

/// Turns node numbers back into `CandidateEdge`s. Waiters of one gate share one array of holders.
struct EdgeMaker {
  private let graph: WaitForGraph
  private var holdersOf: [Int32: [ThreadID]] = [:]

  init(_ graph: WaitForGraph) { self.graph = graph }

  /// The edge of the thread at `node`, `nil` where it waits at no gate.
  ///
  /// - Parameter next: the blocker to name first: where the cycle goes on.
  mutating func edge(of node: Int, next: Int? = nil) -> CandidateEdge? {
    let nodes = graph.nodes
    guard node < graph.threads.count, nodes.gateOf[node] >= 0, let wait = graph.threads[node].wait else { return nil }
    let gateIndex = nodes.gateOf[node]
    let gate = nodes.gates[Int(gateIndex)]
    var tids = holders(of: gateIndex)
    var first = gate.isEmpty ? nil : nodes.blockers[Int(gate.first)]
    if let next, let position = gate.range.first(where: { Int(nodes.blockers[$0].node) == next }) {
      first = nodes.blockers[position]
      let tid = graph.tid(of: next)
      tids.removeAll { $0 == tid }
      tids.insert(tid, at: 0)
    }
    let hold = first.flatMap { $0.held >= 0 ? graph.threads[Int($0.node)].held[Int($0.held)] : nil }
    return CandidateEdge(
      waiter: graph.threads[node].tid, object: gate.object, type: gate.type, mode: mode(of: wait, at: gate),
      holders: tids, evidence: evidence(of: hold, at: gate), blocking: first?.blocking ?? .unknown,
      holderMode: holderMode(of: first, hold, at: gate), hold: hold, isWeak: gate.opensByAny && gate.type == .semaphore,
      site: wait.site,
      since: wait.since, deadline: graph.hasDeadline(node) ? wait.deadline : nil)
  }

  /// A hold that was found out says how; one that the arena lists is as good as the gate's evidence.
  private func evidence(of hold: Held?, at gate: GraphNodes.Gate) -> HolderEvidence {
    guard let hold, hold.evidence != .arena else { return gate.evidence }
    return hold.evidence
  }

  private mutating func holders(of gate: Int32) -> [ThreadID] {
    if let known = holdersOf[gate] { return known }
    var seen: Set<Int32> = []
    let tids = graph.nodes.gates[Int(gate)].range.compactMap { index -> ThreadID? in
      let node = graph.nodes.blockers[index].node
      return seen.insert(node).inserted ? graph.tid(of: Int(node)) : nil
    }
    holdersOf[gate] = tids
    return tids
  }

  /// A woken condition waiter acquires its mutex, whatever mode its wait began with.
  private func mode(of wait: Wait, at gate: GraphNodes.Gate) -> LockMode {
    wait.type == .condition ? .exclusive : wait.mode
  }

  private func holderMode(of blocker: GraphNodes.Blocker?, _ hold: Held?, at gate: GraphNodes.Gate) -> LockMode? {
    guard let blocker, blocker.blocking == .holds else { return nil }
    if let hold { return hold.mode }
    // Only an owner field names a holder that the arena does not list, and only writers and owners are in one.
    return gate.type == .rwlock ? .write : .exclusive
  }
}
