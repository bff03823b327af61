/// Which of an address' names to show.
enum FunctionName {
  /// The linker's name says more than DWARF's where it is mangled (lambdas have no linkage name in DWARF). A plain
  /// one says less: the compiler's clones ("transfer.constprop.0") and the library's aliases are not in the source.
  static func outermost(_ call: SourceCall, symbol: String?) -> String? {
    if let symbol {
      let text = Demangler.demangled(symbol)
      if text != symbol { return text }
    }
    return inlined(call) ?? symbol
  }

  static func inlined(_ call: SourceCall) -> String? {
    call.linkageName.map { Demangler.demangled($0) } ?? call.name
  }
}
