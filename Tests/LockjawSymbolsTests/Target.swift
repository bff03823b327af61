import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms

/// A program that has said "ready" and waits for ever, with its threads' stacks as lockjaw sees them.
final class Target {
  let program: Program
  let running: RunningProgram
  let process: LiveProcess
  let snapshot: Snapshot
  let files: ModuleFiles
  let unwinder: StackUnwinder
  let symbolizer: Symbolizer

  /// - Parameter sleepers: how many threads must be asleep in a system call before it is looked at.
  init(
    _ program: Program, sleepers: Int, debugInfoCache: String? = nil, server: DebugServer? = nil,
    beforeLooking: (RunningProgram) throws -> Void = { _ in }
  ) throws {
    self.program = program
    running = try RunningProgram(program)
    guard try running.readLine() == "ready" else { throw CommandFailure(description: "the program did not get ready") }
    let process = try LiveProcess(pid: running.pid)
    self.process = process
    let isAsleep = RunningProgram.wait {
      process.threads.count { if case .running = process.kernelState(of: $0.tid) { false } else { true } } == sleepers
    }
    guard isAsleep else { throw CommandFailure(description: "not all of \(sleepers) threads fell asleep") }
    try beforeLooking(running)
    snapshot = try Snapshot.take(pid: running.pid)
    files = ModuleFiles(root: .process(process))
    unwinder = StackUnwinder(modules: snapshot.modules, files: files)
    symbolizer = Symbolizer(modules: snapshot.modules, files: files, debugInfoCache: debugInfoCache, server: server)
  }

  func unwinding(_ thread: Snapshot.Thread) -> Unwinding? {
    thread.registers.map { unwinder.unwind($0, memory: LayeredMemory([snapshot.memory, ProcessMemory(process)])) }
  }

  /// The stack of the thread with this name.
  func frames(ofThread name: String) throws -> [Frame] {
    guard let thread = snapshot.threads.first(where: { $0.name == name }), let unwinding = unwinding(thread) else {
      throw CommandFailure(description: "no thread \(name) with registers among \(snapshot.threads.map(\.name))")
    }
    return symbolizer.frames(of: unwinding)
  }
}

extension [Frame] {
  /// What a reader sees: the frames that are not plumbing, as "function:line", inlined ones marked.
  var outline: [String] {
    filter { !$0.isPlumbing }.map {
      "\($0.function ?? "?")" + ($0.line.map { ":\($0)" } ?? "") + ($0.isInlined ? " inlined" : "")
    }
  }
}
