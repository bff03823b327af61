/// What one module's symbols could not say, counted.
struct SymbolShortage {
  private let module: String
  private let buildID: String
  private let hasLines: Bool
  private let hasFullSymbolTable: Bool
  private let hasFile: Bool
  private let isInMemoryOnly: Bool
  // Addresses, each counted once however many stacks it is on.
  private var asked = 0
  private var named = 0
  private var withLine = 0

  init(_ symbols: ModuleSymbols) {
    module = symbols.module.fileName
    buildID = symbols.buildID
    hasLines = symbols.hasLines
    hasFullSymbolTable = symbols.hasFullSymbolTable
    hasFile = symbols.file != nil
    isInMemoryOnly = !symbols.module.path.hasPrefix("/")
  }

  /// Plumbing is folded in reports: that it has no lines is no loss.
  mutating func note(named hasName: Bool, line hasLine: Bool, isPlumbing: Bool) {
    guard !isPlumbing else { return }
    asked += 1
    if hasName { named += 1 }
    if hasLine { withLine += 1 }
  }

  /// `nil` where nothing is missing that could be had.
  var sentence: String? {
    guard asked > 0, withLine < asked, !isInMemoryOnly else { return nil }
    // A module with debug information has places without a line of their own: start-up code, thunks.
    if hasLines && named == asked { return nil }
    // The build-id is what the missing file is found by, so it is said.
    let identity = buildID.isEmpty ? "no build-id" : "build-id \(buildID)"
    let counts = "\(named) of \(asked) addresses named"
    let remedy = "Install its debug symbols (a -dbgsym or -dbg package, or debuginfod), or build it with -g."
    if !hasFile && !hasFullSymbolTable {
      return "\(module): no symbols could be read (\(identity)), \(counts). \(remedy)"
    }
    if hasLines { return nil }
    if hasFullSymbolTable {
      return "\(module): no debug information (\(identity)): function names only, no source lines. \(remedy)"
    }
    return "\(module): stripped (\(identity)): names of exported functions only, \(counts). \(remedy)"
  }
}
