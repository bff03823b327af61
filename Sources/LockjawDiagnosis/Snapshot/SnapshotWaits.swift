import LockjawGraph
import LockjawInspect
import LockjawModel
import LockjawSymbols

/// Threads of a process without an arena, with the waits that its registers and lock words show.
///
/// Nobody recorded who took what, so no thread has held entries: holders come from the locks' own words.
struct SnapshotWaits {
  private let target: SnapshotTarget
  private let symbols: TargetSymbols
  /// Most frames between a program's call and the kernel: a lock function and what it is made of.
  private static let deepestLibraryStack = 12

  init(_ target: SnapshotTarget) {
    self.target = target
    symbols = target.symbols()
  }

  var threads: [ThreadState] {
    target.snapshot.threads.enumerated().map { slot, thread in
      ThreadState(
        tid: thread.tid, name: thread.name, slot: slot, pthread: Address(thread.threadPointer),
        wait: thread.blockingCall == nil ? nil : wait(of: thread))
    }
  }

  private func wait(of thread: Snapshot.Thread) -> Wait? {
    // Most threads of a server sleep in poll or read: no need to unwind those.
    guard FutexSleep(thread, isInFutexFunction: true) != nil, let registers = thread.registers else { return nil }
    let unwinding = symbols.unwinder.unwind(registers, memory: target.memory, limit: Self.deepestLibraryStack)
    let library = libraryFrames(of: unwinding)
    guard
      let sleep = FutexSleep(thread, isInFutexFunction: library.functions.contains { GlibcWait.isFutexFunction($0) })
    else { return nil }
    let decoded =
      GlibcWait.decode(sleep, functions: library.functions, memory: target.memory) ?? plainWait(sleep)
    return Wait(
      sequence: 1, type: decoded.type, mode: decoded.mode, object: decoded.object, companion: decoded.companion,
      site: CallSite(address: library.caller), since: since(thread),
      // When it ends is the kernel's secret; that it ends is what matters.
      deadline: sleep.hasTimeLimit ? Instant(nanoseconds: .max - 1) : nil,
      futex: decoded.type == .futex || decoded.type == .piFutex ? thread.futexWait : nil)
  }

  private func plainWait(_ sleep: FutexSleep) -> ObjectWait {
    sleep.isPriorityInheriting
      ? ObjectWait(type: .piFutex, mode: .exclusive, object: sleep.word)
      : ObjectWait(type: .futex, mode: .signal, object: sleep.word)
  }

  private func since(_ thread: Snapshot.Thread) -> Instant {
    guard let slept = thread.sleptNanoseconds else { return .unknown }
    let now = target.snapshot.takenAt.nanoseconds
    return Instant(nanoseconds: now > slept ? now - slept : 0)
  }

  /// Functions of the innermost frames as far as they are a lock library's, and the return address into what called
  /// them. A program that is linked statically has them in its own file.
  private func libraryFrames(of unwinding: Unwinding) -> (functions: [String], caller: Address) {
    var functions: [String] = []
    for frame in unwinding.frames {
      let named = symbols.symbolizer.frames(at: frame.pc, isReturnAddress: frame.isReturnAddress)
      guard let outermost = named.last, Plumbing.isCLibrary(outermost.module) || outermost.isPlumbing else {
        return (functions, frame.pc)
      }
      functions += named.compactMap(\.function)
    }
    return (functions, Address(0))
  }
}

extension Examination {
  /// What a snapshot shows by itself, for a process without an arena.
  package static func glance(_ target: SnapshotTarget) -> Glance {
    let threads = SnapshotWaits(target).threads
    // Of an rwlock's readers nobody keeps the names: they are looked for in the frames, as far as the word counts some.
    let words = WaitForGraph.locksToDecode(threads).reduce(into: [Address: LockWord]()) { words, lock in
      guard lock.type == .rwlock else { return }
      words[lock.object] = GlibcWord.decode(.rwlock, at: lock.object) { target.memory.bytes(at: $0, count: $1) }
    }
    return Glance(
      threads: threads, now: target.snapshot.takenAt, waits: keys(of: threads), listsEveryThread: true, words: words
    )
    .interpreting(target, arena: nil, snapshot: target.snapshot, olderThan: 0)
    .findingHolders(target, arena: nil) { target.snapshot }
  }
}
