import LockjawInspect
import LockjawModel

/// Names addresses: function, file, line, inlined calls. Missing symbols give less, never an error.
///
/// One for a process; remembers every address. Use it from one thread at a time.
package final class Symbolizer {
  package init(modules: [Module], files: ModuleFiles) { fatalError("skeleton") }

  /// The frames at one address, innermost inlined call first; never empty.
  /// - Parameter isReturnAddress: look up the call before `address`, not the instruction at it.
  package func frames(at address: Address, isReturnAddress: Bool) -> [Frame] { fatalError("skeleton") }

  /// A whole stack, inlined calls expanded.
  package func frames(of unwinding: Unwinding) -> [Frame] { fatalError("skeleton") }

  /// The global variable `address` lies in, and how far in.
  package func dataSymbol(at address: Address) -> (name: String, offset: UInt64)? { fatalError("skeleton") }

  /// What could not be named, a sentence a module, for modules that were asked about.
  package var diagnostics: [String] { fatalError("skeleton") }
}
