import LockjawModel

/// Turns thread states into `GraphNodes`: who waits at which gate, and who blocks it. The rules that say who holds a
/// lock stand in `HolderRules.swift`.
struct GraphBuilder {
  /// A lock somebody waits for.
  struct Lock {
    var object: Address
    var type: LockType
    /// Heads and tails of lists through `holdings`; in the order of the threads.
    var firstHolding: Int32 = -1
    var lastHolding: Int32 = -1
    var readGate: Int32 = -1
    var exclusiveGate: Int32 = -1
    /// Semaphores: somebody posted it without having taken a permit.
    var hasStrangersPost = false
    /// A lock of another type that was waited for at the same address; -1: none.
    var sameAddress: Int32 = -1
  }

  /// An entry in a thread's held list, or among its permits, for a lock somebody waits for.
  struct Holding {
    var node: Int32
    /// Index in `held`; of a semaphore in `permits`.
    var held: Int32
    var mode: LockMode
    var next: Int32
  }

  let threads: [ThreadState]
  let words: [Address: LockWord]
  let kernel: [ThreadID: KernelState]
  let aliveThreads: Set<ThreadID>?
  let strangersPosts: Set<Address>

  var nodes = GraphNodes()
  var notes: [GraphNote] = []
  private(set) var locks: [Lock] = []
  private(set) var holdings: [Holding] = []
  private var lockAt: [Address: Int32] = [:]
  private var nodeOf: [ThreadID: Int32] = [:]
  private var nodeOfPthread: [Address: Int32]?

  init(
    threads: [ThreadState], words: [Address: LockWord], kernel: [ThreadID: KernelState],
    aliveThreads: Set<ThreadID>?, strangersPosts: Set<Address>
  ) {
    self.threads = threads
    self.words = words
    self.kernel = kernel
    self.aliveThreads = aliveThreads
    self.strangersPosts = strangersPosts
  }

  mutating func build() {
    indexThreads()
    collectDemands()
    nodes.indexWaiters()
    collectHoldings()
    for lock in locks.indices { resolve(lock) }
    nodes.indexWaiters()
    nodes.indexBlocked()
  }

  // MARK: threads

  private mutating func indexThreads() {
    nodes.gateOf = [Int32](repeating: -1, count: threads.count)
    nodes.isDead = [Bool](repeating: false, count: threads.count)
    nodeOf.reserveCapacity(threads.count)
    for index in threads.indices {
      let isDead = threads[index].phase != .live || isGone(threads[index].tid)
      nodes.isDead[index] = isDead
      // Thread ids are reused: the living owner of an id goes before one that exited with it.
      if isDead, nodeOf[threads[index].tid] != nil { continue }
      nodeOf[threads[index].tid] = Int32(index)
    }
  }

  private func isGone(_ tid: ThreadID) -> Bool {
    if let aliveThreads, !aliveThreads.contains(tid) { return true }
    return !kernel.isEmpty && kernel[tid] == .gone
  }

  /// The node of a thread id that a lock word or a join names; an external node where it has no slot.
  mutating func node(of tid: ThreadID) -> Int32 {
    if let node = nodeOf[tid] { return node }
    let node = Int32(nodes.gateOf.count)
    nodes.gateOf.append(-1)
    nodes.isDead.append(isGone(tid))
    nodes.externals.append(tid)
    nodeOf[tid] = node
    return node
  }

  func tid(of node: Int32) -> ThreadID {
    Int(node) < threads.count ? threads[Int(node)].tid : nodes.externals[Int(node) - threads.count]
  }

  /// The live thread with this `pthread_t`.
  mutating func node(ofPthread pthread: Address) -> Int32? {
    if nodeOfPthread == nil {
      var table: [Address: Int32] = [:]
      for index in threads.indices where !nodes.isDead[index] && threads[index].pthread.rawValue != 0 {
        table[threads[index].pthread] = Int32(index)
      }
      nodeOfPthread = table
    }
    return nodeOfPthread?[pthread]
  }

  // MARK: waits

  private mutating func collectDemands() {
    lockAt.reserveCapacity(threads.count)
    for index in threads.indices where !nodes.isDead[index] {
      guard let wait = threads[index].wait, wait.sequence & 1 == 1,
        let demand = Demand(wait, by: threads[index].tid, words: words, kernel: kernel)
      else { continue }
      let lock = lockIndex(for: demand)
      nodes.gateOf[index] = gate(of: lock, isRead: demand.isRead)
    }
  }

  private mutating func lockIndex(for demand: Demand) -> Int {
    guard var index = lockAt[demand.object] else {
      lockAt[demand.object] = Int32(locks.count)
      locks.append(Lock(object: demand.object, type: demand.type))
      return locks.count - 1
    }
    while locks[Int(index)].type != demand.type {
      guard locks[Int(index)].sameAddress >= 0 else {
        locks[Int(index)].sameAddress = Int32(locks.count)
        locks.append(Lock(object: demand.object, type: demand.type))
        return locks.count - 1
      }
      index = locks[Int(index)].sameAddress
    }
    return Int(index)
  }

  private mutating func gate(of lock: Int, isRead: Bool) -> Int32 {
    let known = isRead ? locks[lock].readGate : locks[lock].exclusiveGate
    guard known < 0 else { return known }
    let gate = Int32(nodes.gates.count)
    nodes.gates.append(
      GraphNodes.Gate(
        object: locks[lock].object, type: locks[lock].type, isRead: isRead, evidence: .none, opensByAny: false,
        first: 0, end: 0))
    if isRead { locks[lock].readGate = gate } else { locks[lock].exclusiveGate = gate }
    return gate
  }

  // MARK: holds

  private mutating func collectHoldings() {
    guard !locks.isEmpty else { return }
    for index in threads.indices {
      for held in threads[index].held.indices {
        let lock = lockIndex(at: threads[index].held[held].object, threads[index].held[held].type)
        guard lock >= 0 else { continue }
        append(
          Holding(node: Int32(index), held: Int32(held), mode: threads[index].held[held].mode, next: -1),
          to: Int(lock))
      }
      for permit in threads[index].permits.indices where threads[index].permits[permit].count > 0 {
        let lock = lockIndex(at: threads[index].permits[permit].object, .semaphore)
        guard lock >= 0 else { continue }
        append(Holding(node: Int32(index), held: Int32(permit), mode: .exclusive, next: -1), to: Int(lock))
      }
      for post in threads[index].posts {
        let lock = lockIndex(at: post.object, .semaphore)
        if lock >= 0 { locks[Int(lock)].hasStrangersPost = true }
      }
    }
  }

  /// The lock that somebody waits for at this address, -1 where nobody does.
  private func lockIndex(at object: Address, _ type: LockType) -> Int32 {
    guard var lock = lockAt[object] else { return -1 }
    while lock >= 0, locks[Int(lock)].type != type { lock = locks[Int(lock)].sameAddress }
    return lock
  }

  private mutating func append(_ holding: Holding, to lock: Int) {
    let index = Int32(holdings.count)
    holdings.append(holding)
    if locks[lock].lastHolding >= 0 {
      holdings[Int(locks[lock].lastHolding)].next = index
    } else {
      locks[lock].firstHolding = index
    }
    locks[lock].lastHolding = index
  }

  /// The arena's entries for a lock, in the order of the threads.
  func holdings(of lock: Int) -> [Holding] {
    var result: [Holding] = []
    var index = locks[lock].firstHolding
    while index >= 0 {
      result.append(holdings[Int(index)])
      index = holdings[Int(index)].next
    }
    return result
  }

  /// Writes what a rule found into a gate; no gate, nobody asked.
  mutating func setBlockers(
    of gate: Int32, _ blockers: [GraphNodes.Blocker], evidence: HolderEvidence, opensByAny: Bool = false
  ) {
    guard gate >= 0 else { return }
    let first = Int32(nodes.blockers.count)
    nodes.blockers.append(contentsOf: blockers)
    nodes.gates[Int(gate)].first = first
    nodes.gates[Int(gate)].end = Int32(nodes.blockers.count)
    nodes.gates[Int(gate)].evidence = blockers.isEmpty ? .none : evidence
    nodes.gates[Int(gate)].opensByAny = opensByAny
  }
}

/// Where what is known of a lock from two sides disagrees.
struct GraphNote: Hashable, Sendable {
  var object: Address
  /// The witnesses of a cycle say the same by themselves.
  var isHeardInCycles = false
  /// A sentence.
  var text: String
}
