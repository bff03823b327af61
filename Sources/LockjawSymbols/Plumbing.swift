import LockjawModel

/// Frames between the program and the kernel, or between the kernel and the program: folded in reports, left out of
/// signatures. What counts is data: `PlumbingPatterns`.
package enum Plumbing {
  package static func contains(_ frame: Frame) -> Bool {
    contains(function: frame.function, module: frame.module)
  }

  /// - Parameters:
  ///   - function: demangled; `nil` where nothing names the address.
  ///   - module: file name of the module.
  package static func contains(function: String?, module: String) -> Bool {
    if isShim(module) || isCLibrary(module) || module == "[vdso]" { return true }
    guard let function else { return PlumbingPatterns.libraries.contains { module.hasPrefix($0) } }
    if PlumbingPatterns.functions.contains(function) { return true }
    // Rust writes a type's own functions as "<std::sys::…::Mutex>::lock".
    let name = withoutReturnType(function).drop(while: { $0 == "<" })
    return PlumbingPatterns.prefixes.contains { name.hasPrefix($0) || function.hasPrefix($0) }
      || PlumbingPatterns.fragments.contains { function.contains($0) }
      || PlumbingPatterns.closedLibraries.contains { module.hasPrefix($0) }
      || isPythonInterpreter(function, module)
  }

  /// Where a compiler inlined all of a thread's own code into the glue that calls it ("std::thread::_State_impl<…>::_M_run()",
  /// without debug information), that glue is what the program's code is known as: the innermost such frame of a stack
  /// that would else be plumbing from end to end is none.
  package static func reveal(in stack: inout [Frame]) {
    guard stack.allSatisfy(\.isPlumbing) else { return }
    if let index = stack.firstIndex(where: isGlue) { stack[index].isPlumbing = false }
  }

  private static func isGlue(_ frame: Frame) -> Bool {
    guard let function = frame.function, !isShim(frame.module), !isCLibrary(frame.module) else { return false }
    return PlumbingPatterns.glue.contains { function.contains($0) }
  }

  /// lockjaw's own preloaded library.
  package static func isShim(_ module: String) -> Bool { module.hasPrefix("liblockjaw") }

  /// The C library and its loader: all of their code is plumbing, so function names suffice and their large debug
  /// files are not opened.
  package static func isCLibrary(_ module: String) -> Bool {
    PlumbingPatterns.cLibraries.contains { module.hasPrefix($0) }
  }

  private static func isPythonInterpreter(_ function: String, _ module: String) -> Bool {
    PlumbingPatterns.pythonModules.contains { module.hasPrefix($0) }
      && PlumbingPatterns.pythonPrefixes.contains { function.hasPrefix($0) }
  }

  /// The demangled name of a function template instance begins with its return type: "void std::__invoke<…>(…)".
  private static func withoutReturnType(_ function: String) -> Substring {
    var depth = 0
    var end = function.startIndex
    for index in function.indices {
      switch function[index] {
      case "<", "(", "[", "{":
        if function[index] == "(", depth == 0 { return function[end...] }
        depth += 1
      case ">", ")", "]", "}": depth -= 1
      case " " where depth == 0: end = function.index(after: index)
      default: break
      }
    }
    return function[end...]
  }
}
