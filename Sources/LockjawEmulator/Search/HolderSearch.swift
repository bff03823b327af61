import LockjawInspect
import LockjawModel
import LockjawSymbols

/// Finds the frames that hold locks whose acquisition nobody recorded, by asking what each frame would release.
///
/// For every frame of every thread: emulate the landing pad that the unwinder would take, and where there is none, or it
/// does not end in the unwinder, run the frame forward. The first thing either does to a lock tells: a release means that
/// the frame holds it. The lock's own word then has the last say (`CountCheck`).
package final class HolderSearch {
  package struct Statistics: Hashable, Sendable {
    package var runs = 0
    package var instructions = 0
    package var frames = 0
  }
  package private(set) var statistics = Statistics()

  private let modules: [LoadedModule]
  private let tables: ExceptionTables
  private var run: FrameRun

  /// - Parameters:
  ///   - memory: the target's memory of the moment the stacks are from.
  ///   - files: read first where they are what was mapped: code and tables do not change.
  package init(modules: [Module], files: ModuleFiles, memory: any MemoryReader) {
    let layered = LayeredMemory([FileBackedMemory(modules: modules, files: files), memory])
    self.modules = modules.compactMap { LoadedModule($0, files: files, memory: layered) }
      .sorted { $0.module.start < $1.module.start }
    tables = ExceptionTables(modules: self.modules, memory: layered)
    run = FrameRun(
      memory: layered, stubs: Stubs(modules: self.modules, memory: layered), tables: tables)
  }

  /// Who holds each of `locks`, in their order.
  package func holders(of locks: [SearchedLock], among threads: [SearchedThread]) -> [FoundHolders] {
    let semantics = locks.map(\.semantics)
    var found = [[FoundHold]](repeating: [], count: locks.count)
    var unanswered = 0
    for thread in threads {
      for index in thread.frames.indices {
        guard let frame = frame(index, of: thread) else { continue }
        statistics.frames += 1
        let answer = answer(frame, locks: semantics)
        if !answer.isComplete { unanswered += 1 }
        for lock in locks.indices {
          guard let hold = answer.hold(of: lock, in: thread, frame: index, locks: semantics) else { continue }
          found[lock].append(hold)
        }
      }
    }
    return zip(locks, found).map { lock, holds in
      CountCheck.check(lock, holds, threads: threads, unansweredFrames: unanswered)
    }
  }

  /// The frame at `index` where it is one that calls something and belongs to the program.
  private func frame(_ index: Int, of thread: SearchedThread) -> FrameRun.Frame? {
    let frame = thread.frames[index]
    guard frame.isReturnAddress, let module = module(frame.pc), !module.isRuntime else { return nil }
    let registers = frame.preserved
    // A caller's stack pointer lies above, but where a signal came in on a stack of its own.
    let next = index + 1 < thread.frames.count ? thread.frames[index + 1].sp.rawValue : .max
    return FrameRun.Frame(
      returnAddress: frame.pc.rawValue, stackPointer: frame.sp.rawValue,
      preserved: [registers.rbx, registers.rbp, registers.r12, registers.r13, registers.r14, registers.r15],
      end: next > frame.sp.rawValue ? next : .max, fsBase: thread.fsBase)
  }

  private func module(_ pc: Address) -> LoadedModule? {
    let call = Address(pc.rawValue &- 1)
    return modules.last { $0.module.start <= call }.flatMap { $0.module.contains(call) ? $0 : nil }
  }

  // MARK: One frame

  /// Own conditional branches that are tried the other way where a forward run never returns.
  private static let flippedBranches = 10

  private func answer(_ frame: FrameRun.Frame, locks: [LockSemantics]) -> FrameAnswer {
    var answer = FrameAnswer()
    func note(_ rung: FoundHold.Rung, _ outcome: FrameRun.Outcome) {
      statistics.runs += 1
      statistics.instructions += run.instructions
      answer.parts.append(FrameAnswer.Part(rung: rung, events: run.events, isComplete: outcome == .complete))
    }
    if case .at(let pad) = tables.landingPad(returnAddress: frame.returnAddress) {
      note(.landingPad, run.landingPad(pad, of: frame, watching: locks))
      if answer.isComplete { return answer }
    }
    for result in [UInt64(0), 1] {
      note(.forwardRun, run.forward(frame, result: result, watching: locks))
      if answer.isComplete { return answer }
    }
    // It never returns: a loop. One of its branches leads out.
    for branch in 1...Self.flippedBranches where !answer.isComplete {
      note(.forwardRun, run.forward(frame, result: 0, flippedBranch: branch, watching: locks))
    }
    if !answer.isComplete { note(.forwardRun, run.forwardToPad(frame, watching: locks)) }
    return answer
  }
}
