import Glibc
import LockjawArena
import LockjawDiagnosis
import LockjawGraph
import LockjawInspect
import LockjawModel
import Synchronization

/// Watches one process through its arena, on a thread of its own, until it is told that the process has ended.
///
/// It sleeps until someone waits. A cycle is examined until the witnesses agree, at most `patience`; then it is
/// reported once, and again only if it becomes more certain.
package final class Follower: Sendable {
  package struct Settings: Sendable {
    /// Seconds after which a wait is a finding of its own.
    package var stall: Double
    package var historyLimit: Int
    /// Classes of locks to show of what was counted.
    package var profileLimit: Int
    /// What was counted is worth keeping when the process has ended, although its own exit removes the arena.
    package var keepsArena: Bool
    /// The shim was told to leave arenas in which something was counted; they go when they have been read.
    package var removesArena: Bool
    /// Seconds after which a futex wait is worth the stacks that tell what it is for.
    package var firstLook: Double
    package init(
      stall: Double = 10, historyLimit: Int = 8, firstLook: Double = 1, profileLimit: Int = 0, keepsArena: Bool = false,
      removesArena: Bool = false
    ) {
      self.profileLimit = profileLimit
      self.keepsArena = keepsArena
      self.removesArena = removesArena
      self.firstLook = firstLook
      self.stall = stall
      self.historyLimit = historyLimit
    }
  }

  package let identity: ProcessIdentity
  package let arenaPath: String
  private let settings: Settings
  private let discover: @Sendable (Discovery) -> Void
  /// How the process ended, once it has; `running` until then.
  private let ending = Mutex<String?>(nil)
  /// The follower may be asleep when its process ends, and the arena's file gone by then.
  private let rope: BellRope
  /// The arena's file, open for copying; -1: not wanted, or not to be had.
  private let descriptor: Int32

  /// - Parameter discover: called on the follower's thread.
  /// - Throws: why the arena cannot be mapped.
  package init(
    arenaPath: String, identity: ProcessIdentity, settings: Settings, discover: @escaping @Sendable (Discovery) -> Void
  ) throws(ArenaError) {
    rope = try BellRope(path: arenaPath)
    descriptor = settings.keepsArena ? open(arenaPath, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1
    self.arenaPath = arenaPath
    self.identity = identity
    self.settings = settings
    self.discover = discover
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Tells the follower that its process has ended; it looks once more and returns from `run`.
  /// - Parameter condition: "exited with status 0", "killed by signal 9 (SIGKILL)".
  package func processEnded(_ condition: String) {
    ending.withLock { $0 = condition }
    rope.ring()
  }

  private var end: String? { ending.withLock { $0 } }

  /// Runs until `processEnded`. The arena stays readable through its mapping even when its file is removed.
  package func run(_ arena: ArenaReader) {
    // Another process may have its number by now.
    guard let process = try? LiveProcess(pid: identity.pid), process.identity == identity else {
      return finish(arena, nil)
    }
    let target = LiveTarget(process)
    var pass = FollowerPass(arena: arena, target: target, settings: settings)
    // The bell is armed only for a sleep, and after arming there is one more look: a wait that began in between is
    // seen by that look or rings.
    var bell: UInt32 = 0
    var isArmed = false
    while end == nil {
      let outcome = pass.look()
      for report in outcome.reports {
        discover(
          Discovery(
            occasion: report.occasion, process: identity, arenaPath: arenaPath, arenaFile: arena.file,
            report: report.report))
      }
      if outcome.restMilliseconds > 0 {
        if isArmed { arena.arm([]) }
        isArmed = false
        usleep(UInt32(outcome.restMilliseconds) * 1000)
      } else if !isArmed {
        bell = arena.bellCount
        arena.arm([.locks, .softWaits, .signals])
        isArmed = true
      } else if end == nil {
        arena.sleep(from: bell, timeoutMilliseconds: outcome.sleepMilliseconds)
        isArmed = false
      }
    }
    finish(arena, pass)
  }

  /// The process is gone: its last state, read from what it left.
  private func finish(_ arena: ArenaReader, _ pass: FollowerPass?) {
    var condition = end ?? "gone"
    // A process too short to watch still says how it ended.
    if condition == "gone", case .exited(let code) = arena.imageState { condition = "exited with status \(code)" }
    arena.disclaim()
    let target = DeadTarget(arena: arena)
    let reporting = Reporting(arena: arena, target: target, source: "arena")
    // A process that ended by itself was not hung, whatever its threads were waiting for at that moment.
    let diedBySignal = condition.hasPrefix("killed")
    let glance =
      diedBySignal ? Examination.remains(of: arena, now: .now) : Examination.Glance(threads: [], now: .now, waits: [])
    let examination = Examination(glance, arena: arena, target: target, stall: settings.stall)
    var report = reporting.report(
      examination, stacks: .involved, condition: condition, historyLimit: settings.historyLimit,
      profileLimit: settings.profileLimit)
    // What a dead process cannot tell is of interest only where something is to be told.
    if !diedBySignal { report.diagnostics = [] }
    // The arena has the number that the process calls itself, which is another where it has a pid namespace of its own.
    report.process.pid = identity.pid
    discover(
      Discovery(
        occasion: .ended, process: identity, arenaPath: arenaPath, arenaFile: arena.file, report: report,
        arenaDescriptor: descriptor >= 0 ? descriptor : nil))
    if settings.removesArena, case .exited = arena.imageState { unlink(arenaPath) }
  }
}
