import Glibc
import LockjawArena
import LockjawInspect
import LockjawModel
import LockjawReport
import LockjawTestPrograms
import Testing

@testable import LockjawWatch

/// The same for a lock that no word and no record names the holder of: the ladder reads code, tables and pages that a core
/// has only because the diagnosis was asked for them.
@Suite("The if-let sample and the core of the same moment")
struct SameMomentSampleTests {
  private let program: Program
  private let arenas = Result { try TemporaryDirectory() }

  init() throws {
    let sample = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/Samples/rust/std_iflet.rs"
    // The time limit that the samples share; a test ends its programs itself.
    let source = try Command.succeed(["cat", sample]).split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0 == "mod guard;" ? "mod guard { pub fn begin() {} }" : String($0) }.joined(separator: "\n")
    program = try Program(.rust, name: "iflet", flags: ["-g", "-O"], source: source)
  }

  /// Once everybody in it sleeps: the writer for its own read lock, main in a join.
  private func start(environment: [String: String] = [:]) throws -> (RunningProgram, LiveProcess) {
    let running = try RunningProgram(program, environment: environment)
    let process = try LiveProcess(pid: running.pid)
    let isStuck = RunningProgram.wait {
      let threads = process.threads
      return threads.map(\.name).contains("gossip")
        && threads.allSatisfy { if case .futexWait = process.kernelState(of: $0.tid) { true } else { false } }
    }
    guard isStuck else { throw CommandFailure(description: "the program did not come to rest") }
    return (running, process)
  }

  /// Compared line by line, so that a failure shows those that differ.
  private func lines(of report: Report) -> [Substring] {
    ReportDocument.encode(report).split(separator: "\n")
  }

  private let single = SingleReport(wantsAllStacks: true)

  @Test("get the same report to the byte, the holder found by its frames included")
  func frames() throws {
    let (running, process) = try start()
    let snapshot = try Snapshot.take(pid: running.pid)
    let path = program.directory.path + "/mini"
    _ = try Dump(snapshot, of: process, to: path)
    let live = single.of(snapshot, of: process)
    running.kill()
    let core = single.of(try CoreFile(path: path), arena: nil)
    #expect(live.verdict == .selfDeadlock)
    let edge = try #require(live.findings.first?.edges.first)
    #expect(edge.evidence.isFoundByFrames && edge.holders == [edge.waiter])
    #expect(ReportDocument.encode(live.comparable) == ReportDocument.encode(core.comparable))
    #expect(TextReport.render(live.comparable) == TextReport.render(core.comparable))
  }

  @Test("with an arena get the same report, but for the ages, which each counts from its own moment")
  func arena() throws {
    let directory = try arenas.get().path
    chmod(directory, 0o700)
    let (running, process) = try start(environment: ["LD_PRELOAD": Shim.locate(), "LOCKJAW_DIR": directory])
    let entry = try #require(ArenaDirectory(path: directory).entries().first)
    let path = program.directory.path + "/mini"
    let live = single.of(process, arena: try ArenaReader(path: entry.path))
    _ = try Dump(process, to: path)
    running.kill()
    unlink(entry.path)
    let file = try CoreFile(path: path)
    let arena = try #require(CoreArena.find(file), "the core has no arena")
    let core = single.of(file, arena: arena)
    #expect(live.verdict == .selfDeadlock)
    #expect(!live.history.isEmpty)
    #expect(lines(of: live.withoutAges) == lines(of: core.withoutAges))
  }
}
