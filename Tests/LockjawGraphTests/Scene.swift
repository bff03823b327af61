import LockjawModel

@testable import LockjawGraph

/// A process as a test tells it: threads, what they hold and wait for, and what the other two witnesses say of it.
struct Scene {
  var threads: [ThreadState] = []
  var words: [Address: LockWord] = [:]
  var kernel: [ThreadID: KernelState] = [:]
  var alive: Set<ThreadID>?
  var listsEveryThread = false
  var strangersPosts: Set<Address>? = []
  static let now = Instant(nanoseconds: 1_000_000_000_000)

  var graph: WaitForGraph {
    WaitForGraph(
      threads: threads, words: words, kernel: kernel, aliveThreads: alive, listsEveryThread: listsEveryThread,
      strangersPosts: strangersPosts)
  }
  var witnesses: Witnesses { Witnesses(first: threads, second: threads, words: words, kernel: kernel) }

  func diagnosis(stall: Double = 10, isEndUnknown: Bool = false) -> Diagnosis {
    Diagnosis.of(graph, witnesses: witnesses, now: Self.now, stall: stall, isEndUnknown: isEndUnknown)
  }

  subscript(_ tid: Int32) -> ThreadState {
    get { threads.first { $0.tid == ThreadID(tid) }! }
    set { threads[threads.firstIndex { $0.tid == ThreadID(tid) }!] = newValue }
  }

  mutating func thread(_ tid: Int32, holds held: [Held] = [], waits wait: Wait? = nil) {
    threads.append(
      ThreadState(
        tid: ThreadID(tid), name: "t\(tid)", slot: threads.count, pthread: Address(0x7000_0000 + UInt64(tid) * 0x1000),
        wait: wait, held: held))
  }

  /// Gives every mutex, rwlock and semaphore the word that the threads' entries imply, and every waiter the
  /// futex wait it would sleep in.
  mutating func agree(prefersWriters: Bool = false) {
    var types: [Address: LockType] = [:]
    for thread in threads {
      for held in thread.held { types[held.object] = held.type }
      if let wait = thread.wait { types[wait.object] = wait.type }
    }
    for (object, type) in types where [.mutex, .rwlock, .semaphore].contains(type) {
      words[object] = word(of: object, type, prefersWriters: prefersWriters)
    }
    for thread in threads {
      guard let wait = thread.wait else { continue }
      kernel[thread.tid] = .futexWait(word: wait.object)
    }
  }

  private func word(of object: Address, _ type: LockType, prefersWriters: Bool) -> LockWord {
    var word = LockWord(
      address: object, type: type, recordsOwner: type != .semaphore, isTaken: false, description: "as the test has it",
      byteCount: type == .rwlock ? 56 : type == .mutex ? 40 : 32)
    for thread in threads {
      for held in thread.held where held.object == object {
        word.isTaken = true
        if held.mode == .read {
          word.readerCount = (word.readerCount ?? 0) + held.count
        } else {
          word.owner = thread.tid
        }
      }
    }
    if type == .semaphore { word.isTaken = true }
    if type == .rwlock {
      word.readerCount = word.readerCount ?? 0
      word.policy = prefersWriters ? .prefersWriters : .prefersReaders
      word.hasPendingWriter = threads.contains { $0.wait?.object == object && $0.wait?.mode == .write }
    }
    return word
  }
}

extension Held {
  static func mutex(_ object: UInt64, since: Instant? = nil) -> Held {
    Held(object: Address(object), type: .mutex, mode: .exclusive, site: CallSite(address: Address(0x40)), since: since)
  }
  static func read(_ object: UInt64, count: Int = 1) -> Held {
    Held(object: Address(object), type: .rwlock, mode: .read, count: count, site: CallSite(address: Address(0x41)))
  }
  static func write(_ object: UInt64) -> Held {
    Held(object: Address(object), type: .rwlock, mode: .write, site: CallSite(address: Address(0x42)))
  }
  static func spin(_ object: UInt64) -> Held {
    Held(object: Address(object), type: .spinlock, mode: .exclusive, site: CallSite(address: Address(0x43)))
  }
}

extension Wait {
  static func on(
    _ type: LockType, _ mode: LockMode, _ object: UInt64, companion: UInt64 = 0, for seconds: Double = 1,
    deadline: Bool = false, ownerAtBegin: Int32? = nil, sequence: UInt64 = 7
  ) -> Wait {
    let since = Instant(nanoseconds: Scene.now.nanoseconds - UInt64(seconds * 1e9))
    return Wait(
      sequence: sequence, type: type, mode: mode, object: Address(object), companion: Address(companion),
      site: CallSite(address: Address(0x50)), since: since,
      deadline: deadline ? Instant(nanoseconds: Scene.now.nanoseconds + 1) : nil,
      ownerAtBegin: ownerAtBegin.map(ThreadID.init))
  }
  static func mutex(_ object: UInt64, for seconds: Double = 1, deadline: Bool = false, owner: Int32? = nil) -> Wait {
    on(.mutex, .exclusive, object, for: seconds, deadline: deadline, ownerAtBegin: owner)
  }
  static func read(_ object: UInt64, for seconds: Double = 1, deadline: Bool = false) -> Wait {
    on(.rwlock, .read, object, for: seconds, deadline: deadline)
  }
  static func write(_ object: UInt64, for seconds: Double = 1, deadline: Bool = false) -> Wait {
    on(.rwlock, .write, object, for: seconds, deadline: deadline)
  }
  static func condition(_ object: UInt64, mutex: UInt64, for seconds: Double = 1) -> Wait {
    on(.condition, .signal, object, companion: mutex, for: seconds)
  }
  static func join(_ tid: Int32, for seconds: Double = 1) -> Wait {
    on(.join, .signal, 0x7000_0000 + UInt64(tid) * 0x1000, companion: UInt64(tid), for: seconds)
  }
}

/// Thread ids, short.
func tids(_ values: Int32...) -> [ThreadID] { values.map(ThreadID.init) }

extension WaitForGraph {
  func edge(of tid: Int32) -> CandidateEdge? { edges.first { $0.waiter == ThreadID(tid) } }
}
