import ArgumentParser
import Glibc

/// The command. Exit statuses are a contract with scripts, so they are decided here and not by the parser:
/// `run` answers 125 to wrong usage, as `env` does; every other command answers 2.
@main
struct Lockjaw: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "lockjaw",
    abstract: "Finds out who is stuck on which lock, and why, in unmodified Linux programs.",
    version: version,
    subcommands: [RunCommand.self, AttachCommand.self, DumpCommand.self, AnalyzeCommand.self, ListCommand.self])

  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    let isRun = arguments.first == "run"
    do {
      var command = try parseAsRoot(arguments)
      try command.run()
    } catch let status as Status {
      if let message = status.message { complain("lockjaw: \(message)\n") }
      if let signal = status.signal { endBySignal(signal) }
      Glibc.exit(status.code)
    } catch {
      let code = exitCode(for: error)
      let message = fullMessage(for: error)
      // Help and version are answers, not errors.
      if code == .success {
        print(message)
        Glibc.exit(0)
      }
      complain(message + "\n")
      Glibc.exit(isRun ? 125 : 2)
    }
  }

  private static func complain(_ text: String) {
    var text = text
    text.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
  }
}

/// How a command ends when it does not simply succeed.
struct Status: Error {
  var code: Int32
  var message: String?
  var signal: Int32?

  static func failure(_ message: String) -> Status { Status(code: 125, message: message) }
  static func exit(_ code: Int32) -> Status { Status(code: code) }
}
