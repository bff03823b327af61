import LockjawInspect
import LockjawModel

/// Counts what one module's symbols could say, and says what they could not.
struct CoverageCount {
  private let symbols: ModuleSymbols
  /// Why the file could not be had.
  private let absence: ModuleFiles.Absence?
  private var coverage: ModuleCoverage
  // Without plumbing, which reports fold: that it has no lines is no loss.
  private var shown = 0
  private var shownNamed = 0
  private var shownWithLine = 0

  init(_ symbols: ModuleSymbols, absence: ModuleFiles.Absence?) {
    self.symbols = symbols
    self.absence = absence
    coverage = ModuleCoverage(
      module: symbols.module.fileName, path: symbols.module.path, buildID: symbols.buildID, addresses: 0, withLine: 0,
      functionOnly: 0)
  }

  mutating func note(named hasName: Bool, line hasLine: Bool, isPlumbing: Bool) {
    coverage.addresses += 1
    if hasLine { coverage.withLine += 1 } else if hasName { coverage.functionOnly += 1 }
    guard !isPlumbing else { return }
    shown += 1
    if hasName { shownNamed += 1 }
    if hasLine { shownWithLine += 1 }
  }

  /// The counts, with the reason where something is missing.
  var result: ModuleCoverage {
    var result = coverage
    result.shortage = result.withLine < result.addresses || symbols.missesOtherFiles ? shortage : nil
    return result
  }

  private var shortage: ModuleCoverage.Shortage? {
    if !symbols.module.path.hasPrefix("/") { return .inMemoryOnly }
    if symbols.file == nil, !symbols.hasLines {
      switch absence?.reason {
      case .replaced: return .replaced
      case .deleted: return .deleted
      case .unreadable: return .unreadable
      case .missing, nil: return .missing
      }
    }
    if symbols.missesOtherFiles { return .splitDebugInformationMissing }
    // A module with debug information has places without a line of their own: start-up code, thunks.
    if symbols.hasLines { return symbols.wantsLines ? nil : .linesNotLookedFor }
    if !symbols.wantsLines { return .linesNotLookedFor }
    return symbols.hasFullSymbolTable ? .noDebugInformation : .stripped
  }

  /// One line, `nil` where nothing is missing that could be had and that a reader would miss.
  var sentence: String? {
    guard let shortage, shown > 0, shownWithLine < shown || symbols.missesOtherFiles else { return absence?.sentence }
    // The build-id is what the missing file is found by, so it is said.
    let identity = coverage.buildID.isEmpty ? "no build-id" : "build-id \(coverage.buildID)"
    let counts = "\(shownNamed) of \(shown) addresses named, \(shownWithLine) with a line"
    let name = coverage.module
    switch shortage {
    case .replaced, .deleted, .missing, .unreadable:
      return (absence?.sentence ?? "\(name): no symbols could be read.") + " \(counts) (\(identity))."
    case .noDebugInformation: return "\(name): no debug information (\(identity)): \(counts)."
    case .stripped: return "\(name): stripped (\(identity)), names of exported functions only: \(counts)."
    case .splitDebugInformationMissing:
      if let package = symbols.unreadPackage {
        return
          "\(name): split debug info in \(package.split(separator: "/").last ?? "") is not read (\(identity)); keep the .dwo "
          + "files where the compiler put them. Without, inlined calls are not told from their callers: \(counts)."
      }
      return
        "\(name): its debug information refers to files that are not there (\(symbols.missingFiles), \(identity)), so inlined "
        + "calls are not told from their callers: \(counts)."
    case .inMemoryOnly, .linesNotLookedFor: return nil
    }
  }

  /// Whether debug symbols would mend what `sentence` says.
  var wantsDebugSymbols: Bool {
    guard sentence != nil else { return false }
    switch shortage {
    case .noDebugInformation, .stripped, .missing, .deleted: return true
    default: return false
    }
  }

  static let remedy =
    "Debug symbols give the missing names and lines: install them (a -dbgsym or -dbg package, or debuginfod), or build with -g."
}
