import ArgumentParser
import LockjawModel
import LockjawWatch

/// What `run`, `attach` and `analyze` have in common.
struct ReportOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Report as text or json.", valueName: "text|json"))
  var format: ReportDesk.Format = .text

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Write the report to this file instead; it is complete the moment it exists.", valueName: "PATH")
  )
  var output: String?

  @Option(help: ArgumentHelp("A wait this long is a finding of its own.", valueName: "SECONDS"))
  var stall: Double = 10

  @Option(
    help: ArgumentHelp(
      "How many contended waits of the past to show, and operations of each thread where they are recorded.",
      valueName: "COUNT"))
  var history: Int = 8

  @Option(
    help: ArgumentHelp(
      "How many classes of locks to show of what a process counts at levels 'sites' and 'all'.", valueName: "COUNT"))
  var profile: Int = 10

  func validate() throws {
    guard stall.isFinite, stall > 0, stall <= 1e6 else {
      throw ValidationError("--stall takes seconds, more than 0 and at most 1000000.")
    }
    guard profile >= 0, profile <= 100_000 else { throw ValidationError("--profile takes 0 to 100000.") }
    guard history >= 0, history <= 100_000 else { throw ValidationError("--history takes 0 to 100000.") }
  }
}

enum RingMode: String, ExpressibleByArgument { case overwrite, stop }

extension ReportDesk.Format: ExpressibleByArgument {}
extension RecordingLevel: ExpressibleByArgument {}
extension HangAction: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
