import CLockjawNative
import LockjawInspect
import LockjawModel

/// Return addresses of one stack, innermost first.
package struct Unwinding: Hashable, Sendable {
  package struct Frame: Hashable, Sendable {
    package var pc: Address
    package var sp: Address
    /// `pc` is where a call will return to: the call itself lies before it. False for the innermost frame, for a
    /// signal trampoline, and for code that a signal interrupted.
    package var isReturnAddress: Bool
  }
  package enum End: Hashable, Sendable {
    case reachedOutermost
    /// As many frames as were asked for.
    case limit
    /// No module's unwind table covers this address: generated code, a library without tables, or a wild pointer.
    case noUnwindInformation(at: Address)
    case unreadableMemory(at: Address)
    /// The tables or the stack contradict themselves.
    case inconsistent(at: Address)
  }
  package var frames: [Frame]
  package var end: End
}

/// Unwinds stacks of a process that need not run, nor exist.
///
/// One for a process (its tables and decoded rules are cached inside); use it from one thread at a time.
package final class StackUnwinder {
  package init(modules: [Module], files: ModuleFiles) { fatalError("skeleton") }

  /// - Parameter memory: the stack, and, where module files are missing, the modules' own memory.
  /// - Parameter limit: most frames to return.
  /// - Complexity: bounded by `limit` and by a fixed budget of memory accesses a frame, whatever the input.
  package func unwind(_ registers: Registers, memory: any MemoryReader, limit: Int = 256) -> Unwinding {
    fatalError("skeleton")
  }
}
