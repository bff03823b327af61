import Glibc
import LockjawArena
import LockjawDiagnosis
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawWatch

/// A process that is killed while it is looked at: what no longer can be read is no witness.
@Suite("A process that dies between two looks")
struct DyingProcessTests {
  private let arenas = Result { try TemporaryDirectory(in: "/dev/shm") }

  /// A sample, started with the library, once its arena shows what the test is about.
  private func start(
    _ sample: String, isStuck: (ArenaReader) -> Bool
  ) throws -> (running: RunningProgram, process: LiveProcess, arena: ArenaReader) {
    let samples = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/Samples/c"
    let program = try Program(
      .c, name: sample, flags: ["-g", "-I", samples],
      source: try Command.succeed(["cat", "\(samples)/\(sample).c"]))
    let directory = try arenas.get().path
    let running = try RunningProgram(
      program, environment: ["LD_PRELOAD": try Shim.locate(), "LOCKJAW_DIR": directory])
    var arena: ArenaReader?
    try #require(
      RunningProgram.wait {
        arena = arena ?? ArenaDirectory(path: directory).entries().first.flatMap { try? ArenaReader(path: $0.path) }
        return arena.map(isStuck) ?? false
      })
    return (running, try LiveProcess(pid: running.pid), try #require(arena))
  }

  /// It is this test's child and not waited for yet: it has died, and its number is still its own.
  private func kill(_ running: RunningProgram, _ process: LiveProcess) throws {
    Glibc.kill(running.pid, SIGKILL)
    try #require(RunningProgram.wait { !process.isAlive })
  }

  @Test("leaves no orphaned lock: that its memory is gone does not say that the lock is still taken")
  func orphan() throws {
    // A thread lets go of a mutex by hand, which no library sees, and ends: its arena says that it ended with the lock.
    let (running, process, arena) = try start("lost_wakeup") { arena in
      arena.threads().contains { if case .exitedHolding = $0.phase { true } else { false } }
    }
    let target = LiveTarget(process)
    let glance = Examination.glance(arena)
    #expect(glance.waits.count == 1)
    try kill(running, process)
    let findings = Examination(glance, arena: arena, target: target, stall: 1).diagnosis.findings
    #expect(!findings.contains { $0.kind.isHang }, "\(findings)")
  }

  @Test("is not reported on by whoever follows it, who looks again until its end is known")
  func follower() throws {
    let (running, process, arena) = try start("abba") { $0.threads().filter { $0.wait?.type == .mutex }.count == 2 }
    var pass = FollowerPass(arena: arena, target: LiveTarget(process), settings: Follower.Settings())
    try kill(running, process)
    // For longer than the patience that a cycle is looked at with before it is reported without all witnesses.
    let begin = Instant.now
    repeat {
      let outcome = pass.look()
      #expect(outcome.reports.isEmpty, "\(outcome.reports.map(\.report.findings))")
      #expect(outcome.restMilliseconds > 0)
      usleep(2000)
    } while Instant.now.seconds(since: begin) < 0.2
  }
}
