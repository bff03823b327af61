import ArgumentParser
import Glibc
import LockjawArena
import LockjawInspect
import LockjawModel
import LockjawWatch

struct AnalyzeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "analyze",
    abstract: "Diagnose what processes left behind: arenas and cores.",
    discussion: "Exit status: 0 no hang, 1 hang found, 2 usage, 125 failure.")

  @OptionGroup var report: ReportOptions

  @Argument(help: ArgumentHelp("Cores, arenas, or directories of arenas.", valueName: "PATH"))
  var paths: [String]

  func run() throws {
    var files: [String] = []
    for path in paths {
      var status = stat()
      if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
        let found = ArenaDirectory(path: path).entries().map(\.path)
        guard !found.isEmpty else { throw Status.failure("there is no arena in \(path)") }
        files += found
      } else {
        files.append(path)
      }
    }
    guard files.count == 1 || report.output == nil else {
      throw Status.failure("--output takes one arena's report, and there are \(files.count)")
    }
    var foundHang = false
    var failures = 0
    for file in files {
      do {
        let result = try examine(file)
        foundHang = foundHang || result.verdict.isHang
        try present(result, report)
      } catch let error as any Error & CustomStringConvertible where error is ArenaError || error is InspectError {
        // One damaged file among many does not hide the others.
        if files.count == 1 { throw Status.failure("\(error)") }
        failures += 1
        _ = ReportFile.writeAll("lockjaw: \(error)\n", to: 2)
      }
    }
    if failures > 0 { throw Status.exit(125) }
    if foundHang { throw Status.exit(1) }
  }

  private func examine(_ file: String) throws -> Report {
    let single = SingleReport(
      stall: report.stall, historyLimit: report.history, profileLimit: report.profile, wantsAllStacks: true,
      asksServers: true)
    if CoreFile.isCore(path: file) {
      let core = try CoreFile(path: file)
      return single.of(core, arena: CoreArena.find(core))
    }
    let arena = try ArenaReader(path: file)
    // The arena of a process that still runs is better read together with the process.
    if case .live = arena.imageState, let process = try? LiveProcess(pid: arena.header.identity.pid),
      process.identity == arena.header.identity
    {
      return single.of(process, arena: arena)
    }
    return single.ofRemains(arena)
  }
}
