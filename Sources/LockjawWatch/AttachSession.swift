import Glibc
import LockjawArena
import LockjawInspect
import LockjawModel

/// `lockjaw attach PID --follow`: the collector's part for a process that somebody else started.
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
    let relay = try SignalRelay()
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
    let pidfd = PidDescriptor(pid: process.pid)
    var descriptors = [pollfd(fd: relay.descriptor, events: Int16(POLLIN), revents: 0)]
    if let pidfd { descriptors.append(pollfd(fd: pidfd.descriptor, events: Int16(POLLIN), revents: 0)) }
    while poll(&descriptors, nfds_t(descriptors.count), -1) < 0, errno == EINTR {}
    follower.processEnded(process.isAlive ? "running on" : "gone")
    thread.join()
    desk.close()
    return found.isRaised
  }
}

extension LiveProcess {
  static var ownStartTicks: UInt64 { (try? LiveProcess(pid: getpid()))?.identity.startTicks ?? 0 }
}
