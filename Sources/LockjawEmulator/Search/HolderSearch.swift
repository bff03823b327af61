import Glibc
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
    /// Processor time of each run, where `timesRuns` asks for it.
    package var runNanoseconds: [UInt32] = []
  }
  /// For benchmarks: reading that clock costs as much as a short run.
  package var timesRuns = false
  /// For `explanation`, which otherwise has nothing to say.
  package var keepsAnswers = false
  private var kept: [ThreadID: (answers: [(index: Int, answer: FrameAnswer)], locks: [LockSemantics])] = [:]
  package private(set) var statistics = Statistics()

  private let modules: [LoadedModule]
  let tables: ExceptionTables
  var run: FrameRun
  /// The target's memory, read where the modules' files have it.
  let code: any MemoryReader
  private var runBegan: UInt64 = 0
  private var circling = CirclingFrames()

  /// - Parameters:
  ///   - memory: the target's memory of the moment the stacks are from.
  ///   - files: read first where they are what was mapped: code and tables do not change.
  package init(modules: [Module], files: ModuleFiles, memory: any MemoryReader) {
    let layered = LayeredMemory([FileBackedMemory(modules: modules, files: files), memory])
    code = layered
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
    if timesRuns { runBegan = Self.threadNanoseconds() }
    for thread in threads {
      let answers = answers(thread, locks: semantics)
      if keepsAnswers { kept[thread.tid] = (answers, semantics) }
      for (_, answer) in answers {
        statistics.frames += 1
        if !answer.parts.contains(where: \.hasEnded) { unanswered += 1 }
      }
      for lock in locks.indices {
        found[lock] += FrameAnswer.holds(of: lock, in: thread, answers: answers, locks: semantics)
      }
    }
    return zip(locks, found).map { lock, holds in
      CountCheck.check(lock, holds, threads: threads, unansweredFrames: unanswered)
    }
  }

  /// The frame at `index` where it is one that calls something and belongs to the program.
  func frame(_ index: Int, of thread: SearchedThread) -> FrameRun.Frame? {
    frame(index, of: thread.frames, fsBase: thread.fsBase)
  }

  func frame(_ index: Int, of frames: [Unwinding.Frame], fsBase: UInt64) -> FrameRun.Frame? {
    guard frames.indices.contains(index) else { return nil }
    let frame = frames[index]
    guard frame.isReturnAddress, let module = module(frame.pc), !module.isRuntime else { return nil }
    let registers = frame.preserved
    // A caller's stack pointer lies above, but where a signal came in on a stack of its own.
    let next = index + 1 < frames.count ? frames[index + 1].sp.rawValue : .max
    return FrameRun.Frame(
      returnAddress: frame.pc.rawValue, stackPointer: frame.sp.rawValue,
      preserved: [registers.rbx, registers.rbp, registers.r12, registers.r13, registers.r14, registers.r15],
      end: next > frame.sp.rawValue ? next : .max, fsBase: fsBase)
  }

  /// Whether the thread was stopped in the program's own code, between two calls. What that frame would release cannot be
  /// asked: landing pads belong to calls, and a run forward begins at a return.
  package func isBetweenCalls(_ thread: SearchedThread) -> Bool {
    guard let innermost = thread.frames.first, !innermost.isReturnAddress,
      let module = modules.last(where: { $0.module.start <= innermost.pc }), module.module.contains(innermost.pc)
    else { return false }
    return !module.isRuntime
  }

  private func module(_ pc: Address) -> LoadedModule? {
    let call = Address(pc.rawValue &- 1)
    return modules.last { $0.module.start <= call }.flatMap { $0.module.contains(call) ? $0 : nil }
  }

  // MARK: One frame

  /// What each of the thread's frames has told, by its index, innermost first.
  private func answers(_ thread: SearchedThread, locks: [LockSemantics]) -> [(index: Int, answer: FrameAnswer)] {
    let frames = thread.frames.indices.compactMap { index in frame(index, of: thread).map { (index: index, frame: $0) }
    }
    var answers = frames.map { (index: $0.index, answer: padAnswer($0.frame, locks: locks)) }
    guard answers.contains(where: { !$0.answer.isComplete }) else { return answers }
    // The frames below the first that is not the program's adjoin; what called back from a library is another matter.
    let adjoining = zip(frames, frames.dropFirst()).prefix { $0.0.index + 1 == $0.1.index }.count + 1
    var (chained, flips) = unwindForward(thread, frames.prefix(adjoining).map(\.frame), locks)
    if zip(chained, answers).contains(where: { $0.end == .incomplete && !$1.answer.isComplete }) {
      let chain = patientChain(thread, frames.prefix(chained.count).map(\.frame)[...], flips, locks)
      if chain.passed.count == chained.count { chained = chain.passed }
    }
    for place in answers.indices where !answers[place].answer.isComplete {
      if place < chained.count {
        answers[place].answer.parts.append(
          FrameAnswer.Part(rung: .forwardRun, events: chained[place].events, end: chained[place].end, isChained: true))
      } else if place > 0, place == chained.count, place < adjoining, thread.awaits != nil {
        if let part = runOn(thread, frames.prefix(place + 1).map(\.frame), flips, locks) {
          answers[place].answer.parts.append(part)
        } else {
          runForward(frames[place].frame, locks, into: &answers[place].answer)
        }
      } else {
        runForward(frames[place].frame, locks, into: &answers[place].answer)
      }
    }
    return answers
  }

  /// How much longer a run may take in which a lock was touched after a call had been given up.
  private static let patience = 3

  private func note(_ rung: FoundHold.Rung, _ outcome: FrameRun.Outcome, in answer: inout FrameAnswer) {
    countRun()
    answer.parts.append(FrameAnswer.Part(rung: rung, events: run.events, end: outcome))
  }

  private func countRun() {
    statistics.runs += 1
    statistics.instructions += run.instructions
    if timesRuns { statistics.runNanoseconds.append(UInt32(clamping: Self.threadNanoseconds() &- runBegan)) }
    runBegan = timesRuns ? Self.threadNanoseconds() : 0
  }

  private static func threadNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  private func padAnswer(_ frame: FrameRun.Frame, locks: [LockSemantics]) -> FrameAnswer {
    var answer = FrameAnswer()
    if case .at(let pad) = tables.landingPad(returnAddress: frame.returnAddress),
      !circling.isHopelessPad(frame.returnAddress)
    {
      note(.landingPad, run.landingPad(pad, of: frame, watching: locks), in: &answer)
      if !answer.parts.contains(where: \.hasEnded) { circling.notePadWithoutEnd(frame.returnAddress) }
    }
    return answer
  }

  /// From the innermost frame outwards through the returns, as far as that goes.
  /// - Returns: what each frame did that was run to its end, and the branches that had to be flipped for that.
  private func unwindForward(
    _ thread: SearchedThread, _ frames: [FrameRun.Frame], _ locks: [LockSemantics]
  ) -> (passed: [(events: [LockWatch.Event], end: FrameRun.Outcome)], flips: [Int: Int]) {
    // A frame that is known to circle ends the chain without telling anything.
    let frames = frames.prefix { !circling.isCircling($0.returnAddress) }
    guard let innermost = frames.first else { return ([], [:]) }
    var best: (passed: [(events: [LockWatch.Event], end: FrameRun.Outcome)], flips: [Int: Int]) = ([], [:])
    var branches: Int?
    circling.tryWays(out: innermost.returnAddress, .chain) { way, _ in
      guard let flips = Self.flips(way, of: 0, atMost: branches) else { return .impossible }
      let chain = run.unwindForward(
        frames[...], futex: thread.futex?.rawValue, result: 0, flippedBranches: flips, watching: locks)
      countRun()
      branches = max(branches ?? 0, run.ownBranches)
      if chain.passed.count > best.passed.count { best = (chain.passed, flips) }
      return best.passed.isEmpty ? .circles : .leadsOut
    }
    return best
  }

  /// The last of `frames`, entered by the return of the one before it: a call that is to give it the awaited lock. A return that
  /// is only assumed would leave it what an earlier call has put in that place: the guard of another lock, long released. Nor
  /// is another branch tried: in a loop one of them leads to a release without its acquire.
  /// - Returns: what the frame did; `nil` where the run does not get there.
  private func runOn(
    _ thread: SearchedThread, _ frames: [FrameRun.Frame], _ flips: [Int: Int], _ locks: [LockSemantics]
  ) -> FrameAnswer.Part? {
    var chain = run.unwindForward(
      frames[...], futex: thread.futex?.rawValue, result: 0, flippedBranches: flips, watching: locks)
    countRun()
    if Self.isInDoubt(chain.unfinished ?? []) { chain = patientChain(thread, frames[...], flips, locks) }
    if chain.passed.count == frames.count, let last = chain.passed.last {
      return FrameAnswer.Part(rung: .forwardRun, events: last.events, end: last.end, isChained: true)
    }
    guard chain.passed.count == frames.count - 1, let events = chain.unfinished else { return nil }
    return FrameAnswer.Part(rung: .forwardRun, events: events, end: .cut(.circling), isChained: true)
  }

  /// Whether a lock is released first, after a call that had been given up: with more time for that there may be no doubt.
  private static func isInDoubt(_ events: [LockWatch.Event]) -> Bool {
    var seen: Set<Int> = []
    return events.contains { event in
      guard seen.insert(event.lock).inserted, case .release = event.operation else { return false }
      return event.footing != .whole
    }
  }

  /// The same once more, with time for the calls that were given up.
  private func patientChain(
    _ thread: SearchedThread, _ frames: ArraySlice<FrameRun.Frame>, _ flips: [Int: Int], _ locks: [LockSemantics]
  ) -> FrameRun.Chain {
    defer { countRun() }
    return run.unwindForward(
      frames, futex: thread.futex?.rawValue, result: 0, flippedBranches: flips, patience: Self.patience,
      watching: locks)
  }

  /// The branch that this way flips in the frame at `place`; `nil` where the way is none through a chain of returns.
  private static func flips(_ way: CirclingFrames.Way, of place: Int, atMost branches: Int?) -> [Int: Int]? {
    switch way {
    case .result(0): [:]
    case .flippedBranch(let branch): branch <= branches ?? .max ? [place: branch] : nil
    default: nil
    }
  }

  private func runForward(_ frame: FrameRun.Frame, _ locks: [LockSemantics], into answer: inout FrameAnswer) {
    var branches: Int?
    circling.tryWays(out: frame.returnAddress, .frame) { way, isHopeless in
      var outcome: FrameRun.Outcome
      switch way {
      case .result(let result):
        let limit: FrameRun.Limit = isHopeless ? .hopeless : result == 0 ? .first : .further
        outcome = run.forward(frame, result: result, limit: limit, watching: locks)
        if outcome == .incomplete, Self.isInDoubt(run.events) {
          countRun()
          outcome = run.forward(frame, result: result, limit: limit, patience: Self.patience, watching: locks)
        }
      case .flippedBranch(let branch):
        // It never returns: a loop. One of its branches leads out.
        guard branch <= branches ?? .max else { return .impossible }
        outcome = run.forward(frame, result: 0, flippedBranch: branch, limit: .further, watching: locks)
      case .pad: outcome = run.forwardToPad(frame, watching: locks)
      }
      note(.forwardRun, outcome, in: &answer)
      branches = max(branches ?? 0, run.ownBranches)
      return answer.hasForwardRun ? .leadsOut : .circles
    }
  }

  /// What each way said about one lock in each frame of a thread in the last search, for whoever wants to know why: a line a
  /// frame. Empty unless `keepsAnswers` was set before.
  package func explanation(of thread: SearchedThread, lock: Address) -> [String] {
    guard let (answers, locks) = kept[thread.tid], let lock = locks.firstIndex(where: { $0.address == lock }) else {
      return []
    }
    return thread.frames.indices.map { index in
      guard let answer = answers.first(where: { $0.index == index })?.answer else {
        return "#\(index) \(thread.frames[index].pc): not the program's"
      }
      let parts = answer.parts.map { part in
        let events = part.events.filter { $0.lock == lock }.map { "\($0.operation)@\(Address($0.pc)) \($0.footing)" }
        return "\(part.rung.rawValue)\(part.isChained ? " (chained)" : "") \(events.joined(separator: ",")) \(part.end)"
      }
      return "#\(index) \(thread.frames[index].pc): " + parts.joined(separator: "; ")
    }
  }
}
