import LockjawModel
import LockjawSymbols

/// Stacks that end in the library their threads sleep in, because it says nothing about its callers: musl's, as
/// distributions build it, has no unwind information at all. What lies on the stack above looks like return addresses and
/// may be stale, so that no caller is named; the report says instead why there is none.
final class CutStacks {
  /// By library, the stack pointers: a stack may be taken several times.
  private var stacks: [String: Set<Address>] = [:]

  /// - Parameter modules: those of the process that the stack is of.
  func note(_ unwinding: Unwinding, in modules: [Module]) {
    guard case .noUnwindInformation(let end) = unwinding.end, let innermost = unwinding.frames.first,
      let module = modules.first(where: { $0.contains(innermost.pc) }), module.contains(end)
    else { return }
    let name = module.path.split(separator: "/").last.map { String($0) } ?? module.path
    stacks[name, default: []].insert(innermost.sp)
  }

  /// A sentence a library.
  var sentences: [String] {
    stacks.sorted { $0.key < $1.key }.map { name, stacks in
      "\(name) has no unwind information where \(stacks.count == 1 ? "a thread sleeps" : "\(stacks.count) threads sleep"): which function "
        + "of the program called it, and on which line, is not known. A \(name) that is built with "
        + "-fasynchronous-unwind-tables has it."
    }
  }
}
