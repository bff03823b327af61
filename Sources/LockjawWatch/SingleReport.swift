import CLockjawNative
import Glibc
import LockjawArena
import LockjawDiagnosis
import LockjawInspect
import LockjawModel

/// One look at one arena, for `attach` and `analyze`.
package struct SingleReport {
  package var stall: Double
  package var historyLimit: Int
  /// Classes of locks to show of what was counted.
  package var profileLimit: Int
  /// Take every thread's stack, not only those of threads a finding names.
  package var wantsAllStacks: Bool
  /// Ask the configured debuginfod servers for what is not here: somebody waits for the report and is ready to wait longer.
  package var asksServers: Bool

  package init(
    stall: Double = 10, historyLimit: Int = 8, profileLimit: Int = 0, wantsAllStacks: Bool = false,
    asksServers: Bool = false
  ) {
    self.profileLimit = profileLimit
    self.asksServers = asksServers
    self.stall = stall
    self.historyLimit = historyLimit
    self.wantsAllStacks = wantsAllStacks
  }

  /// A running process that was started under the shim.
  ///
  /// A cycle whose witnesses do not agree yet is looked at again for up to 50 ms: its threads may be on their way to
  /// sleep.
  package func of(_ process: LiveProcess, arena: ArenaReader) -> Report {
    let target = LiveTarget(process, asksServers: asksServers)
    var examination = look(arena, target)
    let begin = Instant.now
    while examination.isOpen, Instant.now.seconds(since: begin) < 0.05 {
      usleep(2000)
      examination = look(arena, target)
    }
    // Asked before a look at all stacks stops anything.
    let unseen = UnrecordedSleepers.sentence(examination, arena: arena, target: target)
    var report = Reporting(arena: arena, target: target, source: "live").report(
      examination, stacks: wantsAllStacks ? .all : .involved, condition: target.condition, historyLimit: historyLimit,
      profileLimit: profileLimit)
    report.diagnostics += unseen.map { [$0] } ?? []
    return report
  }

  private func look(_ arena: ArenaReader, _ target: LiveTarget) -> Examination {
    let glance = Examination.glance(arena).addingUnrecorded(target, arena: arena).interpreting(
      target, arena: arena, olderThan: 0
    )
    .findingHolders(target, arena: arena) { target.snapshot() }
    .lookingAround(target.process, target: target, arena: arena)
    return Examination(glance, arena: arena, target: target, stall: stall)
  }

  /// What a dead process left.
  package func ofRemains(_ arena: ArenaReader) -> Report {
    let target = DeadTarget(arena: arena, asksServers: asksServers)
    let condition: String
    let glance: Examination.Glance
    switch arena.imageState {
    case .exited(let code):
      // It ended by itself: whatever its threads waited for then is no hang.
      condition = "exited with status \(code)"
      glance = Examination.Glance(threads: [], now: .now, waits: [])
    default:
      condition = "gone: killed, or replaced by a program without the shim"
      // Waits are as old as the last thing the process recorded, not as the file is.
      glance = Examination.remains(of: arena, now: lastRecorded(arena), isEndUnknown: true)
    }
    let examination = Examination(glance, arena: arena, target: target, stall: stall)
    return Reporting(arena: arena, target: target, source: "arena").report(
      examination, stacks: wantsAllStacks ? .all : .involved, condition: condition, historyLimit: historyLimit,
      profileLimit: profileLimit)
  }

  /// A process that was not started under the shim: its threads stand still for a moment, or, with `withoutStopping`,
  /// are read as they sleep.
  package func of(_ process: LiveProcess, withoutStopping: Bool) throws(InspectError) -> Report {
    let snapshot =
      withoutStopping
      ? try Snapshot.takeWithoutStopping(pid: process.pid) : try Snapshot.take(pid: process.pid)
    return of(
      snapshot, of: process, diagnostics: withoutStopping ? [Self.notStopped] : [], mayStop: !withoutStopping)
  }

  /// The same for a snapshot that was taken before.
  package func of(
    _ snapshot: Snapshot, of process: LiveProcess, diagnostics: [String] = [], mayStop: Bool = true
  ) -> Report {
    let (target, examination) = examine(snapshot, of: process, diagnostics: diagnostics, mayStop: mayStop)
    return report(examination, target)
  }

  func examine(
    _ snapshot: Snapshot, of process: LiveProcess, diagnostics: [String] = [], mayStop: Bool = true
  ) -> (SnapshotTarget, Examination) {
    let target = SnapshotTarget(running: snapshot, process: process, diagnostics: diagnostics, asksServers: asksServers)
    let glance = Examination.glance(target).lookingAround(process, target: target, arena: nil, mayStop: mayStop)
    return (target, Examination(glance, arena: nil, target: target, stall: stall))
  }

  func report(_ examination: Examination, _ target: SnapshotTarget) -> Report {
    Reporting(arena: nil, target: target, source: "live").report(
      examination, stacks: wantsAllStacks ? .all : .involved, condition: target.condition)
  }

  static let notStopped =
    "The process was not stopped (--no-stop): threads were looked at one after another, running ones not at all, and a "
    + "stack can end early where code keeps a frame pointer."

  /// A core, with the arena that its process had, if any.
  package func of(_ core: CoreFile, arena: ArenaReader?) -> Report {
    let target = SnapshotTarget(core: core, asksServers: asksServers, hasArena: arena != nil)
    let glance =
      arena.map { arena in
        // Our own cores say when they were taken; of others the last that the process recorded is as near as can be.
        // Inlined locks are told as in a live process: here their words and frames are left.
        Examination.remains(
          of: arena, now: max(target.snapshot.takenAt, lastRecorded(arena)),
          isEndUnknown: target.snapshot.takenAt.nanoseconds == 0
        )
        .interpreting(target, arena: arena, snapshot: target.snapshot, olderThan: 0)
        .findingHolders(target, arena: arena) { target.snapshot }
      } ?? Examination.glance(target)
    // What was late at that moment was missed, whatever became of the process.
    let examination = Examination(
      glance, arena: arena, target: target, stall: stall,
      missed: arena?.heartbeats().filter { $0.lateness(at: glance.now) != nil } ?? [])
    return Reporting(arena: arena, target: target, source: "core").report(
      examination, stacks: wantsAllStacks ? .all : .involved, condition: core.condition, historyLimit: historyLimit,
      profileLimit: profileLimit)
  }

  /// The newest time stamp in the arena: the process lived at least that long.
  private func lastRecorded(_ arena: ArenaReader) -> Instant {
    let ends = arena.history(limit: 64).map {
      Instant(nanoseconds: $0.wait.begin.nanoseconds &+ $0.wait.durationNanoseconds)
    }
    return ends.max() ?? arena.header.created
  }
}

extension CoreFile {
  /// For the report's head.
  fileprivate var condition: String {
    guard let signal else { return "as it was when the core was taken" }
    let name = lj_signal_abbreviation(signal).map { " (SIG\(String(cString: $0)))" } ?? ""
    return "ended by signal \(signal)\(name)"
  }
}

extension Examination {
  /// A cycle is there that is not proven and may yet be, or what was there has changed meanwhile.
  package var isOpen: Bool {
    wasOvertaken
      || diagnosis.findings.contains {
        $0.isCycle && $0.certainty != .proven && $0.edges.allSatisfy { !$0.isWeak }
          // Over process borders that is as certain as it gets.
          && !(surroundings?.touches($0) ?? false)
      }
  }
}
