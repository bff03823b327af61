import LockjawInspect
import LockjawModel
import LockjawSymbols

/// Stacks that go on where unwind tables end. Compilers leave them out for functions that nothing unwinds through: Rust
/// with `panic=abort` did before 1.92, C compilers do with -fno-asynchronous-unwind-tables.
extension HolderSearch {
  private static let frameLimit = 256
  private static let flippedBranches = 10

  /// The frames of a stack, innermost first: by unwind tables, and through a function that has none by running it to its
  /// `ret`. Every way through a function leaves its caller the same stack pointer and preserved registers, so what that finds
  /// is no guess; what cannot be right all the same (`isCaller`) ends the stack.
  /// - Parameter memory: the stack, and what the unwinder needs of modules whose files are missing.
  package func frames(
    from registers: Registers, fsBase: UInt64, unwinder: StackUnwinder, memory: any MemoryReader
  ) -> [Unwinding.Frame] {
    goingOn(unwinder.unwind(registers, memory: memory), fsBase: fsBase, unwinder: unwinder, memory: memory).frames
  }

  /// A stack that tables have led to a function without, led on. What is found so is marked (`isBeyondTables`).
  /// - Parameter gapLimit: of functions without tables that are run for this stack.
  package func goingOn(
    _ unwinding: Unwinding, fsBase: UInt64, unwinder: StackUnwinder, memory: any MemoryReader, gapLimit: Int = .max
  ) -> Unwinding {
    var unwinding = unwinding
    var frames = unwinding.frames
    var gaps = 0
    while case .noUnwindInformation(let end) = unwinding.end, frames.count < Self.frameLimit,
      gaps < gapLimit, frames.last?.pc == end, let last = frame(frames.count - 1, of: frames, fsBase: fsBase),
      let caller = caller(of: last)
    {
      var registers = Registers()
      (registers.rip, registers.rsp) = (caller.returnAddress, caller.stackPointer)
      (registers.rbx, registers.rbp) = (caller.preserved[0], caller.preserved[1])
      (registers.r12, registers.r13) = (caller.preserved[2], caller.preserved[3])
      (registers.r14, registers.r15) = (caller.preserved[4], caller.preserved[5])
      unwinding = unwinder.unwind(
        registers, memory: memory, limit: Self.frameLimit - frames.count, beginsAtReturnAddress: true)
      gaps += 1
      frames += unwinding.frames.map { frame in
        var frame = frame
        frame.isBeyondTables = true
        return frame
      }
    }
    return Unwinding(frames: frames, end: unwinding.end)
  }

  private func caller(of frame: FrameRun.Frame) -> FrameRun.Frame? {
    for branch in 0...Self.flippedBranches {
      if let caller = run.caller(of: frame, flippedBranch: branch), isCaller(caller, of: frame) { return caller }
      if branch >= run.ownBranches { break }
    }
    return nil
  }

  /// A return address lies behind a call, and that of a direct call behind one of the function that the frame is in. The stack
  /// grows down, and is aligned at calls (System V ABI, x86-64, 3.2.2).
  private func isCaller(_ caller: FrameRun.Frame, of frame: FrameRun.Frame) -> Bool {
    guard caller.stackPointer > frame.stackPointer, caller.stackPointer & 15 == 0,
      let call = CallInstruction(before: caller.returnAddress, memory: code)
    else { return false }
    guard let function = call.target else { return true }
    // Both in one stretch of code without tables.
    return function < frame.returnAddress && frame.returnAddress - function < Self.longestFunction
      && !tables.describes(function, through: frame.returnAddress - 1)
  }

  private static let longestFunction: UInt64 = 1 << 16
}
