import LockjawArena
import LockjawGraph
import LockjawInspect
import LockjawModel
import LockjawSymbols

/// Stacks of a target's threads, symbolised, and the frames a report shows.
///
/// A waiting thread is unwound from the registers its slot has, without stopping anything: its stack does not move
/// while the wait lasts. Other threads need a snapshot.
struct StackReader {
  let arena: ArenaReader?
  let target: any Target
  let snapshot: Snapshot?
  private let symbols: TargetSymbols
  private let cut = CutStacks()
  /// Of threads whose waits are recorded, which are read where they lie, and of those in the snapshot.
  private let waiting, stopped: TablelessStacks

  init(arena: ArenaReader?, target: any Target, snapshot: Snapshot?) {
    self.arena = arena
    self.target = target
    self.snapshot = snapshot
    let symbols = target.symbols()
    let modules = target.modules
    self.symbols = symbols
    let waiting = TablelessStacks(symbols, modules: modules, memory: target.memory)
    self.waiting = waiting
    stopped =
      if let snapshot {
        TablelessStacks(symbols, modules: modules, memory: LayeredMemory([snapshot.memory, target.memory]))
      } else {
        waiting
      }
  }

  /// Innermost first; empty where nothing is known of the thread's stack.
  /// - Parameter beyondTables: whether it is led on through functions without unwind tables; see `TablelessStacks`.
  func stack(of thread: ThreadState, beyondTables: Bool = true) -> [Frame] {
    if let wait = thread.wait, wait.context.ip != 0 {
      let top = MemoryImage(base: Address(wait.context.sp), bytes: arena?.stackTop(inSlot: thread.slot) ?? [])
      // The live stack reaches further than the copy and is as true while the wait lasts; of a dead process the copy
      // is all there is.
      let memory = LayeredMemory([target.memory, top])
      func frames(_ unwinding: Unwinding) -> [Frame] {
        symbols.symbolizer.frames(
          of: beyondTables
            ? waiting.goingOn(unwinding, fsBase: thread.pthread.rawValue, memory: memory) : unwinding)
      }
      let unwinding = symbols.unwinder.unwind(Registers(wait.context), memory: memory)
      if unwinding.frames.count > 1 { return frames(unwinding) }
      if let caller = callerRegisters(wait, memory) {
        return frames(symbols.unwinder.unwind(caller, memory: memory, beginsAtReturnAddress: true))
      }
    }
    let stack = stack(of: thread.tid, beyondTables: beyondTables)
    if !stack.isEmpty { return stack }
    // The call site is always there.
    guard let site = thread.wait?.site, site.address.rawValue != 0 else { return [] }
    return frames(at: site)
  }

  /// The variable that keeps `lock` taken, for a thread that is known to hold it.
  /// - Parameter heldIn: the return address in the frame that has the guard, where that is known.
  func guardVariable(of lock: Address, held thread: ThreadState?, _ tid: ThreadID, heldIn: Address?) -> GuardVariable? {
    var memory = LayeredMemory([target.memory])
    var registers: Registers?
    if let wait = thread?.wait, wait.context.ip != 0 {
      let top = MemoryImage(base: Address(wait.context.sp), bytes: arena?.stackTop(inSlot: thread?.slot ?? -1) ?? [])
      memory = LayeredMemory([target.memory, top])
      registers = Registers(wait.context)
    } else if let snapshot {
      memory = LayeredMemory([snapshot.memory, target.memory])
      registers = snapshot.thread(tid)?.registers
    }
    guard let registers else { return nil }
    let frames = symbols.unwinder.unwind(registers, memory: memory, limit: Self.deepestHold).frames
    for (index, frame) in frames.enumerated() where heldIn == nil || heldIn == frame.pc {
      let caller = index + 1 < frames.count ? frames[index + 1].sp : nil
      if let found = symbols.symbolizer.guardVariable(of: lock, in: frame, callerStackPointer: caller, memory: memory) {
        return found
      }
    }
    return nil
  }

  /// Frames that are looked through for a guard.
  private static let deepestHold = 64

  /// As much of the stack of a thread asleep in a futex wait as tells what it waits for. The C library's own waits are told
  /// by their first few frames: a thousand waiters' stacks need not be unwound for that.
  func stackOfWait(_ thread: ThreadState) -> [Frame] {
    guard thread.wait.map({ $0.context.ip == 0 }) ?? true, let snapshot,
      let registers = snapshot.thread(thread.tid)?.registers
    else { return stack(of: thread, beyondTables: false) }
    func unwind(_ limit: Int) -> Unwinding {
      symbols.unwinder.unwind(
        registers, memory: LayeredMemory([snapshot.memory, target.memory]), limit: limit)
    }
    var innermost: [Frame] = []
    for frame in unwind(Self.deepestLibraryStack).frames {
      innermost += symbols.symbolizer.frames(at: frame.pc, isReturnAddress: frame.isReturnAddress)
      guard innermost.last?.isPlumbing ?? false else { break }
    }
    if WaitFunction.innermost(in: innermost)?.function.library == .glibc { return innermost }
    return symbols.symbolizer.frames(of: unwind(WaitFunction.reach))
  }

  /// Most frames between a program's call and the kernel: a lock function and what it is made of.
  private static let deepestLibraryStack = 12

  /// The registers in the program's own frame, found along the shim's frame pointers: for when the liblockjaw.so that
  /// the process used is no longer there to be unwound through. The frame is right only if it returns to the call site
  /// that the wait recorded.
  private func callerRegisters(_ wait: Wait, _ memory: any MemoryReader) -> Registers? {
    var frame = wait.context.bp
    for _ in 0..<4 {
      guard let next = memory.load(UInt64.self, at: Address(frame)),
        let returnAddress = memory.load(UInt64.self, at: Address(frame &+ 8))
      else { return nil }
      if returnAddress == wait.site.address.rawValue {
        var registers = Registers(wait.context)
        (registers.rip, registers.rsp, registers.rbp) = (returnAddress, frame &+ 16, next)
        return registers
      }
      guard next > frame else { return nil }
      frame = next
    }
    return nil
  }

  /// From the snapshot.
  func stack(of tid: ThreadID, beyondTables: Bool = true) -> [Frame] {
    guard let snapshot, let thread = snapshot.thread(tid), let registers = thread.registers
    else { return [] }
    let memory = LayeredMemory([snapshot.memory, target.memory])
    var unwinding = symbols.unwinder.unwind(registers, memory: memory)
    if beyondTables { unwinding = stopped.goingOn(unwinding, fsBase: registers.fsBase, memory: memory) }
    cut.note(unwinding, in: snapshot.modules)
    return symbols.symbolizer.frames(of: unwinding)
  }

  /// A call site and what the arena has above it.
  private func frames(at site: CallSite) -> [Frame] {
    ([site.address] + site.callers).flatMap { symbols.symbolizer.frames(at: $0, isReturnAddress: true) }
  }

  /// The frame of a call site to show: the innermost that is the program's own, else the innermost.
  func frame(at site: CallSite) -> Frame? {
    guard site.address.rawValue != 0 else { return nil }
    var first: Frame?
    // One address at a time: most sites are answered by the first.
    for address in [site.address] + site.callers {
      for frame in symbols.symbolizer.frames(at: address, isReturnAddress: true) {
        if !frame.isPlumbing { return frame }
        if first == nil { first = frame }
      }
    }
    return first
  }

  /// The frame of one address to show: the program's own function there, outermost of those inlined at that place.
  func frame(at address: Address, isReturnAddress: Bool) -> Frame? {
    let frames = symbols.symbolizer.frames(at: address, isReturnAddress: isReturnAddress)
    return frames.first { !$0.isPlumbing } ?? frames.last
  }

  /// The type that is at its end where a lock is released: its guard's, mostly. `nil` for a release that is written out.
  /// - Parameter path: from the releasing instruction out to the holder's own code, which is where `frame(at:)` says the
  ///   release is; functions outside of that one are not at their end.
  func droppedType(along path: [CodePlace]) -> String? {
    guard let own = path.last else { return nil }
    let inner = path.dropLast().flatMap {
      symbols.symbolizer.frames(at: $0.address, isReturnAddress: $0.isReturnAddress)
    }
    let outer = symbols.symbolizer.frames(at: own.address, isReturnAddress: own.isReturnAddress)
    return DroppedType.innermost(in: inner + outer.prefix { $0.isPlumbing })
  }

  /// "bank_mutex" or "accounts[1].lock" where the lock is, or lies in, a global variable; "accounts+48" where the
  /// variable's type is not described.
  func name(of lock: Address) -> String? { symbols.symbolizer.variablePath(at: lock) }

  /// How far symbols went, for everything that was asked until now.
  var coverage: [ModuleCoverage] { symbols.symbolizer.coverage }
  var diagnostics: [String] { symbols.symbolizer.diagnostics + cut.sentences }
}
