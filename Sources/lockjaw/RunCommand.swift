import ArgumentParser
import LockjawModel
import LockjawWatch

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Start a program under the shim, watch it, report.",
    discussion: """
      The program's own exit status is passed on; 99 (or --error-exitcode) when lockjaw ended it because of a \
      finding; 125 when lockjaw itself failed; 126 and 127 as env has them.
      """)

  @OptionGroup var report: ReportOptions

  @Option(
    help: ArgumentHelp("What to do to a hang that is proven or inferred.", valueName: "report|abort|kill|exec:COMMAND"))
  var onHang: HangAction = .report

  @Option(help: ArgumentHelp("Exit status when lockjaw ended the program.", valueName: "N"))
  var errorExitcode: Int32 = 99

  @Option(
    help: ArgumentHelp(
      "What to record: who holds and waits; also counts per call site; also every operation.",
      valueName: "state|sites|all"))
  var record: RecordingLevel?

  @Option(help: ArgumentHelp("Operations that each thread keeps at level 'all'.", valueName: "COUNT"))
  var ring: Int?

  @Option(
    help: ArgumentHelp("Which operations a full ring keeps: the newest or the oldest.", valueName: "overwrite|stop"))
  var ringMode: RingMode?

  @Option(
    help: ArgumentHelp(
      "Keep reports and arenas in this directory: of findings, and of every process that counted.", valueName: "DIR"))
  var capture: String?

  @Argument(parsing: .captureForPassthrough, help: "The program and its arguments.")
  var command: [String] = []

  func validate() throws {
    guard (0...255).contains(errorExitcode) else { throw ValidationError("--error-exitcode takes 0 to 255.") }
    guard ring.map({ (256...131_072).contains($0) }) ?? true else {
      throw ValidationError("--ring takes 256 to 131072.")
    }
    // What stands in the command's place and looks like an option is one that is not known: the parser passes it on.
    if let first = command.first, first.hasPrefix("-"), first != "--" {
      if first == "--help" || first == "-h" { throw CleanExit.helpRequest(self) }
      throw ValidationError("Unknown option '\(first)'. A command that begins with a dash goes after '--'.")
    }
    guard !commandWords.isEmpty else {
      throw ValidationError("Missing the program to run: lockjaw run [options] -- COMMAND [ARGUMENT ...]")
    }
  }

  private var commandWords: [String] { command.first == "--" ? Array(command.dropFirst()) : command }

  func run() throws {
    let desk = ReportDesk(
      format: report.format, output: report.output, captureDirectory: capture,
      showsProfile: record != nil && record != .state && report.profile > 0)
    let options = RunSession.Options(
      command: commandWords, action: onHang, errorExitStatus: errorExitcode,
      settings: Follower.Settings(
        stall: report.stall, historyLimit: report.history, profileLimit: report.profile, keepsArena: capture != nil),
      recording: RecordingSettings(level: record, ringOperations: ring, ringStops: ringMode.map { $0 == .stop }))
    let end: RunSession.End
    do {
      end = try RunSession(options: options, desk: desk).run()
    } catch {
      throw Status(code: error.exitStatus, message: "\(error)")
    }
    switch end {
    case .exit(let code): throw Status.exit(code)
    case .signal(let number): throw Status(code: 128 + number, signal: number)
    }
  }
}

func endBySignal(_ number: Int32) -> Never { SignalRelay.die(of: number) }
