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
  }

  /// Newest process last.
  package static func rows(_ directory: ArenaDirectory, stall: Double) -> [Row] {
    directory.entries().map { row($0, stall: stall) }
  }

  private static func row(_ entry: ArenaDirectory.Entry, stall: Double) -> Row {
    var row = Row(
      pid: entry.identity.pid, command: "", condition: "gone", health: "", threads: 0, arenaPath: entry.path)
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
    let single = SingleReport(stall: stall, historyLimit: 0)
    if let process = try? LiveProcess(pid: entry.identity.pid), process.identity == entry.identity {
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

  /// Removes arenas of processes that are gone, oldest first, until at most `count` files and `bytes` allocated bytes
  /// of them are left.
  package static func prune(_ directory: ArenaDirectory, count: Int = 32, bytes: Int = 256 << 20) {
    var remains: [(path: String, modified: Int, bytes: Int)] = []
    for entry in directory.entries() where !ArenaSearch.isAlive(entry.identity) {
      var status = stat()
      guard lstat(entry.path, &status) == 0 else { continue }
      remains.append((entry.path, status.st_mtim.tv_sec, Int(status.st_blocks) * 512))
    }
    remains.sort { ($0.modified, $0.path) > ($1.modified, $1.path) }
    var kept = 0
    var keptBytes = 0
    for one in remains {
      kept += 1
      keptBytes += one.bytes
      if kept > count || keptBytes > bytes { unlink(one.path) }
    }
  }
}
