import Glibc
import LockjawEmulator
import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms

/// A program with one sleeping thread for each way a guard can be kept, and what it says about who holds what.
package struct PatternProgram {
  /// Right, short and wrong answers, each by the thread's name.
  package struct Table: CustomStringConvertible {
    package var right: [String] = []
    /// Nobody was named.
    package var short: [String] = []
    /// The thread is right, another of its frames was named.
    package var otherFrame: [String] = []
    package var wrong: [String] = []
    package var tally = RungTally()
    package var description: String {
      "\(right.count) right, \(short.count) short (\(short.joined(separator: " "))), "
        + "\(otherFrame.count) in another frame (\(otherFrame.joined(separator: " "))), "
        + "\(wrong.count) wrong (\(wrong.joined(separator: " ")))"
    }
  }

  private struct Truth {
    var thread: String
    var lock: LockSemantics
    /// `nil`: no frame owns the hold.
    var mode: LockMode?
    /// The thread itself owns it and lets go when it ends. Where its stack has a frame without unwind information, the run
    /// forward from there goes to the end of the thread and may come upon that: nothing wrong, though no frame's.
    var isKeptByThread: Bool
    var function: String
  }

  /// Starts the program, waits until it sleeps, and compares.
  /// - Parameter comparesFunctions: not only the thread, but also which of its functions has the lock.
  package static func table(path: String, comparesFunctions: Bool) throws -> Table {
    let running = try RunningProgram([path])
    var truths = [Truth]()
    var awaits: [String: SearchedThread.Awaited] = [:]
    while true {
      let words = try running.readLine().split(separator: " ").map { String($0) }
      if words.first == "ready" { break }
      if words.count == 6, let kind = LockSemantics.Kind(rawValue: words[2]), let address = UInt64(words[3], radix: 16)
      {
        truths.append(
          Truth(
            thread: words[1], lock: LockSemantics(kind, at: Address(address)), mode: LockMode(rawValue: words[4]),
            isKeptByThread: words[4] == "kept", function: words[5]))
      } else if words.count == 4, let address = UInt64(words[2], radix: 16), let mode = LockMode(rawValue: words[3]) {
        awaits[words[1]] = SearchedThread.Awaited(
          lock: Address(address), mode: mode, isReacquisition: words[0] == "reacquires" ? nil : false)
      } else {
        throw CommandFailure(description: "the program said \(words)")
      }
    }
    let process = try LiveProcess(pid: running.pid)
    let isAsleep = RunningProgram.wait {
      process.threads.allSatisfy { thread in
        switch process.kernelState(of: thread.tid) {
        case .futexWait, .systemCall: true
        default: false
        }
      }
    }
    guard isAsleep else { throw CommandFailure(description: "the program does not come to rest") }
    let snapshot = try Snapshot.take(pid: running.pid, deadline: .seconds(10))
    let memory = LayeredMemory([snapshot.memory, ProcessMemory(process)])
    let files = ModuleFiles(root: .process(process))
    let unwinder = StackUnwinder(modules: snapshot.modules, files: files)
    let search = HolderSearch(modules: snapshot.modules, files: files, memory: memory)
    let threads = snapshot.threads.compactMap { thread -> SearchedThread? in
      guard let registers = thread.registers else { return nil }
      return SearchedThread(
        tid: thread.tid,
        frames: search.frames(from: registers, fsBase: registers.fsBase, unwinder: unwinder, memory: memory),
        fsBase: registers.fsBase,
        awaits: awaits[thread.name], futex: thread.kernelState.futexWord)
    }
    search.keepsAnswers = getenv("LOCKJAW_EXPLAIN") != nil
    let locks = truths.map { SearchedLock($0.lock, expected: LockWords.expected($0.lock, memory: memory)) }
    let symbolizer = Symbolizer(modules: snapshot.modules, files: files)
    var table = Table()
    for (truth, found) in zip(truths, search.holders(of: locks, among: threads)) {
      let rightBefore = table.right.count
      judge(truth, found, snapshot, threads, comparesFunctions ? symbolizer : nil, &table)
      if getenv("LOCKJAW_EXPLAIN") != nil, table.right.count == rightBefore,
        let thread = threads.first(where: { snapshot.thread($0.tid)?.name == truth.thread })
      {
        print(truth.thread, found.check)
        for line in search.explanation(of: thread, lock: truth.lock.address) { print("  ", line) }
      }
    }
    return table
  }

  private static func judge(
    _ truth: Truth, _ found: FoundHolders, _ snapshot: Snapshot, _ threads: [SearchedThread], _ symbolizer: Symbolizer?,
    _ table: inout Table
  ) {
    let strangers = found.holds.contains { hold in
      snapshot.thread(hold.tid)?.name != truth.thread || (hold.mode != truth.mode && !truth.isKeptByThread)
    }
    if strangers {
      for hold in found.holds { table.tally.wrong[hold.rung, default: 0] += 1 }
      return table.wrong.append(truth.thread)
    }
    guard let hold = found.holds.first else {
      if truth.mode == nil {
        table.tally.withoutFrame += 1
        return table.right.append(truth.thread)
      }
      table.tally.unknown += 1
      return table.short.append(truth.thread)
    }
    table.tally.right[hold.rung, default: 0] += 1
    guard let symbolizer else { return table.right.append(truth.thread) }
    let frame = threads.first { $0.tid == hold.tid }?.frames[hold.frame]
    let functions = frame.map { symbolizer.frames(at: $0.pc, isReturnAddress: true) } ?? []
    let isNamed = functions.contains { frame in
      (frame.function ?? "").split { !($0.isLetter || $0.isNumber || $0 == "_") }.contains { $0 == truth.function }
    }
    if isNamed { table.right.append(truth.thread) } else { table.otherFrame.append(truth.thread) }
  }
}
