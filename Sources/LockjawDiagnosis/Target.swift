import LockjawArena
import LockjawInspect
import LockjawModel
import LockjawSymbols

/// The process a diagnosis is about: running, or known only from what it left.
package protocol Target: AnyObject {
  /// Its memory as far as it can be had.
  var memory: any MemoryReader { get }
  var modules: [Module] { get }
  /// Every thread id of the process, or `nil` where nobody can say.
  var threadIDs: Set<ThreadID>? { get }
  /// "running", "stopped …", "gone".
  var condition: String { get }
  /// What this target cannot tell, in sentences.
  var diagnostics: [String] { get }
  func kernelState(of thread: ThreadID) -> KernelState
  /// What each thread does, where it costs nothing to say of all of them; else empty.
  var kernelStates: [ThreadID: KernelState] { get }
  /// What a thread is doing, for people; `nil` where only `kernelState` can be said.
  func activity(of thread: ThreadID) -> String?
  /// A thread's name as the kernel has it now; `nil` where nobody can say.
  func threadName(_ thread: ThreadID) -> String?
  /// Whether the process has this thread; `nil` where nobody can say.
  func isAlive(_ thread: ThreadID) -> Bool?
  /// Whether memory may name this thread because it is a copy of another process', made by a fork.
  func mayBeFromBeforeFork(_ thread: ThreadID) -> Bool
  /// What a thread gets of the processors, watched for a moment; `nil` where nobody can say.
  func processorUse(of thread: ThreadID) -> ProcessorUse?
  /// More about what a thread is doing, in sentences: who has the other end of its pipe, what its child is.
  func elaboration(of thread: ThreadID) -> [String]
  /// The whole process is stopped by a signal.
  var isStopped: Bool { get }
  /// The mappings that other processes may have as well; `nil` where nobody can say. The whole list is read for it: ask
  /// once.
  func sharedMappings() -> SharedMappings?
  /// Makes and keeps what unwinding and naming need; called once something is to be shown.
  func symbols() -> TargetSymbols
}

extension Target {
  package var kernelStates: [ThreadID: KernelState] { [:] }
  // What only a process that runs can be asked.
  package func mayBeFromBeforeFork(_ thread: ThreadID) -> Bool { false }
  package func processorUse(of thread: ThreadID) -> ProcessorUse? { nil }
  package func elaboration(of thread: ThreadID) -> [String] { [] }
  package var isStopped: Bool { false }
  package func sharedMappings() -> SharedMappings? { nil }
}

/// Unwinder and symbolizer of one process, with the module list they were made for.
package struct TargetSymbols {
  package let unwinder: StackUnwinder
  package let symbolizer: Symbolizer
  package let files: ModuleFiles
}

/// A process that runs.
package final class LiveTarget: Target {
  package let process: LiveProcess
  package let memory: any MemoryReader
  /// By the numbers that the process' arena and lock words have.
  private let threads: ThreadsByOwnNumbers
  private let asksServers: Bool
  private var cached: (modules: [Module], symbols: TargetSymbols?)?
  private var standstillMilliseconds = 0.0

  /// - Parameter asksServers: for debug information, where the user has configured some. A report then waits for them for
  ///   some seconds: for people who have asked for it, not for those that come by themselves.
  package init(_ process: LiveProcess, asksServers: Bool = false) {
    self.process = process
    threads = ThreadsByOwnNumbers(process)
    self.asksServers = asksServers
    memory = ProcessMemory(process)
  }

  /// Stops all threads for a moment; `nil` where that must not be, or fails.
  package func snapshot() -> Snapshot? {
    let taken = try? Snapshot.takeGently(pid: process.pid)
    standstillMilliseconds += taken?.pauseMilliseconds ?? 0
    return taken
  }

  /// For how long the process stood still in all snapshots since this was asked last.
  package func takeStandstill() -> Double {
    defer { standstillMilliseconds = 0 }
    return standstillMilliseconds
  }

  /// Forgets the module list and what was made of it: a library has been loaded since.
  package func invalidate() { cached = nil }

  package var modules: [Module] {
    if let cached { return cached.modules }
    let modules = (try? process.modules()) ?? []
    cached = (modules, nil)
    return modules
  }

  package var threadIDs: Set<ThreadID>? { process.isAlive ? Set(threads.ids) : nil }
  package var condition: String { process.isAlive ? (isStopped ? LiveProcess.stopped : "running") : "gone" }
  package var diagnostics: [String] { threads.areTranslated ? [Self.otherNamespace] : [] }
  package func kernelState(of thread: ThreadID) -> KernelState { threads.kernelState(of: thread) }
  package func activity(of thread: ThreadID) -> String? { threads.activity(of: thread) }
  package func threadName(_ thread: ThreadID) -> String? { threads.thread(thread)?.name }
  package func mayBeFromBeforeFork(_ thread: ThreadID) -> Bool { threads.mayBeFromBeforeFork(thread) }
  package func processorUse(of thread: ThreadID) -> ProcessorUse? { threads.processorUse(of: thread) }
  package func elaboration(of thread: ThreadID) -> [String] { threads.elaboration(of: thread) }
  package var isStopped: Bool { process.isStopped }
  package func sharedMappings() -> SharedMappings? { SharedMappings(process) }
  package func isAlive(_ thread: ThreadID) -> Bool? {
    threads.thread(thread).map { !$0.hasEnded } ?? (process.isAlive ? false : nil)
  }

  private static let otherNamespace =
    "The process lives in another pid namespace: its threads are shown with the numbers they have in there, and waits "
    + "that lead into other processes were not followed."

  package func symbols() -> TargetSymbols {
    let modules = modules
    if let made = cached?.symbols { return made }
    let files = ModuleFiles(root: .process(process))
    let made = TargetSymbols(
      unwinder: StackUnwinder(modules: modules, files: files),
      symbolizer: Symbolizer(
        modules: modules, files: files, server: asksServers ? .configured : nil, cache: .standard), files: files)
    cached = (modules, made)
    return made
  }
}

/// A process of which the arena is left: its module list, sites, and the tops of the waiters' stacks.
package final class DeadTarget: Target {
  package let modules: [Module]
  package let memory: any MemoryReader
  private let made: TargetSymbols

  /// - Parameter asksServers: see `LiveTarget`.
  package init(arena: ArenaReader, asksServers: Bool = false) {
    modules = arena.modules()
    let files = ModuleFiles(root: .host)
    memory = FileBackedMemory(modules: modules, files: files)
    made = TargetSymbols(
      unwinder: StackUnwinder(modules: modules, files: files),
      symbolizer: Symbolizer(
        modules: modules, files: files, server: asksServers ? .configured : nil, cache: .standard), files: files)
  }

  package var threadIDs: Set<ThreadID>? { nil }
  package var condition: String { "gone" }
  package var diagnostics: [String] {
    [
      "The process is gone: its memory and the kernel's word are missing, so nothing here is more than inferred; "
        + "of each stack only the top that was copied when the wait began is left."
    ]
  }
  package func kernelState(of thread: ThreadID) -> KernelState { .unknown(reason: "the process is gone") }
  package func activity(of thread: ThreadID) -> String? { nil }
  package func threadName(_ thread: ThreadID) -> String? { nil }
  package func isAlive(_ thread: ThreadID) -> Bool? { nil }
  package func symbols() -> TargetSymbols { made }
}
