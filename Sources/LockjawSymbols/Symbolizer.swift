import LockjawInspect
import LockjawModel

/// Names addresses: function, file, line, inlined calls. Missing symbols give less, never an error.
///
/// One for a process; it remembers every address it has named. Use it from one thread at a time.
package final class Symbolizer {
  private struct Place: Hashable {
    var module: Int
    var address: UInt64
  }
  let modules: ModuleIndex
  private let files: ModuleFiles
  private let debugFiles: DebugFiles
  private var symbols: [ModuleSymbols?]
  private var remembered: [Place: [Frame]] = [:]
  private var counts: [Int: CoverageCount] = [:]
  private let cache: SymbolCache?
  /// What the cache had, and what was named since.
  private var kept: [Shelf: SymbolCache.Names] = [:]
  private var fresh: [Shelf: SymbolCache.Names] = [:]

  /// - Parameters:
  ///   - files: also says where separate debug files are looked for: below the same root, and on this host.
  ///   - debugInfoCache: where the debuginfod client keeps what it fetched; `nil`: nowhere.
  ///   - server: asked for debug information that is not here; `nil`: nobody is. It makes a report wait.
  ///   - cache: names of earlier reports; `nil`: every address is looked up.
  package init(
    modules: [Module], files: ModuleFiles, debugInfoCache: String? = DebugInfoCache.directory,
    server: DebugServer? = nil, cache: SymbolCache? = nil
  ) {
    self.cache = cache
    self.modules = ModuleIndex(modules)
    self.files = files
    debugFiles = DebugFiles(roots: files.pathPrefixes, cache: debugInfoCache, server: server)
    symbols = Array(repeating: nil, count: self.modules.modules.count)
  }

  /// The frames at one address, innermost inlined call first; never empty.
  /// - Parameter isReturnAddress: look up the call before `address`, not the instruction at it.
  package func frames(at address: Address, isReturnAddress: Bool) -> [Frame] {
    let lookup = isReturnAddress && address.rawValue > 0 ? Address(address.rawValue - 1) : address
    guard let index = modules.index(containing: lookup) else {
      return [Frame(function: nil, module: "?", offset: lookup.rawValue)]
    }
    let place = Place(module: index, address: lookup.rawValue)
    if let known = remembered[place] { return known }
    let frames = name(lookup, in: index)
    remembered[place] = frames
    return frames
  }

  /// A whole stack, inlined calls expanded.
  package func frames(of unwinding: Unwinding) -> [Frame] {
    var stack = unwinding.frames.flatMap { frame in
      let shown = frames(at: frame.pc, isReturnAddress: frame.isReturnAddress)
      return frame.isBeyondTables ? shown.map(\.beyondTables) : shown
    }
    Plumbing.reveal(in: &stack)
    return stack
  }

  /// The global variable `address` lies in, and how far in.
  package func dataSymbol(at address: Address) -> (name: String, offset: UInt64)? {
    guard let index = modules.index(containing: address) ?? zeroedVariables(at: address) else { return nil }
    let module = symbols(of: index)
    guard let bias = module.bias, let symbol = module.symbol(at: address.rawValue &- bias, isVariable: true) else {
      return nil
    }
    return (Demangler.demangled(symbol.name), symbol.offset)
  }

  /// The same as the source would write it: "accounts[1].lock", or "accounts+48" where its type is not described.
  ///
  /// Names a lock and not what is inside it.
  package func variablePath(at address: Address) -> String? {
    guard let index = modules.index(containing: address) ?? zeroedVariables(at: address),
      let bias = symbols(of: index).bias
    else { return nil }
    let offset = address.rawValue &- bias
    if let known = cached(offset, .variables, symbols(of: index), index) { return known.first?.function }
    let path = lookedUpPath(at: address, in: index, bias: bias)
    keep([Frame(function: path, module: "", offset: offset)], at: offset, .variables, index)
    return path
  }

  private func lookedUpPath(at address: Address, in index: Int, bias: UInt64) -> String? {
    guard let symbol = dataSymbol(at: address) else { return nil }
    let start = address.rawValue &- bias &- symbol.offset
    if let path = symbols(of: index).path(to: symbol.offset, inVariableAt: start) { return symbol.name + path }
    return symbol.offset == 0 ? symbol.name : "\(symbol.name)+\(symbol.offset)"
  }

  /// What could not be named, a sentence a module, and what would help.
  package var diagnostics: [String] {
    let asked = counts.sorted { $0.key < $1.key }.map(\.value)
    // A stack can lead through a module whose addresses are not shown.
    let unasked = modules.modules.indices.filter { counts[$0] == nil }
    let absences = unasked.compactMap { files.absence(of: modules.modules[$0])?.sentence }
    let remedy = asked.contains { $0.wantsDebugSymbols } ? [CoverageCount.remedy] : []
    let cutShort = symbols.compactMap { $0 }.filter(\.isCutShort).map {
      "\($0.module.fileName): its debug information is damaged or too large to be looked through, so names and lines may be missing."
    }
    return unique(absences + asked.compactMap(\.sentence) + cutShort) + remedy
      + (debugFiles.server?.complaint.map { [$0] } ?? [])
  }

  /// Of each module that was asked about, by address.
  package var coverage: [ModuleCoverage] { counts.sorted { $0.key < $1.key }.map(\.value.result) }

  /// A file can be mapped as several modules.
  private func unique(_ sentences: [String]) -> [String] {
    var seen: Set<String> = []
    return sentences.filter { seen.insert($0).inserted }
  }

  // MARK: the cache

  /// What a name is about; raw values distinguish the cache's files.
  private enum Subject: String {
    case code = ""
    case variables = "-v"
  }
  private struct Shelf: Hashable {
    var module: Int
    var subject: Subject
  }

  /// Keeps what was named for the next report.
  package func save() {
    for (shelf, names) in fresh {
      let symbols = symbols(of: shelf.module)
      // Files that are not there yet may come, and the key does not tell. What was cut short hangs on what was asked before.
      guard !symbols.missesOtherFiles, !symbols.isCutShort, let key = symbols.cacheKey else { continue }
      cache?.store(key + shelf.subject.rawValue, names)
    }
    fresh = [:]
  }

  /// The cache's frames, with what it leaves out.
  private func cached(_ offset: UInt64, _ subject: Subject, _ symbols: ModuleSymbols, _ index: Int) -> [Frame]? {
    guard let cache, let key = symbols.cacheKey else { return nil }
    let shelf = Shelf(module: index, subject: subject)
    if kept[shelf] == nil { kept[shelf] = cache.names(key + subject.rawValue) }
    guard var frames = kept[shelf]?[offset] else { return nil }
    for position in frames.indices { frames[position].module = symbols.module.fileName }
    return frames
  }

  private func keep(_ frames: [Frame], at offset: UInt64, _ subject: Subject, _ index: Int) {
    if cache != nil { fresh[Shelf(module: index, subject: subject), default: [:]][offset] = frames }
  }

  private func name(_ address: Address, in index: Int) -> [Frame] {
    let symbols = symbols(of: index)
    let moduleName = symbols.module.fileName
    guard let bias = symbols.bias else {
      note(index, symbols, named: false, line: false, isPlumbing: false)
      // Files nearly always begin at address 0 of their own.
      return [Frame(function: nil, module: moduleName, offset: address.rawValue &- symbols.module.start.rawValue)]
    }
    let offset = address.rawValue &- bias
    var frames: [Frame]
    if let known = cached(offset, .code, symbols, index) {
      frames = known
    } else {
      frames = lookedUp(offset, symbols)
      keep(frames, at: offset, .code, index)
    }
    for position in frames.indices { frames[position].isPlumbing = Plumbing.contains(frames[position]) }
    let last = frames[frames.count - 1]
    note(index, symbols, named: last.function != nil, line: last.line != nil, isPlumbing: last.isPlumbing)
    return frames
  }

  private func note(_ index: Int, _ symbols: ModuleSymbols, named: Bool, line: Bool, isPlumbing: Bool) {
    counts[index, default: CoverageCount(symbols, absence: files.absence(of: symbols.module))]
      .note(named: named, line: line, isPlumbing: isPlumbing)
  }

  /// At least one frame.
  private func lookedUp(_ offset: UInt64, _ symbols: ModuleSymbols) -> [Frame] {
    let moduleName = symbols.module.fileName
    let found = symbols.symbol(at: offset)
    let symbol = found?.name
    let calls = symbols.calls(at: offset)
    if calls.count == 1, let found, calls[0].isLineOnly, isInlined(calls[0], at: offset - found.offset, symbols) {
      let line = Frame(
        function: nil, file: calls[0].file, line: calls[0].line, module: moduleName, offset: offset, isInlined: true)
      return [line, Frame(function: FunctionName.symbolOnly(found.name), module: moduleName, offset: offset)]
    }
    let frames = calls.enumerated().map { position, call in
      let isOutermost = position == calls.count - 1
      return Frame(
        function: isOutermost ? FunctionName.outermost(call, symbol: symbol) : FunctionName.inlined(call),
        file: call.file, line: call.line, module: moduleName, offset: offset, isInlined: call.isInlined)
    }
    if !frames.isEmpty { return frames }
    return [Frame(function: symbol.map { FunctionName.symbolOnly($0) }, module: moduleName, offset: offset)]
  }

  /// Of a line whose function nobody describes: whether it cannot be one of the function that begins at `start`, since it
  /// stands in another file or above it. Then the function's name does not go with the line.
  private func isInlined(_ call: SourceCall, at start: UInt64, _ symbols: ModuleSymbols) -> Bool {
    guard let first = symbols.calls(at: start).last, let firstLine = first.line, let line = call.line else {
      return false
    }
    return first.file != call.file || line < firstLine
  }

  func symbols(of index: Int) -> ModuleSymbols {
    if let known = symbols[index] { return known }
    let module = modules.modules[index]
    let opened = ModuleSymbols(
      module: module, files: files, debugFiles: debugFiles, wantsLines: !Plumbing.isCLibrary(module.fileName))
    symbols[index] = opened
    return opened
  }

  /// Variables that begin as zero have no bytes in the file, so their pages belong to no mapping of it: they follow
  /// the module's last one.
  private func zeroedVariables(at address: Address) -> Int? {
    guard let next = modules.modules.firstIndex(where: { $0.start > address }) ?? Optional(modules.modules.count),
      next > 0
    else { return nil }
    let symbols = symbols(of: next - 1)
    guard let bias = symbols.bias, let file = symbols.file else { return nil }
    let relative = address.rawValue &- bias
    let covers = file.segments.contains {
      $0.type == ELFSegment.load && $0.virtualAddress <= relative && relative < $0.virtualEnd ?? 0
    }
    return covers ? next - 1 : nil
  }
}
