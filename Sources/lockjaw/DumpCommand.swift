import ArgumentParser
import LockjawInspect
import LockjawWatch

struct DumpCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dump",
    abstract: "Write a small core of a running process, which goes on: threads, stacks, locks.",
    discussion: """
      'lockjaw analyze FILE' reads it, on this machine or another, compressed or not; gdb, lldb and eu-stack read it \
      unpacked (zstd -d). The process stands still for some milliseconds. Exit status: 0 written, 2 usage, 125 failure.
      """)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The file; complete the moment it exists. lockjaw-PID.core, with --compress lockjaw-PID.core.zst, where it is left out.",
      valueName: "FILE"))
  var output: String?

  @Flag(help: "Compress it (zstd).")
  var compress = false

  @Argument(help: ArgumentHelp("The process.", valueName: "PID"))
  var pid: Int32

  func validate() throws {
    guard pid > 0 else { throw ValidationError("PID must be a positive number.") }
  }

  func run() throws {
    let written: Dump
    do {
      let process = try LiveProcess(pid: pid)
      written = try Dump(
        process, to: output ?? "lockjaw-\(process.pid).core" + (compress ? ".zst" : ""), isCompressed: compress)
    } catch {
      throw Status.failure("\(error)")
    }
    for sentence in written.diagnostics { _ = ReportFile.writeAll("lockjaw: \(sentence)\n", to: 2) }
    let pause = (written.pauseMilliseconds * 10).rounded() / 10
    print(
      "\(written.path): \(written.threads) threads, \((written.byteCount + 1023) / 1024) KiB; the process stood still for "
        + "\(pause) ms.")
  }
}
