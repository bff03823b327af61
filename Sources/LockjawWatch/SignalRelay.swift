import CLockjawNative
import Glibc

/// Signals that reach lockjaw while it stands between the terminal and the command.
///
/// Both are in the terminal's foreground group, so what the terminal sends (Ctrl-C, Ctrl-\\, hang-up, Ctrl-Z) the
/// command gets by itself and lockjaw only must not die of it. What a process sends to lockjaw alone is passed on.
package final class SignalRelay {
  /// Readable when a signal or the end of a child is there to be taken.
  let descriptor: Int32
  /// What was blocked before: the command starts with this.
  let originalMask: sigset_t
  private static let relayed: [Int32] = [SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH]
  private static let jobControl: [Int32] = [SIGTSTP, SIGCONT]

  /// - Parameter hasCommand: a session without one stops and goes on by itself.
  init(hasCommand: Bool) throws(WatchError) {
    var mask = sigset_t()
    sigemptyset(&mask)
    for signal in Self.relayed + [SIGCHLD] + (hasCommand ? Self.jobControl : []) { sigaddset(&mask, signal) }
    // Whoever reads our reports may go away (`2>&1 | head`): then a write fails, and the command is still watched.
    var blocked = mask
    sigaddset(&blocked, SIGPIPE)
    var original = sigset_t()
    let failure = pthread_sigmask(SIG_BLOCK, &blocked, &original)
    guard failure == 0 else { throw .systemCall("pthread_sigmask", errno: failure) }
    originalMask = original
    // Inherited as ignored, the end of a child would come without a signal and without a status.
    signal(SIGCHLD, SIG_DFL)
    descriptor = lj_signalfd(&mask)
    guard descriptor >= 0 else { throw .systemCall("signalfd", errno: -descriptor) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Takes what is there, passes on what was meant for the command.
  func relay(to command: CommandChild) {
    while true {
      var sender: pid_t = 0
      let signal = lj_signalfd_next(descriptor, &sender)
      switch signal {
      case ...0: return
      case SIGCHLD: continue
      case SIGCONT: command.goOn()
      // The kernel's own (from the terminal) carries no sender; what the command itself sends is not for it.
      default: if sender != 0, sender != command.pid { kill(command.pid, signal) }
      }
    }
  }

  /// Takes what is there, for a session without a command: whether it asks us to end. A stop of another process' threads
  /// comes as SIGCHLD, and a terminal that changes its size is no reason either.
  func takesEnd() -> Bool {
    var isEnd = false
    while true {
      var sender: pid_t = 0
      let signal = lj_signalfd_next(descriptor, &sender)
      guard signal > 0 else { return isEnd }
      isEnd = isEnd || (signal != SIGCHLD && signal != SIGWINCH)
    }
  }

  /// Ends this process as the command ended, so that whoever started lockjaw sees what it would have seen.
  package static func die(of signal: Int32) -> Never {
    var limit = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(__rlimit_resource_t(UInt32(RLIMIT_CORE.rawValue)), &limit)
    Glibc.signal(signal, SIG_DFL)
    var mask = sigset_t()
    sigemptyset(&mask)
    sigaddset(&mask, signal)
    pthread_sigmask(SIG_UNBLOCK, &mask, nil)
    raise(signal)
    exit(128 + signal)
  }
}
