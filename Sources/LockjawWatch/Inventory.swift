import Glibc
import LockjawArena
import LockjawDiagnosis
import LockjawInspect
import LockjawModel
import LockjawReport

/// `lockjaw list`: preloaded processes, their health, their coverage, and what dead ones left.
package enum Inventory {
  package struct Row: Hashable, Sendable {
    package var pid: Int32
    package var command: String
    /// "running", "gone", "disabled".
    package var condition: String
    package var verdict: FindingKind?
    /// One sentence: the finding, or why there is none.
    package var health: String
    package var threads: Int
    package var arenaPath: String
    /// `nil` where nothing is recorded.
    package var level: RecordingLevel?
  }

  /// What is in a directory: processes that run, and the newest of what others left.
  package struct Contents: Hashable, Sendable {
    package var running: [Row]
    /// Newest first.
    package var left: [Row]
    /// Older remains that are not in `left`.
    package var olderCount: Int
  }

  /// - Parameter limit: most rows of `left`; each costs a diagnosis.
  package static func contents(_ directory: ArenaDirectory, stall: Double, limit: Int = 10) -> Contents {
    var running: [(entry: ArenaDirectory.Entry, process: LiveProcess)] = []
    var gone: [(entry: ArenaDirectory.Entry, modified: Int)] = []
    lazy var others = LiveProcess.inOtherPidNamespaces()
    for entry in directory.entries() {
      if case .process(let process) = ArenaSearch.writer(of: entry, among: { others }) {
        running.append((entry, process))
      } else {
        var status = stat()
        gone.append((entry, lstat(entry.path, &status) == 0 ? status.st_mtim.tv_sec : 0))
      }
    }
    gone.sort { ($0.modified, $0.entry.path) > ($1.modified, $1.entry.path) }
    return Contents(
      running: running.map { row($0.entry, of: $0.process, stall: stall) },
      left: gone.prefix(limit).map { row($0.entry, of: nil, stall: stall) },
      olderCount: max(0, gone.count - limit))
  }

  private static func row(_ entry: ArenaDirectory.Entry, of process: LiveProcess?, stall: Double) -> Row {
    var row = Row(
      pid: process?.pid ?? entry.identity.pid, command: "", condition: "gone", health: "", threads: 0,
      arenaPath: entry.path)
    let arena: ArenaReader
    do { arena = try ArenaReader(path: entry.path) } catch {
      row.condition = "unreadable"
      row.health = "\(error)"
      return row
    }
    row.command = arena.header.command.isEmpty ? arena.header.executable : arena.header.command
    row.threads = arena.threads(includingIdle: true).count
    if case .disabled(let reason) = arena.imageState {
      row.condition = "not covered"
      row.health = reason
      return row
    }
    row.level = arena.level
    let single = SingleReport(stall: stall, historyLimit: 0)
    if let process, process.isAlive {
      row.condition = "running"
      if !process.executablePath.isEmpty, !arena.header.executable.isEmpty,
        process.executablePath != arena.header.executable
      {
        row.condition = "not covered"
        row.health = "it has since executed \(process.executablePath), which does not load the shim"
        return row
      }
      let report = single.of(process, arena: arena)
      row.verdict = report.verdict
      row.health = Self.health(report)
      if arena.quietness != nil { row.health += "; in a sandbox, threads it started there are not covered" }
    } else {
      let report = single.ofRemains(arena)
      row.verdict = report.verdict
      row.health = Self.health(report)
    }
    return row
  }

  private static func health(_ report: Report) -> String {
    report.findingsBySeverity.first?.summary ?? Summary.headline(of: report)
  }
}
