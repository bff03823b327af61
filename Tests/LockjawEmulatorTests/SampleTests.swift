import LockjawEmulator
import LockjawInspect
import LockjawModel
import LockjawNestings
import LockjawSymbols
import LockjawTestPrograms
import Testing

/// The samples that hang on locks whose acquire no shim sees: the holder's frame and line.
@Suite("Holders in the samples", .serialized)
struct SampleTests {
  static let levels = [["-O"], ["-C", "opt-level=0"], ["-O", "-C", "panic=abort"]]

  /// A sample that hangs, looked at without stopping it: who holds `lock`, by thread name.
  private final class Hang {
    let running: RunningProgram
    let program: Program
    let snapshot: Snapshot
    let memory: any MemoryReader
    let symbolizer: Symbolizer
    private let files: ModuleFiles
    private let threads: [SearchedThread]

    /// - Parameter lock: the lock's address for the word that a thread sleeps on.
    init(_ name: String, flags: [String], waiters: Int, awaits: (Address) -> SearchedThread.Awaited) throws {
      let root = NestingBuild.directory(of: NestingBuild.directory(of: NestingBuild.directory(of: #filePath)))
      // The time limit that the samples share; a test ends its programs itself.
      let source = try Command.succeed(["cat", "\(root)/Samples/rust/\(name).rs"])
        .split(separator: "\n", omittingEmptySubsequences: false)
        .map { $0 == "mod guard;" ? "mod guard { pub fn begin() {} }" : String($0) }
        .joined(separator: "\n")
      program = try Program(.rust, name: name, flags: ["-g"] + flags, source: source)
      running = try RunningProgram(program)
      let process = try LiveProcess(pid: running.pid)
      let isHanging = RunningProgram.wait {
        process.threads.count { thread in
          if thread.name == name { return false }
          return process.kernelState(of: thread.tid).futexWord != nil
        } >= waiters
      }
      guard isHanging else { throw CommandFailure(description: "\(name) does not hang") }
      snapshot = try Snapshot.take(pid: running.pid)
      memory = LayeredMemory([snapshot.memory, ProcessMemory(process)])
      let files = ModuleFiles(root: .process(process))
      self.files = files
      symbolizer = Symbolizer(modules: snapshot.modules, files: files)
      let unwinder = StackUnwinder(modules: snapshot.modules, files: files)
      let memory = memory
      let search = HolderSearch(modules: snapshot.modules, files: files, memory: memory)
      threads = snapshot.threads.compactMap { thread in
        thread.registers.map { registers in
          let word = thread.name == name ? nil : thread.kernelState.futexWord
          return SearchedThread(
            tid: thread.tid,
            frames: search.frames(from: registers, fsBase: registers.fsBase, unwinder: unwinder, memory: memory),
            fsBase: registers.fsBase,
            awaits: word.map(awaits), futex: thread.kernelState.futexWord)
        }
      }
    }

    func holders(of lock: LockSemantics) -> FoundHolders? {
      let search = HolderSearch(modules: snapshot.modules, files: files, memory: memory)
      return search.holders(
        of: [SearchedLock(lock, expected: LockWords.expected(lock, memory: memory))], among: threads
      ).first
    }

    func futexWord(ofThread name: String) -> Address? {
      snapshot.threads.first { $0.name == name }?.kernelState.futexWord
    }

    func name(_ tid: ThreadID) -> String? { snapshot.thread(tid)?.name }

    /// Functions at the end of the guard's scope, innermost first.
    func scopeEnd(_ hold: FoundHold) -> [Frame] {
      symbolizer.frames(at: hold.scopeEndsAt, isReturnAddress: hold.scopeEndIsReturnAddress)
    }
  }

  @Test("The if-let self-deadlock: the thread that waits to write holds the lock for reading", arguments: levels)
  func ifLet(flags: [String]) throws {
    // A writer of std's RwLock sleeps on the word behind the state.
    let hang = try Hang("std_iflet", flags: flags, waiters: 1) {
      SearchedThread.Awaited(lock: Address($0.rawValue - 4), mode: .write)
    }
    let word = try #require(hang.futexWord(ofThread: "gossip"))
    let found = try #require(hang.holders(of: LockSemantics(.rustRwLock, at: Address(word.rawValue - 4))))
    #expect(found.check == .confirmed)
    try #require(found.holds.count == 1)
    #expect(hang.name(found.holds[0].tid) == "gossip")
    #expect(found.holds[0].mode == .read)
    let functions = hang.scopeEnd(found.holds[0])
    #expect(functions.contains { $0.function?.contains("apply_record") ?? false }, "\(functions)")
    print(
      "\(flags): \(found.holds[0].rung), guard dropped at \(functions.map { "\($0.function ?? "?"):\($0.line ?? 0)" })")
  }

  @Test("The ABBA deadlock of two mutexes: each is held by the thread that waits for the other", arguments: levels)
  func abba(flags: [String]) throws {
    let hang = try Hang("std_abba", flags: flags, waiters: 2) { SearchedThread.Awaited(lock: $0, mode: .exclusive) }
    let threads = ["deliver", "bounce"]
    for (waiter, holder) in zip(threads, threads.reversed()) {
      let word = try #require(hang.futexWord(ofThread: waiter))
      let found = try #require(hang.holders(of: LockSemantics(.rustMutex, at: word)))
      #expect(found.check == .confirmed)
      #expect(found.holds.map { hang.name($0.tid) } == [holder])
    }
  }
}
