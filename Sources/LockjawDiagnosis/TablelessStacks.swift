import LockjawEmulator
import LockjawInspect
import LockjawModel
import LockjawSymbols

/// Leads the stacks that a report shows on through functions without unwind tables, which end them else.
///
/// The function is run to its return on a copy, as the holder search does it, and what cannot be right (no call before the return
/// address, of another function, a stack that does not grow) ends the stack as before. Nothing is decided by what lies
/// beyond: which lock a thread waits for is told by frames that tables lead to.
final class TablelessStacks {
  /// In a report: each costs thousands of emulated instructions at most, and a process can have any number of such stacks.
  private static let limit = 1024

  private let symbols: TargetSymbols
  private let modules: [Module]
  private let memory: any MemoryReader
  /// Made once it is needed: that reads the tables of all modules.
  private lazy var search = HolderSearch(modules: modules, files: symbols.files, memory: memory)
  private var left = TablelessStacks.limit

  /// - Parameter memory: of the moment that the stacks are from.
  init(_ symbols: TargetSymbols, modules: [Module], memory: any MemoryReader) {
    self.symbols = symbols
    self.modules = modules
    self.memory = memory
  }

  /// - Parameters:
  ///   - fsBase: the thread's, 0 where it is not known.
  ///   - memory: what the stack was unwound with.
  func goingOn(_ unwinding: Unwinding, fsBase: UInt64, memory: any MemoryReader) -> Unwinding {
    guard left > 0, case .noUnwindInformation(let end) = unwinding.end,
      let last = unwinding.frames.last, last.pc == end, last.isReturnAddress,
      modules.contains(where: { $0.contains(end) })
    else { return unwinding }
    let whole = search.goingOn(unwinding, fsBase: fsBase, unwinder: symbols.unwinder, memory: memory, gapLimit: left)
    left -= max(1, whole.frames.count - unwinding.frames.count)
    return whole
  }
}
