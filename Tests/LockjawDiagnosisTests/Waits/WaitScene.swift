import LockjawDiagnosis
import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms
import Testing

/// A program that brought locks into known states, and said which thread waits for which: a line a waiter,
///
///     label type mode address tid
///
/// (`address` in hexadecimal, 0 where it does not know), then `end`; it hangs from then on. Here: every waiter asleep,
/// and the process as lockjaw sees it without its arena.
final class WaitScene {
  struct Truth {
    var type: LockType
    var mode: LockMode
    /// `nil`: the program does not know.
    var lock: Address?
    var tid: ThreadID
  }

  private let running: RunningProgram
  let process: LiveProcess
  let memory: any MemoryReader
  private(set) var truths: [String: Truth] = [:]
  private let snapshot: Snapshot
  private let unwinder: StackUnwinder
  private let symbolizer: Symbolizer

  init(_ command: [String]) throws {
    running = try RunningProgram(command)
    while true {
      let line = try running.readLine()
      if line == "end" { break }
      let fields = line.split(separator: " ").map(String.init)
      guard fields.count == 5, let type = LockType(rawValue: fields[1]), let mode = LockMode(rawValue: fields[2]),
        let address = UInt64(fields[3], radix: 16), let tid = Int32(fields[4])
      else { throw CommandFailure(description: "a line that is none of ours: \(line)") }
      truths[fields[0]] = Truth(type: type, mode: mode, lock: address == 0 ? nil : Address(address), tid: ThreadID(tid))
    }
    let process = try LiveProcess(pid: running.pid)
    self.process = process
    let waiters = truths.values.map(\.tid)
    let allAsleep = RunningProgram.wait {
      waiters.allSatisfy { if case .futexWait = process.kernelState(of: $0) { true } else { false } }
    }
    guard allAsleep else { throw CommandFailure(description: "not every waiter of \(command) fell asleep") }
    snapshot = try Snapshot.take(pid: running.pid)
    memory = LayeredMemory([snapshot.memory, ProcessMemory(process)])
    let files = ModuleFiles(root: .process(process))
    unwinder = StackUnwinder(modules: snapshot.modules, files: files)
    symbolizer = Symbolizer(modules: snapshot.modules, files: files)
  }

  func truth(_ label: String) throws -> Truth {
    guard let truth = truths[label] else { throw CommandFailure(description: "the program has no waiter \(label)") }
    return truth
  }

  func sleeper(_ label: String) throws -> SleepingThread {
    let tid = try truth(label).tid
    guard let thread = snapshot.thread(tid), let registers = thread.registers, let futex = thread.futexWait else {
      throw CommandFailure(description: "the snapshot has no futex wait of thread \(label)")
    }
    let frames = symbolizer.frames(of: unwinder.unwind(registers, memory: memory))
    return SleepingThread(
      tid: tid, futex: futex, stack: frames, stackPointer: registers.stackPointer,
      preserved: [registers.rbx, registers.rbp, registers.r12, registers.r13, registers.r14, registers.r15])
  }

  func decoded(_ label: String) throws -> DecodedWait { try WaitDecoder(memory: memory).decode(sleeper(label)) }

  /// The word of the lock that `label` waits for.
  func word(_ label: String) throws -> LockWord? {
    let wait = try decoded(label)
    return wait.lock.flatMap { lock in
      LibraryWord.decode(
        wait.library, wait.type, at: lock, memory: memory, isSleptOn: (try? sleeper(label).futex.word) == lock)
    }
  }

  /// Decoded waits against the truth: a line for each that is wrong or, unless it is among `unknown`, not known.
  func mistakes(library: LockLibrary, except: Set<String> = [], unknown: Set<String> = []) throws -> [String] {
    var lines: [String] = []
    for (label, truth) in truths.sorted(by: { $0.key < $1.key }) where !except.contains(label) {
      let wait = try decoded(label)
      if unknown.contains(label), wait.library == .unknown || wait.lock == nil { continue }
      let isRight =
        wait.library == library && wait.type == truth.type && wait.mode == truth.mode
        && (truth.lock == nil || wait.lock == truth.lock)
      if !isRight {
        let names = try sleeper(label).stack.prefix(6).map { $0.function ?? "?" }
        lines.append(
          "\(label): \(wait.library.rawValue) \(wait.type.rawValue) \(wait.mode.rawValue) "
            + "\(wait.lock.map(String.init(describing:)) ?? "nil"), not \(truth); \(wait.evidence) \(names)")
      }
    }
    return lines
  }
}

/// Fails with every wait of the scene that was told wrong.
func expectNoMistakes(
  _ scene: WaitScene, library: LockLibrary, except: Set<String> = [], unknown: Set<String> = [],
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  #expect(!scene.truths.isEmpty, sourceLocation: sourceLocation)
  let mistakes = try scene.mistakes(library: library, except: except, unknown: unknown)
  #expect(mistakes.isEmpty, "\(mistakes.joined(separator: "\n"))", sourceLocation: sourceLocation)
}
