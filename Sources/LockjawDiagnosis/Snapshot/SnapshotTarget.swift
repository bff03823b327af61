import LockjawInspect
import LockjawModel
import LockjawSymbols

/// A process as one snapshot has it: stopped for a moment, or left in a core. Every question is answered from that
/// moment, so a process that runs on and the core of the same instant get the same answers.
package final class SnapshotTarget: Target {
  package let snapshot: Snapshot
  package let memory: any MemoryReader
  /// "running", or "gone" for a core's process.
  package let condition: String
  package let diagnostics: [String]
  private let made: TargetSymbols
  /// The process itself, where it still runs: for what a snapshot does not have.
  private let process: LiveProcess?
  /// Its threads by the numbers that the snapshot has.
  private let threads: ThreadsByOwnNumbers?
  package let isStopped: Bool

  /// - Parameters:
  ///   - memory: all that can be read besides the snapshot's own copies: the live process, or the core.
  ///   - files: opens the modules; looked up below the process' root, or on this machine for a core.
  ///   - asksServers: see `LiveTarget`.
  ///   - hasArena: whether an arena dates the waits, to the nanosecond.
  package init(
    _ snapshot: Snapshot, memory: any MemoryReader, files: ModuleFiles, condition: String, diagnostics: [String] = [],
    process: LiveProcess? = nil, asksServers: Bool = false, hasArena: Bool = false
  ) {
    self.process = process
    threads = process.map { ThreadsByOwnNumbers($0) }
    isStopped = snapshot.process.isStopped
    self.snapshot = snapshot
    // What the core leaves out of a module, or a process that has ended meanwhile took along, its file may have.
    self.memory = LayeredMemory([
      snapshot.memory, memory, FileBackedMemory(modules: snapshot.modules, files: files),
    ])
    self.condition = condition
    let isDated = snapshot.threads.contains { $0.sleptNanoseconds != nil }
    self.diagnostics = diagnostics + (hasArena ? [] : [isDated ? Self.lowerBounds : Self.undated])
    made = TargetSymbols(
      unwinder: StackUnwinder(modules: snapshot.modules, files: files),
      symbolizer: Symbolizer(
        modules: snapshot.modules, files: files, server: asksServers ? .configured : nil, cache: .standard),
      files: files)
  }

  private static let lowerBounds =
    "How long threads have waited is counted from when each last ran. Looking at a process makes its threads run, so after "
    + "an earlier look, or a debugger's, they have waited for longer than is shown."
  private static let undated =
    "How long threads have waited is not known: nothing here says when each last ran."

  /// A running process, of which `snapshot` was just taken.
  package convenience init(
    running snapshot: Snapshot, process: LiveProcess, diagnostics: [String] = [], asksServers: Bool = false
  ) {
    self.init(
      snapshot, memory: ProcessMemory(process), files: ModuleFiles(root: .process(process)),
      condition: snapshot.process.isStopped ? LiveProcess.stopped : "running", diagnostics: diagnostics,
      process: process,
      asksServers: asksServers)
  }

  package convenience init(core: CoreFile, asksServers: Bool = false, hasArena: Bool = false) {
    let files = ModuleFiles(root: .host)
    self.init(
      core.snapshot(files: files), memory: core.memory, files: files, condition: "gone", diagnostics: core.diagnostics,
      asksServers: asksServers, hasArena: hasArena)
  }

  package var modules: [Module] { snapshot.modules }
  package var threadIDs: Set<ThreadID>? { Set(snapshot.threads.map(\.tid)) }
  package func kernelState(of thread: ThreadID) -> KernelState { snapshot.thread(thread)?.kernelState ?? .gone }
  package var kernelStates: [ThreadID: KernelState] {
    Dictionary(snapshot.threads.map { ($0.tid, $0.kernelState) }, uniquingKeysWith: { first, _ in first })
  }
  package func activity(of thread: ThreadID) -> String? { snapshot.activity(of: thread) }
  /// A core does not say whether its process was forked; that the number is older than the process' own is reason enough
  /// for a doubt.
  package func mayBeFromBeforeFork(_ thread: ThreadID) -> Bool {
    threads?.mayBeFromBeforeFork(thread) ?? (thread.rawValue < snapshot.process.identity.pid)
  }
  package func processorUse(of thread: ThreadID) -> ProcessorUse? { threads?.processorUse(of: thread) }
  package func sharedMappings() -> SharedMappings? { process.map { SharedMappings($0) } }
  package func elaboration(of thread: ThreadID) -> [String] { threads?.elaboration(of: thread) ?? [] }
  package func threadName(_ thread: ThreadID) -> String? {
    snapshot.thread(thread).flatMap { $0.name.isEmpty ? nil : $0.name }
  }
  package func isAlive(_ thread: ThreadID) -> Bool? {
    // One that began later may own a lock whose word was read later still.
    snapshot.thread(thread) != nil || (threads?.thread(thread).map { !$0.hasEnded } ?? false)
  }
  package func symbols() -> TargetSymbols { made }
}

extension SnapshotTarget {
  /// Whether what is read at this address is as old as the stacks: copied while everything stood still, or of a process
  /// that does not run any more.
  func isOfItsMoment(_ address: Address, count: Int) -> Bool {
    process == nil || (snapshot.pauseMilliseconds > 0 && snapshot.memory.bytes(at: address, count: count) != nil)
  }

  /// Whether a thread sleeps in the same wait as at the moment of the snapshot, as far as the process itself can tell now:
  /// in the same call, with the same frames below it. The futex alone does not tell, where each thread has one of its own
  /// for whatever it waits for.
  func isAsleepAsBefore(_ thread: ThreadID) -> Bool {
    guard let process, let threads, let before = snapshot.thread(thread), before.blockingCall != nil,
      let stack = before.stack
    else {
      return false
    }
    switch threads.kernelState(of: thread) {
    case before.kernelState: break
    // What the snapshot's stop makes of a call with a time limit.
    case .systemCall(Self.restart, _): break
    default: return false
    }
    let top = Array(stack.bytes.prefix(Self.comparedBytes))
    return !top.isEmpty && ProcessMemory(process).bytes(at: stack.base, count: top.count) == top
  }

  /// Some frames of a lock's slow path, which have the lock's address.
  private static let comparedBytes = 1024
  /// `restart_syscall` (x86-64's table of system calls).
  private static let restart = 219
}
