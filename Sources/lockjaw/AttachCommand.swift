import ArgumentParser
import Glibc
import LockjawArena
import LockjawInspect
import LockjawModel
import LockjawReport
import LockjawWatch

struct AttachCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attach",
    abstract: "Diagnose a running process, started with the shim or not.",
    discussion: "Exit status: 0 no hang, 1 hang found, 2 usage, 125 failure.")

  @OptionGroup var report: ReportOptions

  @Flag(help: "Stay, and report whatever is found until the process ends.")
  var follow = false

  @Flag(help: "Take the stacks of all threads; the process stands still for some milliseconds.")
  var allStacks = false

  @Flag(
    help: "Of a process without the shim: read sleeping threads without stopping it. Stacks may end early.")
  var noStop = false

  @Option(
    help: ArgumentHelp(
      "Of a process with the shim: change what it records from now on; no diagnosis, unless with --follow.",
      valueName: "state|sites|all"))
  var record: RecordingLevel?

  /// Started by the shim's watchdog signal where no collector watches.
  @Flag(help: .private) var signalReport = false

  @Argument(help: ArgumentHelp("The process.", valueName: "PID"))
  var pid: Int32

  func validate() throws {
    guard pid > 0 else { throw ValidationError("PID must be a positive number.") }
  }

  func run() throws {
    let process: LiveProcess
    do { process = try LiveProcess(pid: pid) } catch { throw Status.failure("\(error)") }
    guard let path = ArenaSearch.path(of: process) else { return try attachWithoutArena(process) }
    let arena: ArenaReader
    do throws(Status) { arena = try coveringArena(path, of: process) } catch {
      guard record == nil, let reason = error.message else { throw error }
      // What the shim could not record, a look at the process still tells.
      _ = ReportFile.writeAll("lockjaw: \(reason); it is looked at like one without the library\n", to: 2)
      return try attachWithoutArena(process)
    }

    if let record {
      try change(path, to: record)
      if !follow { return }
    }
    if follow {
      let desk = ReportDesk(format: report.format, output: report.output, captureDirectory: nil)
      let session = AttachSession(
        process: process, arenaPath: path,
        settings: Follower.Settings(stall: report.stall, historyLimit: report.history, profileLimit: report.profile),
        desk: desk)
      let foundHang: Bool
      do { foundHang = try session.follow() } catch { throw Status.failure("\(error)") }
      if foundHang { throw Status.exit(1) }
      return
    }
    let single = SingleReport(
      stall: report.stall, historyLimit: report.history, profileLimit: report.profile,
      wantsAllStacks: allStacks || signalReport,
      asksServers: !signalReport)
    let result = single.of(process, arena: arena)
    if signalReport {
      let desk = ReportDesk(format: .text, output: nil, captureDirectory: nil)
      desk.show(
        Discovery(
          occasion: .requested(number: arena.reportRequests), process: process.identity, arenaPath: path,
          arenaFile: arena.file, report: result))
      return
    }
    try present(result, report)
    if result.verdict.isHang { throw Status.exit(1) }
  }
}

extension AttachCommand {
  /// The arena of this very process, with something in it.
  private func coveringArena(_ path: String, of process: LiveProcess) throws(Status) -> ArenaReader {
    let arena: ArenaReader
    do { arena = try ArenaReader(path: path) } catch { throw .failure("\(error)") }
    guard arena.header.identity.startTicks == process.identity.startTicks else {
      throw .failure("process \(pid) has got its number from an earlier one: \(path) is that one's arena")
    }
    if case .disabled(let reason) = arena.imageState {
      throw .failure("process \(pid) is not covered: \(Printable.escaped(reason))")
    }
    return arena
  }

  private func change(_ arenaPath: String, to level: RecordingLevel) throws {
    let arena: ArenaReader
    do { arena = try ArenaReader(path: arenaPath, forCollecting: true) } catch { throw Status.failure("\(error)") }
    let before = arena.level
    guard arena.record(level) else {
      throw Status.failure(
        "process \(pid) cannot record '\(level.rawValue)': \(arena.levelIsFixed ?? "its arena may not be written to")")
    }
    _ = ReportFile.writeAll(
      "process \(pid) records '\(level.rawValue)' from now on, '\(before.rawValue)' before\n", to: 1)
  }

  private func attachWithoutArena(_ process: LiveProcess) throws {
    guard record == nil else {
      throw Status.failure(
        "process \(pid) was not started with the shim, or its arena was removed: it records nothing. Start it with "
          + "'lockjaw run --record LEVEL'")
    }
    let single = SingleReport(
      stall: report.stall, historyLimit: report.history, profileLimit: report.profile, wantsAllStacks: allStacks,
      asksServers: true)
    if follow {
      let desk = ReportDesk(format: report.format, output: report.output, captureDirectory: nil)
      let foundHang: Bool
      do {
        foundHang = try AttachSession.follow(
          unrecorded: process, settings: Follower.Settings(stall: report.stall), withoutStopping: noStop,
          single: single,
          desk: desk)
      } catch { throw Status.failure("\(error)") }
      if foundHang { throw Status.exit(1) }
      return
    }
    let result: Report
    do { result = try single.of(process, withoutStopping: noStop) } catch { throw Status.failure("\(error)") }
    try present(result, report)
    if result.verdict.isHang { throw Status.exit(1) }
  }
}

/// Writes a report to standard output or to the file that was asked for.
func present(_ result: Report, _ options: ReportOptions) throws {
  let isTerminal = options.output == nil && isatty(1) == 1
  let text =
    switch options.format {
    case .text: TextReport.render(result, style: isTerminal ? .ansi : .plain, source: SourceFiles.line)
    case .json: ReportDocument.encode(result)
    }
  guard let path = options.output else {
    _ = ReportFile.writeAll(text, to: 1)
    return
  }
  do { try ReportFile.write(text, to: path) } catch { throw Status.failure("\(error)") }
}
