/// Which of an address' names to show.
enum FunctionName {
  /// The linker's name says more than DWARF's where it is mangled (lambdas have no linkage name in DWARF). A plain
  /// one says less: the compiler's clones ("transfer.constprop.0") and the library's aliases are not in the source.
  static func outermost(_ call: SourceCall, symbol: String?) -> String? {
    if let symbol {
      let text = Demangler.demangled(symbol)
      if text != symbol { return text }
    }
    return inlined(call) ?? symbol.map { withoutCloneMark($0) }
  }

  /// Where there is no debug information.
  static func symbolOnly(_ symbol: String) -> String { withoutCloneMark(Demangler.demangled(symbol)) }

  /// gcc, clang and their linkers mark a changed or cut-off copy of a function behind its name.
  private static func withoutCloneMark(_ name: String) -> String {
    guard !name.contains("("), !name.contains(" "), let dot = name.dropFirst().firstIndex(of: ".") else { return name }
    let marks = [".constprop", ".isra", ".part", ".cold", ".lto_priv", ".llvm", ".localalias", ".warm", ".clone"]
    return marks.contains { name[dot...].hasPrefix($0) } ? String(name[..<dot]) : name
  }

  static func inlined(_ call: SourceCall) -> String? {
    call.linkageName.map { Demangler.demangled($0) } ?? call.name
  }
}
