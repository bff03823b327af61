import Glibc
import LockjawModel
import LockjawReport
import Synchronization

/// Where reports and remarks of a session go. Any thread may speak; lines do not mix.
package final class ReportDesk: Sendable {
  package enum Format: String, Sendable, CaseIterable {
    case text, json
  }

  private let format: Format
  /// `nil`: standard error, since standard output is the command's.
  private let output: String?
  /// Every report also goes here, with its arena.
  private let captureDirectory: String?
  /// What the command counted is shown at its end, also where nothing was found.
  private let showsProfile: Bool
  private let state = Mutex(State())

  private struct State {
    /// The process whose report `output` holds; others write beside it.
    var owner: ProcessIdentity?
    /// Processes of which a finding has been shown.
    var shown: Set<ProcessIdentity> = []
    /// The last report without a finding: written at the end, so that `output` always exists.
    var quiet: Report?
    var isFirstLine = true
  }

  package init(format: Format, output: String?, captureDirectory: String?, showsProfile: Bool = false) {
    self.showsProfile = showsProfile
    self.format = format
    self.output = output
    self.captureDirectory = captureDirectory
  }

  /// A remark for the user, on standard error.
  package func say(_ sentence: String) {
    state.withLock { _ in _ = ReportFile.writeAll(sentence + "\n", to: 2) }
  }

  /// Shows a report where it belongs.
  /// - Returns: the file it is in, if any.
  @discardableResult
  package func show(_ discovery: Discovery) -> String? {
    state.withLock { state in
      switch discovery.occasion {
      case .ended:
        // What was reported while it lived says more than what it left.
        if !state.shown.contains(discovery.process) {
          if discovery.report.verdict.isHang {
            state.shown.insert(discovery.process)
            return publish(discovery, &state)
          }
          // The command ends last; whoever ended before it is one of its children, or an earlier image of it.
          state.quiet = discovery.report
        }
        return discovery.report.profile == nil ? nil : capture(discovery)
      case .finding:
        state.shown.insert(discovery.process)
        return publish(discovery, &state)
      case .requested(let number):
        return request(discovery, number)
      }
    }
  }

  private func publish(_ discovery: Discovery, _ state: inout State) -> String? {
    let captured = capture(discovery)
    guard let output else {
      print(discovery.report)
      return captured
    }
    if state.owner == nil { state.owner = discovery.process }
    let path = state.owner == discovery.process ? output : "\(output).\(discovery.process.pid)"
    write(discovery.report, to: path)
    let line = OneLine.render(discovery.report, style: isatty(2) == 1 ? .ansi : .plain)
    _ = ReportFile.writeAll("lockjaw: \(line)\nlockjaw: report in \(path)\n", to: 2)
    return path
  }

  /// The watchdog signal's report lies beside the arena, in both formats.
  private func request(_ discovery: Discovery, _ number: UInt32) -> String? {
    guard let file = discovery.arenaFile else { return nil }
    let arena = discovery.arenaPath
    let ending = ".report-\(number)"
    do throws(WatchError) {
      _ = try ReportFile.write(
        ReportDocument.encode(discovery.report), beside: arena, file, ending: ending + ".json")
      return try ReportFile.write(
        TextReport.render(discovery.report, style: .plain, source: SourceFiles.line), beside: arena, file,
        ending: ending + ".txt")
    } catch {
      _ = ReportFile.writeAll("lockjaw: \(error)\n", to: 2)
      return nil
    }
  }

  /// To standard error.
  private func print(_ report: Report) {
    let text =
      switch format {
      case .text: TextReport.render(report, style: isatty(2) == 1 ? .ansi : .plain, source: SourceFiles.line)
      case .json: ReportDocument.encode(report)
      }
    _ = ReportFile.writeAll(text, to: 2)
  }

  private func write(_ report: Report, to path: String) {
    let text =
      switch format {
      case .text: TextReport.render(report, style: .plain, source: SourceFiles.line)
      case .json: ReportDocument.encode(report)
      }
    do { try ReportFile.write(text, to: path) } catch { _ = ReportFile.writeAll("lockjaw: \(error)\n", to: 2) }
  }

  /// Report and arena side by side: what `lockjaw analyze` reads later. Named as the arena is, so that `analyze` of the
  /// directory finds it.
  private func capture(_ discovery: Discovery) -> String? {
    guard let captureDirectory else { return nil }
    mkdir(captureDirectory, 0o700)
    let name = discovery.arenaPath.split(separator: "/").last.map(String.init) ?? ""
    let base = "\(captureDirectory)/\(name.hasSuffix(".arena") ? String(name.dropLast(6)) : name)"
    do {
      try ReportFile.write(ReportDocument.encode(discovery.report), to: base + ".json")
      try ReportFile.write(
        TextReport.render(discovery.report, style: .plain, source: SourceFiles.line), to: base + ".txt")
      if !discovery.arenaPath.isEmpty {
        try SparseCopy.copy(
          discovery.arenaPath, discovery.arenaFile, open: discovery.arenaDescriptor, to: base + ".arena")
      }
    } catch {
      _ = ReportFile.writeAll("lockjaw: \(error)\n", to: 2)
    }
    return base + ".txt"
  }

  /// The session is over: an output that was asked for and has nothing to say says so.
  /// - Parameter unseen: the report where the command had no arena.
  package func close(unseen: Report? = nil) {
    state.withLock { state in
      // Of a command that was never seen, a child's report is not the report.
      let quiet = state.quiet.flatMap { unseen == nil || $0.process.pid == unseen?.process.pid ? $0 : nil }
      guard let output else {
        if showsProfile, let quiet, quiet.profile != nil { print(quiet) }
        return
      }
      guard state.owner == nil, let report = quiet ?? unseen else { return }
      write(report, to: output)
    }
  }
}
