import Glibc
import LockjawEmulator
import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms

/// A running program of random guard nestings, and the table it keeps of who holds what.
package final class NestingProgram {
  package struct Score: CustomStringConvertible {
    package var holds = 0
    package var missed = 0
    /// Claimed of a scored thread, and not in the table.
    package var wrong = 0
    /// The same before the lock's word was heard.
    package var missedBefore = 0
    package var wrongBefore = 0
    package var tally = RungTally()
    /// Of everything that was found, whatever became of it: how far each strength is to be trusted.
    package var strengths: [FoundHold.Strength: (right: Int, wrong: Int, claimedWrong: Int)] = [:]
    package var snapshots = 0
    /// Searched in each snapshot.
    package var threads = 0
    package var instructions = 0
    /// Of each run of the interpreter.
    package var runNanoseconds: [UInt32] = []
    /// Of each snapshot: stacks unwound, tables read, every frame asked.
    package var searchNanoseconds: [UInt64] = []
    /// What the wrong and missed ones were, for whoever looks into them.
    package var notes: [String] = []

    package init() {}

    package var description: String {
      let (byPad, byRun) = (tally.right[.landingPad, default: 0], tally.right[.forwardRun, default: 0])
      let found = max(byPad + byRun, 1)
      return
        "\(holds) holds in \(snapshots) snapshots: before the count \(missedBefore) missed, \(wrongBefore) false; after "
        + "\(missed) missed, \(wrong) false; \(byPad * 100 / found) % by landing pad, \(byRun * 100 / found) % by forward run"
    }

    /// Processor time of a run, and wall-clock time of a search.
    package var speed: String {
      let columns = speedColumns.split(separator: "|").map { $0.filter { $0 != " " } }
      guard columns.count == 8 else { return speedColumns }
      return "\(columns[1]) runs of \(columns[2]) instructions: median \(columns[3]) µs, p90 \(columns[4]), "
        + "mean \(columns[5]), longest \(columns[6]); whole search of \(columns[0]) threads: \(columns[7]) ms"
    }

    /// Threads, runs, mean instructions; median, 90th percentile, mean and longest run in µs; median search in ms.
    package var speedColumns: String {
      let each = runNanoseconds.sorted()
      let whole = searchNanoseconds.sorted()
      guard let longest = each.last, !whole.isEmpty else { return "nothing was run" }
      let mean = each.reduce(0) { $0 + Int($1) } / each.count
      let times = [Int(each[each.count / 2]), Int(each[each.count * 9 / 10]), mean, Int(longest)].map {
        "\(Double($0 / 100) / 10)"
      }
      return
        ([threads, each.count, instructions / each.count].map { "\($0)" } + times
        + ["\(Double(whole[whole.count / 2] / 100_000) / 10)"]).joined(separator: " | ")
    }
  }

  private struct Row: Equatable {
    var tid: ThreadID
    var phase: UInt32
    var awaits: SearchedThread.Awaited?
    var holds: [Int: LockMode]
  }

  let running: RunningProgram
  private let process: LiveProcess
  private let files: ModuleFiles
  private var table: UInt64 = 0
  private var rowBytes = 0
  private var threads = 0
  private(set) var locks: [LockSemantics] = []
  private var lastNoted: [(ThreadID, Address)] = []

  init(path: String, seed: UInt64, threads: Int = 8) throws {
    running = try RunningProgram([path, "\(seed)", "\(threads)"])
    process = try LiveProcess(pid: running.pid)
    files = ModuleFiles(root: .process(process))
    while true {
      let words = try running.readLine().split(separator: " ")
      if words.first == "ready" { break }
      if words.first == "table", words.count == 5, let address = UInt64(words[1], radix: 16), let bytes = Int(words[2]),
        let count = Int(words[3])
      {
        (table, rowBytes, self.threads) = (address, bytes, count)
      } else if words.first == "lock", words.count == 4, let kind = LockSemantics.Kind(rawValue: String(words[2])),
        let address = UInt64(words[3], radix: 16)
      {
        locks.append(LockSemantics(kind, at: Address(address)))
      } else {
        throw CommandFailure(description: "the program said \(words)")
      }
    }
  }

  private static func mode(_ number: UInt32) -> LockMode? {
    switch number {
    case 1: .exclusive
    case 2: .read
    case 3: .write
    default: nil
    }
  }

  private func rows(_ memory: any MemoryReader) -> [Row] {
    (0..<threads).compactMap { index in
      guard let bytes = memory.bytes(at: Address(table + UInt64(index * rowBytes)), count: rowBytes) else { return nil }
      func word(_ number: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[4 * number + $1]) << UInt32(8 * $1) }
      }
      var row = Row(tid: ThreadID(Int32(bitPattern: word(0))), phase: word(1), awaits: nil, holds: [:])
      let awaited = Int(word(2)) - 1
      if row.phase == 2, locks.indices.contains(awaited), let mode = Self.mode(word(3)) {
        row.awaits = SearchedThread.Awaited(lock: locks[awaited].address, mode: mode, isReacquisition: false)
      }
      for lock in locks.indices { row.holds[lock] = Self.mode(word(4 + lock)) }
      return row
    }
  }

  /// Stops the program, looks for the holders of every taken lock, compares with the table, lets it go on.
  func score(into score: inout Score) throws {
    kill(running.pid, SIGSTOP)
    defer { kill(running.pid, SIGCONT) }
    let isStopped = RunningProgram.wait { self.process.threads.allSatisfy { $0.state == "T" || $0.hasEnded } }
    guard isStopped else { throw CommandFailure(description: "the program does not stop") }
    let before = rows(ProcessMemory(process))
    // On a busy machine a thread may need longer than a diagnosis would wait; one without registers cannot be searched.
    let snapshot = try Snapshot.take(pid: running.pid, deadline: .seconds(10))
    let memory = LayeredMemory([snapshot.memory, ProcessMemory(process)])
    let rows = rows(memory)
    // The stacks are of a moment in between. Whoever looks at a stopped thread makes it move: should it have come as far as its
    // table, there is no truth to compare with.
    guard rows == before else { return }
    let byThread = Dictionary(rows.map { ($0.tid, $0) }, uniquingKeysWith: { first, _ in first })
    let begin = monotonicNanoseconds()
    let unwinder = StackUnwinder(modules: snapshot.modules, files: files)
    let search = HolderSearch(modules: snapshot.modules, files: files, memory: memory)
    let searched = snapshot.threads.compactMap { thread -> SearchedThread? in
      guard let registers = thread.registers else { return nil }
      return SearchedThread(
        tid: thread.tid,
        frames: search.frames(from: registers, fsBase: registers.fsBase, unwinder: unwinder, memory: memory),
        fsBase: registers.fsBase,
        awaits: byThread[thread.tid]?.awaits, futex: thread.kernelState.futexWord)
    }
    let taken = locks.compactMap { lock in
      LockWords.expected(lock, memory: memory).map { SearchedLock(lock, expected: $0) }
    }
    search.timesRuns = true
    search.keepsAnswers = getenv("LOCKJAW_EXPLAIN") != nil
    let found = search.holders(of: taken, among: searched)
    score.searchNanoseconds.append(monotonicNanoseconds() - begin)
    score.runNanoseconds += search.statistics.runNanoseconds
    score.threads = searched.count
    score.instructions += search.statistics.instructions
    score.snapshots += 1
    let noted = score.notes.count
    compare(found, snapshot, byThread, into: &score)
    if score.notes.count > noted, getenv("LOCKJAW_EXPLAIN") != nil {
      for (tid, lock) in lastNoted {
        guard let thread = searched.first(where: { $0.tid == tid }),
          let lock = taken.first(where: { $0.semantics.address == lock })
        else { continue }
        print(
          "thread \(tid), lock \(lock.semantics.kind) \(lock.semantics.address), awaits \(thread.awaits.map { "\($0)" } ?? "nothing")"
        )
        let symbolizer = Symbolizer(modules: snapshot.modules, files: files)
        for (line, frame) in zip(search.explanation(of: thread, lock: lock.semantics.address), thread.frames) {
          let name = symbolizer.frames(at: frame.pc, isReturnAddress: frame.isReturnAddress)
          print("  ", line, name.map { "\($0.function ?? "?"):\($0.line ?? 0)" }.joined(separator: " < "))
        }
      }
    }
    lastNoted = []
  }

  private func compare(
    _ found: [FoundHolders], _ snapshot: Snapshot, _ rows: [ThreadID: Row], into score: inout Score
  ) {
    struct Claim: Hashable {
      var tid: ThreadID
      var lock: Address
      var mode: LockMode
    }
    // Rows are true of threads that sleep at a leaf or in an acquire.
    let scored = Set(
      snapshot.threads.filter { thread in
        guard let row = rows[thread.tid], row.phase == 1 || row.phase == 2 else { return false }
        switch thread.kernelState {
        case .futexWait, .systemCall: return true
        default: return false
        }
      }.map(\.tid))
    var truth: Set<Claim> = []
    for tid in scored {
      for (lock, mode) in rows[tid]?.holds ?? [:] {
        truth.insert(Claim(tid: tid, lock: locks[lock].address, mode: mode))
      }
    }
    func claims(_ holds: [FoundHold], _ lock: Address) -> [Claim] {
      holds.filter { scored.contains($0.tid) }.map { Claim(tid: $0.tid, lock: lock, mode: $0.mode) }
    }
    let after = Set(found.flatMap { claims($0.holds, $0.lock) })
    let before = Set(found.flatMap { claims($0.holds + $0.dismissed, $0.lock) })
    score.holds += truth.count
    score.missed += truth.subtracting(after).count
    score.wrong += after.subtracting(truth).count
    score.missedBefore += truth.subtracting(before).count
    score.wrongBefore += before.subtracting(truth).count
    score.tally.unknown += truth.subtracting(after).count
    for answer in found {
      for hold in answer.holds + answer.dismissed + answer.doubtful where scored.contains(hold.tid) {
        let isRight = truth.contains(Claim(tid: hold.tid, lock: answer.lock, mode: hold.mode))
        score.strengths[hold.strength, default: (0, 0, 0)].right += isRight ? 1 : 0
        score.strengths[hold.strength, default: (0, 0, 0)].wrong += isRight ? 0 : 1
        if !isRight, answer.holds.contains(hold) {
          score.strengths[hold.strength, default: (0, 0, 0)].claimedWrong += 1
        }
      }
      for hold in answer.holds where scored.contains(hold.tid) {
        let isRight = truth.contains(Claim(tid: hold.tid, lock: answer.lock, mode: hold.mode))
        if isRight {
          score.tally.right[hold.rung, default: 0] += 1
        } else {
          score.tally.wrong[hold.rung, default: 0] += 1
        }
      }
    }
    for (claim, what) in after.subtracting(truth).map({ ($0, "wrong") })
      + truth.subtracting(after).map({ ($0, "missed") })
    {
      guard score.notes.count < 20 else { break }
      let answer = found.first { $0.lock == claim.lock }
      lastNoted.append((claim.tid, claim.lock))
      score.notes.append(
        "\(what): thread \(claim.tid) \(claim.mode) of lock \(claim.lock), phase \(rows[claim.tid]?.phase ?? 0), "
          + "\(answer.map { "\($0.check), \($0.holds.count) claimed, \($0.dismissed.count) dismissed" } ?? "no answer")"
          + (answer?.holds.first { $0.tid == claim.tid }.map { ", at \($0.releasedAt) by \($0.rung)" } ?? ""))
    }
  }
}

extension KernelState {
  /// The word a thread sleeps on.
  package var futexWord: Address? {
    if case .futexWait(let word) = self { word } else { nil }
  }
}
