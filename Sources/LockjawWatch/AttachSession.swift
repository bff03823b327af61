import Glibc
import LockjawArena
import LockjawDiagnosis
import LockjawInspect
import LockjawModel

/// `lockjaw attach PID --follow`: the collector's part for a process that somebody else started, preloaded or not.
package final class AttachSession {
  private let process: LiveProcess
  private let arenaPath: String
  private let settings: Follower.Settings
  private let desk: ReportDesk

  package init(process: LiveProcess, arenaPath: String, settings: Follower.Settings, desk: ReportDesk) {
    self.process = process
    self.arenaPath = arenaPath
    self.settings = settings
    self.desk = desk
  }

  /// Follows until the process ends or a signal ends this one.
  /// - Returns: whether a hang was found.
  package func follow() throws(WatchError) -> Bool {
    let relay = try SignalRelay(hasCommand: false)
    let found = HangFlag()
    let arena: ArenaReader
    let follower: Follower
    do throws(ArenaError) {
      arena = try ArenaReader(path: arenaPath, forCollecting: true)
      follower = try Follower(arenaPath: arenaPath, identity: process.identity, settings: settings) {
        [desk] discovery in
        if discovery.report.verdict.isHang { found.raise() }
        desk.show(discovery)
      }
    } catch {
      throw .arenaUnreadable(error)
    }
    _ = arena.claim(pid: getpid(), startTicks: LiveProcess.ownStartTicks, isAlive: ArenaSearch.isAlive)
    // A reader belongs to one thread: the follower's.
    nonisolated(unsafe) let reader = arena
    guard let thread = BackgroundThread(named: "lj-\(process.pid)", { follower.run(reader) }) else {
      throw .systemCall("pthread_create", errno: EAGAIN)
    }
    let ends = Ends(relay, process)
    while !ends.haveCome(within: -1) {}
    follower.processEnded(process.isAlive ? "running on" : "gone")
    thread.join()
    desk.close()
    return found.isRaised
  }

  /// The same for a process without an arena: the first look comes at once, and fails where the process cannot be looked at.
  package static func follow(
    unrecorded process: LiveProcess, settings: Follower.Settings, withoutStopping: Bool, single: SingleReport,
    desk: ReportDesk
  ) throws(WatchError) -> Bool {
    let ends = Ends(try SignalRelay(hasCommand: false), process)
    var foundHang = false
    var follower = SnapshotFollower(
      process,
      SnapshotFollower.Settings(
        stall: settings.stall, firstLook: settings.firstLook, withoutStopping: withoutStopping), single)
    var isFirst = true
    var rest: Int32 = 1000
    var next: UInt64 = 0
    var isRefused = false
    repeat {
      do throws(InspectError) {
        let outcome = try follower.look(always: isFirst)
        for discovery in outcome.discoveries {
          foundHang = foundHang || discovery.report.verdict.isHang
          desk.show(discovery)
        }
        (rest, isRefused) = (outcome.restMilliseconds, false)
      } catch {
        guard !isFirst else { throw .notInspectable(error) }
        // It may be ending, or a debugger has it for now.
        if process.isAlive, !isRefused { desk.say("lockjaw: \(error)") }
        isRefused = true
      }
      isFirst = false
      next = Instant.now.nanoseconds + UInt64(rest) * 1_000_000
    } while !ends.haveCome(until: next)
    if let last = follower.last {
      desk.show(
        Discovery(occasion: .ended, process: process.identity, arenaPath: "", arenaFile: nil, report: last))
    }
    desk.close()
    return foundHang
  }

  /// What ends a session: a signal to us, or the end of the process.
  private struct Ends {
    private let relay: SignalRelay
    private let pidfd: PidDescriptor?
    private let process: LiveProcess

    init(_ relay: SignalRelay, _ process: LiveProcess) {
      self.relay = relay
      self.process = process
      pidfd = PidDescriptor(process.identity)
    }

    /// - Parameter moment: on CLOCK_MONOTONIC, in nanoseconds.
    func haveCome(until moment: UInt64) -> Bool {
      while true {
        let now = Instant.now.nanoseconds
        guard now < moment else { return false }
        if haveCome(within: Int32(min((moment - now) / 1_000_000 + 1, 3_600_000))) { return true }
      }
    }

    /// - Parameter milliseconds: how long to wait for them; -1: until one comes. It may return before.
    func haveCome(within milliseconds: Int32) -> Bool {
      var descriptors = [pollfd(fd: relay.descriptor, events: Int16(POLLIN), revents: 0)]
      if let pidfd { descriptors.append(pollfd(fd: pidfd.descriptor, events: Int16(POLLIN), revents: 0)) }
      if poll(&descriptors, nfds_t(descriptors.count), milliseconds) > 0 {
        if descriptors.count > 1, descriptors[1].revents != 0 { return true }
        if relay.takesEnd() { return true }
      }
      // Without a descriptor for the process its end is seen by looking.
      return pidfd == nil && !process.isAlive
    }
  }
}

extension LiveProcess {
  static var ownStartTicks: UInt64 { (try? LiveProcess(pid: getpid()))?.identity.startTicks ?? 0 }
}
