import LockjawGraph
import LockjawInspect
import LockjawModel

/// A process and those that its waits lead to, as one set of threads over one set of objects.
///
/// Nothing was stopped at one moment for this. What makes it one picture is `confirms`: every thread of a finding was asleep
/// before holders and words were read for the last time, and has not run until after that.
package final class Surroundings {
  let neighbours: [Neighbour]
  /// Every thread: those of the process itself as they are, the others' with their objects renumbered.
  let threads: [ThreadState]
  let words: [Address: LockWord]
  /// The process' own threads as they were told before anybody looked around.
  var itselfAlone: [ThreadState] = []
  package let diagnostics: [String]
  /// Processes may be made to stand still for their stacks.
  let mayStop: Bool
  private(set) var numbers: ObjectNumbers
  private let holders: Holders
  /// Who was found to have what the kernel keeps, by number.
  private var holdersOf: [Address: (wait: KernelWait, waiter: Int32, pids: [Int32])] = [:]
  private let neighbourOf: [ThreadID: Int]

  init(neighbours: [Neighbour], holders: Holders, diagnostics: [String], mayStop: Bool) {
    self.mayStop = mayStop
    self.neighbours = neighbours
    self.holders = holders
    self.diagnostics = diagnostics
    numbers = ObjectNumbers(neighbours.map(\.mappings))
    neighbourOf = Dictionary(
      neighbours.flatMap { one in one.threads.map { ($0.tid, one.index) } }, uniquingKeysWith: { first, _ in first })

    var numbers = numbers
    var words: [Address: LockWord] = [:]
    var held: [ThreadID: [Held]] = [:]
    var strangers: [ThreadState] = []
    var holdersOf: [Address: (wait: KernelWait, waiter: Int32, pids: [Int32])] = [:]
    let byPid = Dictionary(neighbours.map { ($0.process.pid, $0) }, uniquingKeysWith: { first, _ in first })
    for one in neighbours {
      for (address, word) in one.words {
        var word = word
        word.address = numbers.number(of: address, in: one.index)
        if words[word.address] == nil { words[word.address] = word }
      }
      // In the order of the threads, so that the next look gives the same numbers.
      for (_, wait) in one.kernelWaits.sorted(by: { $0.key < $1.key }) {
        let number = numbers.number(of: wait)
        guard holdersOf[number] == nil else { continue }
        let pids = holders.of(wait, waiter: one.process.pid)
        holdersOf[number] = (wait, one.process.pid, pids)
        for pid in pids + holders.unseenRelatives(of: pids) {
          let hold = Held(
            object: number, type: wait.type, mode: .exclusive, site: CallSite(address: Address(0)), evidence: .kernel)
          guard let holder = byPid[pid], holder.threads.count <= Neighbour.threadLimit, !holder.threads.isEmpty else {
            // Not looked into: it may let go at any time.
            strangers.append(
              ThreadState(tid: ThreadID(pid), name: "", slot: -1, held: [hold], process: pid))
            continue
          }
          for tid in Self.actors(of: holder) { held[tid, default: []].append(hold) }
        }
      }
    }
    var threads: [ThreadState] = []
    for one in neighbours {
      let now = Instant.now
      for thread in one.threads {
        var thread = Self.renumbered(thread, one.index, &numbers)
        thread.held += held[thread.tid] ?? []
        // A wait that nobody is known to be able to end is told by the call alone.
        if let wait = one.kernelWaits[thread.tid], !(holdersOf[numbers.number(of: wait)]?.pids ?? []).isEmpty {
          // The arena's slot says nothing of a wait that the shim does not see.
          thread.slot = -1
          thread.wait = Wait(
            sequence: 1, type: wait.type, mode: .exclusive, object: numbers.number(of: wait),
            site: CallSite(address: Address(0)), since: one.sleepsSince(thread.tid, now: now), isFromKernel: true)
        }
        threads.append(thread)
      }
    }
    let known = Set(threads.map(\.tid))
    self.threads = threads + strangers.filter { !known.contains($0.tid) }
    self.words = words
    self.numbers = numbers
    self.holdersOf = holdersOf
  }

  var itself: Neighbour { neighbours[0] }

  /// The neighbour a thread belongs to; `nil` for the process itself, and for nobody's.
  func neighbour(of tid: ThreadID) -> Neighbour? {
    neighbourOf[tid].flatMap { $0 == 0 ? nil : neighbours[$0] }
  }

  /// Threads that can act for their process: those that only it can wake act after another has, so they are left out
  /// unless there is no other.
  private static func actors(of one: Neighbour) -> [ThreadID] {
    let awake = one.threads.filter { !one.isParked($0) }
    return (awake.isEmpty ? one.threads : awake).map(\.tid)
  }

  private static func renumbered(_ thread: ThreadState, _ index: Int, _ numbers: inout ObjectNumbers) -> ThreadState {
    guard index > 0 else { return thread }
    var thread = thread
    thread.pthread = numbers.number(of: thread.pthread, in: index)
    if let wait = thread.wait {
      thread.wait?.object = numbers.number(of: wait.object, in: index)
      // A join's companion is a thread id.
      if wait.type != .join { thread.wait?.companion = numbers.number(of: wait.companion, in: index) }
    }
    for at in thread.held.indices { thread.held[at].object = numbers.number(of: thread.held[at].object, in: index) }
    for at in thread.permits.indices {
      thread.permits[at].object = numbers.number(of: thread.permits[at].object, in: index)
    }
    return thread
  }

  // MARK: what others are asked

  func kernelState(of tid: ThreadID) -> KernelState? {
    guard let one = neighbour(of: tid) else { return nil }
    let state = one.process.kernelState(of: tid)
    guard case .futexWait(let word) = state else { return state }
    var numbers = numbers
    return .futexWait(word: numbers.number(of: word, in: one.index))
  }

  // MARK: is it so?

  /// Whether the finding still holds when holders and words are read again, with none of its threads having run since
  /// before they were read at first. What concerns nobody outside is for others to confirm.
  func confirms(_ finding: RawFinding) -> Bool {
    let concerned = Set(finding.members + finding.edges.map(\.waiter))
    guard touches(finding) else { return true }
    let objects = Set(finding.edges.map(\.object))
    let table = ProcessTable()
    let now = Holders(table: table, locks: FileLock.all())
    for object in objects {
      if let known = holdersOf[object], now.of(known.wait, waiter: known.waiter) != known.pids { return false }
      if let word = words[object], !wordStands(word, object) { return false }
    }
    return neighbours.allSatisfy { one in
      one.isStill(one.threads.lazy.map(\.tid).filter { concerned.contains($0) })
    }
  }

  /// What `confirms` has found out, for the evidence.
  static let stillness =
    "kernel: each of these threads was asleep before locks and holders were read for the last time, and has not run since."

  /// The finding has to do with another process, or with what only the kernel keeps.
  package func touches(_ finding: RawFinding) -> Bool {
    let threads = finding.members + finding.edges.map(\.waiter) + finding.edges.flatMap(\.holders)
    return threads.contains { neighbour(of: $0) != nil } || finding.edges.contains { $0.type.isKernelObject }
  }

  /// Whether any of the finding's threads belongs to the process that the diagnosis is about.
  func concernsItself(_ finding: RawFinding) -> Bool {
    let own = itself.threadIDs
    let threads = finding.members + finding.bystanders + (finding.culprit.map { [$0] } ?? [])
    return threads.isEmpty || threads.contains { own.contains($0) }
  }

  private func wordStands(_ word: LockWord, _ number: Address) -> Bool {
    let (one, address) = whereabouts(of: number) ?? (itself, number)
    guard word.library == .glibc else { return true }
    let memory = ProcessMemory(one.process)
    let now = GlibcWord.decode(word.type, at: address) { memory.bytes(at: $0, count: $1) }
    return now?.owner == word.owner && now?.isTaken == word.isTaken
  }

  /// In whose memory a number's object is, and where; `nil` for the process' own, and for what the kernel keeps.
  func whereabouts(of number: Address) -> (neighbour: Neighbour, address: Address)? {
    guard case .memory(let index, let address)? = numbers.homes[number] else { return nil }
    return (neighbours[index], address)
  }

  /// What the kernel keeps under this number.
  func kernelObject(_ number: Address) -> KernelWait? {
    guard case .kernel(let wait)? = numbers.homes[number] else { return nil }
    return wait
  }

  /// Pids of those who have what the kernel keeps under this number.
  func pids(having number: Address) -> [Int32] { holdersOf[number]?.pids ?? [] }
}

extension KernelWait {
  /// Processes that have nothing to do with it yet can come to: a FIFO is opened by its name.
  var isOpenToStrangers: Bool {
    guard case .pipe(let target, _) = self else { return false }
    return target.hasPrefix("/")
  }

  package var type: LockType {
    switch self {
    case .fileLock: .fileLock
    case .pipe: .pipe
    case .socket: .socket
    case .child, .anyChild: .child
    }
  }
}
