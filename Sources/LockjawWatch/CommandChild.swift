import Glibc
import LockjawInspect

/// The command as a child of lockjaw's: its end, and its stops.
///
/// Whoever started lockjaw sees a job that stops when the command does. Ctrl-Z reaches both by the terminal; the command
/// decides what becomes of it (an editor first puts the screen right, another ignores it), and lockjaw does as it does.
struct CommandChild {
  enum Change: Hashable {
    case ended(ChildExit)
    /// By this signal.
    case stopped(Int32)
  }

  let pid: pid_t

  /// __WNOTHREAD (wait(2), "Linux notes"): not what other threads of this process wait for.
  private static let onlyOwnChildren: Int32 = 0x2000_0000
  private static let anyChange = WEXITED | WSTOPPED | WCONTINUED | WNOHANG | onlyOwnChildren
  /// Between a stop and what lifts it again at once: the signal that continues a job reaches its members one by one.
  private static let graceMicroseconds: UInt32 = 5000

  /// The next change that has not been taken yet, without waiting; nil when there is none.
  func nextChange() -> Change? {
    while true {
      // Looked at before it is taken: a stop for a snapshot is for the thread that takes the snapshot, though this thread,
      // the parent, is shown it, too.
      var seen = siginfo_t()
      guard waitid(P_ALL, 0, &seen, Self.anyChange | WNOWAIT) == 0 else { return nil }
      let child = seen._sifields._sigchld.si_pid
      // Nothing; or the command is stopped for a snapshot: it hides other children only until the next signal.
      guard child > 0, seen.si_code != Int32(CLD_TRAPPED) else { return nil }
      var status: Int32 = 0
      guard waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED | Self.onlyOwnChildren) == child else {
        return nil
      }
      // Others can be ours only as those of ended processes (init of a container): nothing is known of them here.
      guard child == pid else { continue }
      if let exit = ChildExit(waitStatus: status) { return .ended(exit) }
      if seen.si_code == Int32(CLD_STOPPED) { return .stopped((status >> 8) & 0xff) }
    }
  }

  /// Whether a signal has stopped it, and nothing has lifted the stop within a moment.
  var staysStopped: Bool {
    guard isStopped else { return false }
    usleep(Self.graceMicroseconds)
    return isStopped
  }

  private var isStopped: Bool { (try? LiveProcess(pid: pid))?.isStopped ?? false }

  /// Stops lockjaw with the command, where a shell may wait for the job to stop: that is, at a terminal. Elsewhere whoever
  /// lets the command go on may not know of lockjaw, and would leave it behind.
  func stopWithIt(by signal: Int32) {
    let terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
    guard terminal >= 0 else { return }
    close(terminal)
    guard staysStopped else { return }
    // The signal is blocked while it is relayed; the shell is to be told the same as without lockjaw.
    var only = sigset_t()
    sigemptyset(&only)
    sigaddset(&only, signal)
    pthread_sigmask(SIG_UNBLOCK, &only, nil)
    kill(getpid(), signal)
    pthread_sigmask(SIG_BLOCK, &only, nil)
  }

  /// After lockjaw was told to go on: a shell tells the group, and the command need not be in it any more.
  func goOn() {
    if staysStopped { kill(pid, SIGCONT) }
  }
}
