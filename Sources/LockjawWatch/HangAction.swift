import Glibc
import LockjawModel

/// What to do to a process that hangs.
package enum HangAction: Hashable, Sendable {
  case report
  /// SIGABRT, so that it leaves a core where the system keeps cores; SIGKILL where it survives that.
  case abort
  case kill
  /// `sh -c COMMAND` with LOCKJAW_PID, LOCKJAW_VERDICT and LOCKJAW_REPORT set; the process goes on.
  case execute(String)

  /// Parses `report`, `abort`, `kill`, `exec:COMMAND`.
  package init?(_ text: String) {
    switch text {
    case "report": self = .report
    case "abort": self = .abort
    case "kill": self = .kill
    default:
      guard text.hasPrefix("exec:"), text.count > 5 else { return nil }
      self = .execute(String(text.dropFirst(5)))
    }
  }

  /// Whether the action ends the process.
  package var ends: Bool { self == .abort || self == .kill }

  /// Acts on the process that `identity` names, through a pidfd where the kernel has them, so that a reused pid is never
  /// hit; without one only after a look that it still is that process.
  /// - Returns: a sentence for the user, or `nil` where there is nothing to say.
  func act(on identity: ProcessIdentity, pidfd: PidDescriptor?, verdict: FindingKind, reportPath: String?) -> String? {
    let send: (Int32) -> Bool = { pidfd?.send($0) ?? (identity.isRunning && Glibc.kill(identity.pid, $0) == 0) }
    switch self {
    case .report:
      return nil
    case .kill:
      return send(SIGKILL) ? "lockjaw: killed process \(identity.pid)" : nil
    case .abort:
      guard send(SIGABRT) else { return nil }
      // A program that handles SIGABRT may hang in its handler, on the very lock.
      if let pidfd, !pidfd.waitUntilEnded(milliseconds: 10_000) {
        _ = send(SIGKILL)
        return "lockjaw: process \(identity.pid) survived SIGABRT for 10 s and was killed"
      }
      return "lockjaw: aborted process \(identity.pid)"
    case .execute(let command):
      let launch = CommandLaunch(
        command: ["/bin/sh", "-c", command],
        additions: [
          ("LOCKJAW_PID", "\(identity.pid)"), ("LOCKJAW_VERDICT", verdict.rawValue),
          ("LOCKJAW_REPORT", reportPath ?? ""),
        ], signalMask: sigset_t())
      do {
        let pid = try launch.start()
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return nil
      } catch {
        return "lockjaw: --on-hang exec: \(error)"
      }
    }
  }
}
