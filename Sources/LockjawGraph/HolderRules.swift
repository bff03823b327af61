import LockjawModel

/// Who stands in the way of an acquire.
///
/// H1. *The word wins.* A mutex (PI futex, once) is held by the thread its word names as owner, and by nobody else.
///     Where the arena lists the same thread, the evidence is the arena, with its acquire site; where the arena
///     lists another, that entry is stale: dropped, and noted.
/// H2. A word that says *free* leaves no holder, whatever the arena lists.
/// H3. Where there is no word, or it does not name its owner (spinlock), or it is taken and names nobody, the
///     arena's entries count.
/// H4. An rwlock's exclusive acquire waits for every reader and the writer inside: all of them. That includes the
///     waiter itself where it holds a read lock.
/// H5. Its read acquire waits for the writer inside. Where the lock prefers writers, also for every thread that
///     waits to write. The default glibc kind prefers readers: there a pending writer holds nobody back.
/// H6. A word that counts no readers leaves none; one that counts a reader leaves no writer. Between other counts
///     the word cannot say which entry is stale: all stay, and the witnesses will dissent.
/// H7. A thread that its own word names as owner, but which did not have the lock when its wait began, has just
///     acquired it: that wait is over and is no edge.
/// H8. A join waits for its target while that is alive.
/// H9. A semaphore that nobody posts without having taken it is used as a lock: its waiter waits for *any* thread
///     with a permit, the latest first. One stranger's post, and it is a signal: nobody in particular.
/// H10. The permit of a thread that waits for the same semaphore again blocks nobody. Collecting the completions of
///     workers one after another looks just like that, and is healthy.
/// H11. What the kernel keeps (a file lock, the other end of a pipe or socket, a child's life) is had by *processes*. Any of
///     a process' threads can let go of it, so its waiter waits for any thread of any process that has it. Whoever
///     lists the holders leaves out threads that only their own process can wake: they act after another has.
extension GraphBuilder {
  mutating func resolve(_ lock: Int) {
    switch locks[lock].type {
    case .mutex, .piFutex, .once, .staticGuard, .spinlock: resolveExclusive(lock)
    // Without a word of its own it is what its program says, like an rwlock or a mutex that cannot be read.
    case .rwlock, .custom: resolveRwlock(lock)
    case .join: resolveJoin(lock)
    case .semaphore: resolveSemaphore(lock)
    case .fileLock, .pipe, .socket, .child: resolveKernelObject(lock)
    case .condition, .barrier, .futex: break
    }
  }

  /// The lock's word, where it is of the type that is waited for.
  private func word(of lock: Int) -> LockWord? {
    guard let word = words[locks[lock].object], word.type == locks[lock].type else { return nil }
    return word
  }

  private func blocker(_ holding: Holding) -> GraphNodes.Blocker {
    GraphNodes.Blocker(node: holding.node, held: holding.held, blocking: .holds)
  }

  // MARK: mutex, PI futex, once, spinlock

  private mutating func resolveExclusive(_ lock: Int) {
    let listed = holdings(of: lock)
    let gate = locks[lock].exclusiveGate
    guard let word = word(of: lock) else {
      return setBlockers(of: gate, listed.map(blocker), evidence: .arena)
    }
    guard word.isTaken else { return noteStale(listed, lock, "is free") }
    guard let owner = word.owner else {
      return setBlockers(of: gate, listed.map(blocker), evidence: .arena)
    }
    noteStale(listed.filter { tid(of: $0.node) != owner }, lock, "is owned by thread \(owner)")
    if let agreeing = listed.first(where: { tid(of: $0.node) == owner }) {
      setBlockers(of: gate, [blocker(agreeing)], evidence: .arena)
      return
    }
    let node = node(of: owner)
    if hasAcquiredSince(node, at: gate, owner) { nodes.gateOf[Int(node)] = -1 }
    setBlockers(of: gate, [.init(node: node, held: -1, blocking: .holds)], evidence: .ownerField)
  }

  private mutating func noteStale(_ stale: [Holding], _ lock: Int, _ truth: @autoclosure () -> String) {
    for holding in stale {
      let name = "\(locks[lock].type.rawValue) \(locks[lock].object)"
      let claim: String =
        switch entry(holding)?.evidence {
        case .landingPad, .forwardRun:
          "that by its frames thread \(tid(of: holding.node)) holds it is contradicted and was dropped."
        default: "the arena's entry that thread \(tid(of: holding.node)) holds it is stale and was dropped."
        }
      notes.append(GraphNote(object: locks[lock].object, text: "lock word: \(name) \(truth()); \(claim)"))
    }
  }

  /// The holder's own entry; `nil` for a semaphore's permits.
  private func entry(_ holding: Holding) -> Held? {
    let held = threads[Int(holding.node)].held
    guard holding.held >= 0, Int(holding.held) < held.count else { return nil }
    return held[Int(holding.held)]
  }

  /// The arena lists other readers than the word counts, and nothing says which of the two is right.
  private mutating func noteCount(_ readers: [Holding], _ lock: Int, _ word: LockWord?) {
    guard let counted = word?.readerCount, counted > 0 else { return }
    let entries = readers.compactMap(entry)
    // What was found by frames has been checked against the count, and its account says what is missing.
    guard !entries.isEmpty, entries.allSatisfy({ $0.evidence == .arena }) else { return }
    let listed = entries.reduce(0) { $0 + min(max(1, $1.count), Int(UInt32.max)) }
    guard listed != counted else { return }
    notes.append(
      GraphNote(
        object: locks[lock].object, isHeardInCycles: true,
        text: "lock word: rwlock \(locks[lock].object) counts \(counted) readers inside, the arena lists \(listed)."))
  }

  /// H7: `node` waits at this gate although the word already names it, and it did not have the lock before.
  private func hasAcquiredSince(_ node: Int32, at gate: Int32, _ owner: ThreadID) -> Bool {
    guard Int(node) < threads.count, gate >= 0, nodes.gateOf[Int(node)] == gate else { return false }
    return threads[Int(node)].wait?.ownerAtBegin != owner
  }

  // MARK: rwlock

  private mutating func resolveRwlock(_ lock: Int) {
    let word = word(of: lock)
    let readGate = locks[lock].readGate
    let exclusiveGate = locks[lock].exclusiveGate
    var readers: [Holding] = []
    var writers: [Holding] = []
    for holding in holdings(of: lock) {
      if holding.mode == .read { readers.append(holding) } else { writers.append(holding) }
    }
    var externalWriter: Int32?
    if let word {
      if word.readerCount == 0 {
        noteStale(readers, lock, "counts no reader inside")
        readers = []
      }
      let isWriterPossible = word.isTaken && (word.readerCount ?? 0) == 0
      if let owner = word.owner {
        noteStale(writers.filter { tid(of: $0.node) != owner }, lock, "is write-locked by thread \(owner)")
        writers = writers.filter { tid(of: $0.node) == owner }
        if writers.isEmpty {
          let node = node(of: owner)
          if hasAcquiredSince(node, at: exclusiveGate, owner) { nodes.gateOf[Int(node)] = -1 }
          externalWriter = node
        }
      } else if word.recordsOwner, !isWriterPossible {
        noteStale(writers, lock, "has no writer inside")
        writers = []
      }
    }

    noteCount(readers, lock, word)
    var inside = (writers + readers).map(blocker)
    var inTheReadersWay = writers.map(blocker)
    if let externalWriter {
      let blocker = GraphNodes.Blocker(node: externalWriter, held: -1, blocking: .holds)
      inside.insert(blocker, at: 0)
      inTheReadersWay.append(blocker)
    }
    let pendingWritersBlock = word?.policy == .prefersWriters && word?.hasPendingWriter != false
    // Handed over: the word is taken for writing and names nobody yet, so one of the waiting writers is in.
    let isHandedOver = word.map { $0.recordsOwner && $0.isTaken && $0.owner == nil && $0.readerCount == 0 } ?? false
    if readGate >= 0, exclusiveGate >= 0, pendingWritersBlock || isHandedOver {
      for node in nodes.waiters(of: Int(exclusiveGate)) where nodes.gateOf[Int(node)] == exclusiveGate {
        inTheReadersWay.append(.init(node: node, held: -1, blocking: .pendingWriter))
      }
    }
    let evidence: HolderEvidence = externalWriter == nil ? .arena : .ownerField
    setBlockers(of: exclusiveGate, inside, evidence: evidence)
    setBlockers(of: readGate, inTheReadersWay, evidence: evidence)
  }

  // MARK: join, semaphore

  private mutating func resolveJoin(_ lock: Int) {
    let gate = locks[lock].exclusiveGate
    // All who join one `pthread_t` join the same thread, so the first that knows its id speaks for all.
    var target: Int32?
    for waiter in nodes.waiters(of: Int(gate)) where target == nil {
      guard let companion = threads[Int(waiter)].wait?.companion.rawValue, companion != 0 else { continue }
      if let tid = Int32(exactly: companion) { target = node(of: ThreadID(tid)) }
    }
    guard let target = target ?? node(ofPthread: locks[lock].object), !nodes.isDead[Int(target)] else { return }
    setBlockers(of: gate, [.init(node: target, held: -1, blocking: .joined)], evidence: .arena)
  }

  private mutating func resolveKernelObject(_ lock: Int) {
    setBlockers(
      of: locks[lock].exclusiveGate, holdings(of: lock).map(blocker), evidence: .kernel, opensByAny: true)
  }

  private mutating func resolveSemaphore(_ lock: Int) {
    if let word = word(of: lock), !word.isTaken { return }
    guard !locks[lock].hasStrangersPost, !strangersPosts.contains(locks[lock].object) else { return }
    let gate = locks[lock].exclusiveGate
    let permits = holdings(of: lock).filter { nodes.gateOf[Int($0.node)] != gate }.sorted {
      threads[Int($0.node)].permits[Int($0.held)].takenTicks > threads[Int($1.node)].permits[Int($1.held)].takenTicks
    }
    setBlockers(
      of: gate, permits.map { .init(node: $0.node, held: -1, blocking: .holds) },
      evidence: .arena, opensByAny: true)
  }
}
