/// How far one module's symbols went, over the addresses in it that a report names: each counted once, however many
/// threads stand there. An inlined call is part of its address.
package struct ModuleCoverage: Hashable, Sendable {
  /// Why not every address has its function and line; raw values are the JSON contract.
  package enum Shortage: String, Hashable, Sendable {
    /// Symbol tables and no debug information.
    case noDebugInformation = "no-debug-information"
    /// Only exported functions have names.
    case stripped
    /// Debug information refers to files (`.dwo`, `dwz`) that are not there.
    case splitDebugInformationMissing = "split-debug-information-missing"
    /// The file on disk is another build, or another file, than what runs.
    case replaced
    /// The file was removed after the start.
    case deleted
    /// There is no such file here: a core of another machine, say.
    case missing
    /// It is there and cannot be read.
    case unreadable
    /// Code that no file has: the kernel's page, a JIT compiler's.
    case inMemoryOnly = "in-memory-only"
    /// Lines are not looked for: the C library's own, which no report is about.
    case linesNotLookedFor = "lines-not-looked-for"
  }

  /// File name.
  package var module: String
  package var path: String
  /// "" where there is none.
  package var buildID: String
  /// All addresses that were asked about.
  package var addresses: Int
  package var withLine: Int
  /// With a name and without a line.
  package var functionOnly: Int
  package var shortage: Shortage?
  package var unnamed: Int { addresses - withLine - functionOnly }
  package init(
    module: String, path: String, buildID: String = "", addresses: Int, withLine: Int, functionOnly: Int,
    shortage: Shortage? = nil
  ) {
    self.module = module
    self.path = path
    self.buildID = buildID
    self.addresses = addresses
    self.withLine = withLine
    self.functionOnly = functionOnly
    self.shortage = shortage
  }
}
