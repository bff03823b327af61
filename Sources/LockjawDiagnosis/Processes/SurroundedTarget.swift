import Glibc
import LockjawInspect
import LockjawModel

/// A target that also answers for the threads of the processes around it.
///
/// Memory and modules stay the process' own: what others have was read when they were looked into.
final class SurroundedTarget: Target {
  private let target: any Target
  private let surroundings: Surroundings

  init(_ target: any Target, _ surroundings: Surroundings) {
    self.target = target
    self.surroundings = surroundings
  }

  var memory: any MemoryReader { target.memory }
  var modules: [Module] { target.modules }
  var threadIDs: Set<ThreadID>? {
    target.threadIDs.map { own in surroundings.neighbours.dropFirst().reduce(into: own) { $0.formUnion($1.threadIDs) } }
  }
  var condition: String { target.condition }
  var diagnostics: [String] { target.diagnostics + surroundings.diagnostics }
  func symbols() -> TargetSymbols { target.symbols() }

  func kernelState(of thread: ThreadID) -> KernelState {
    surroundings.kernelState(of: thread) ?? target.kernelState(of: thread)
  }
  func activity(of thread: ThreadID) -> String? {
    guard let one = surroundings.neighbour(of: thread) else { return target.activity(of: thread) }
    // What it did when it was stopped: a stop makes another call of some of them.
    return one.snapshot?.activity(of: thread) ?? one.process.activity(of: thread)
  }
  func mayBeFromBeforeFork(_ thread: ThreadID) -> Bool { target.mayBeFromBeforeFork(thread) }
  var isStopped: Bool { target.isStopped }
  func sharedMappings() -> SharedMappings? { target.sharedMappings() }
  func processorUse(of thread: ThreadID) -> ProcessorUse? {
    surroundings.neighbour(of: thread).map { $0.process.processorUse(of: thread) } ?? target.processorUse(of: thread)
  }
  func elaboration(of thread: ThreadID) -> [String] {
    surroundings.neighbour(of: thread).map { $0.process.elaboration(of: thread) } ?? target.elaboration(of: thread)
  }
  func threadName(_ thread: ThreadID) -> String? {
    surroundings.neighbour(of: thread).map { $0.process.thread(thread)?.name } ?? target.threadName(thread)
  }
  func isAlive(_ thread: ThreadID) -> Bool? {
    guard let one = surroundings.neighbour(of: thread) else { return target.isAlive(thread) }
    return one.process.thread(thread).map { !$0.hasEnded } ?? false
  }
}

extension Examination.Glance {
  /// The same moment without them.
  var alone: Examination.Glance {
    guard let surroundings else { return self }
    return with(
      surroundings.itselfAlone, words: words.filter { !ObjectNumbers.isOutside($0.key) }, surroundings: nil)
  }

  /// The same moment with the processes that waits lead to.
  package func adding(_ surroundings: Surroundings?) -> Examination.Glance {
    guard let surroundings else { return self }
    surroundings.itselfAlone = threads
    return with(
      surroundings.threads, words: words.merging(surroundings.words) { own, _ in own }, surroundings: surroundings)
  }

  private func with(
    _ threads: [ThreadState], words: [Address: LockWord], surroundings: Surroundings?
  ) -> Examination.Glance {
    var glance = Examination.Glance(
      threads: threads, now: now, waits: waits, listsEveryThread: listsEveryThread, refused: refused, words: words,
      grounds: grounds, owners: owners, guesses: guesses, surroundings: surroundings)
    glance.isEndUnknown = isEndUnknown
    glance.unrecorded = unrecorded
    return glance
  }
}

extension Surroundings {
  /// Threads in waits of the kernel's that a signal handler may end, or may be meant to end.
  ///
  /// A handler for SIGALRM is how a time limit is put on a call that has none. And where a program only waits for its child,
  /// or for a pipe, and has handlers for the signals that people and programs send to ask for something, it may be
  /// waiting for just those.
  var interruptible: Set<ThreadID> {
    let alarms: Set = [Int(SIGALRM), Int(SIGVTALRM), Int(SIGPROF)]
    let requests = alarms.union([Int(SIGHUP), Int(SIGUSR1), Int(SIGUSR2), Int(SIGTERM), Int(SIGIO)])
    return neighbours.reduce(into: []) { threads, one in
      guard !one.kernelWaits.isEmpty else { return }
      let handled = one.process.handledSignals(among: requests)
      for (tid, wait) in one.kernelWaits {
        let ending = wait.type == .fileLock ? alarms : requests
        if !handled.isDisjoint(with: ending) { threads.insert(tid) }
      }
    }
  }

  /// Threads in reads and writes of a FIFO that has a name: whoever knows it may open the other end at any time.
  var openToStrangers: Set<ThreadID> {
    neighbours.reduce(into: []) { threads, one in
      for (tid, wait) in one.kernelWaits where wait.isOpenToStrangers { threads.insert(tid) }
    }
  }

  static let strangers =
    "One of these waits is for a FIFO that has a name: any process that opens it later can end the wait, and nobody knows "
    + "whether one will."

  /// Threads asleep on sockets of which nobody says whether that ends after a time.
  var possiblyTimed: Set<ThreadID> { neighbours.reduce(into: []) { $0.formUnion($1.mayRunOutOfTime) } }

  static let timeLimits =
    "One of these waits is for a socket, of which the kernel would not say whether it has a time limit (SO_RCVTIMEO, "
    + "SO_SNDTIMEO); with one, the wait ends by itself."

  static let signals =
    "One of these processes has handlers for signals that may end such a wait: a program that waits for signals looks the same."
}
