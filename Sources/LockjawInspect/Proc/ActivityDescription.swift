import LockjawModel

/// What a thread does, in words, with the file, child or word the call is about.
struct ActivityDescription {
  /// What descriptor `n` of the process is, as the kernel names it; `nil` where it will not say.
  var descriptorTarget: (Int32) -> String?

  func sentence(_ activity: ThreadActivity, taskState: Character) -> String {
    if let stop = Self.stop(taskState) { return stop }
    switch activity.place {
    case .running: return "runs"
    case .thirtyTwoBit: return "is in a system call of a 32-bit program"
    case .stoppedOrFaulting: return taskState == "D" ? "waits for a page from disk" : "runs"
    case .systemCall(let number, let arguments):
      if let word = activity.futexWord { return Self.asleep(on: word) }
      if let count = activity.futexVectorCount, count > 1 {
        return "asleep until any of \(count) futex words is woken (futex_waitv)"
      }
      return systemCall(number, arguments)
    }
  }

  static func asleep(on word: Address) -> String { "asleep in a futex wait on \(word)" }

  /// A stopped thread sleeps in its stop, whatever call it was in before.
  static func stop(_ taskState: Character) -> String? {
    switch taskState {
    case "T": "is stopped by a signal"
    case "t": "is stopped by a tracer"
    default: nil
    }
  }

  private func systemCall(_ number: Int, _ arguments: [UInt64]) -> String {
    let name = SystemCallName.of(number) ?? "system call \(number)"
    switch name {
    case "wait4", "waitid": return waitForChild(name, arguments)
    case "flock": return "waits for a file lock: \(name) on \(descriptor(arguments[0]))"
    case "fcntl" where arguments[1] == 7 || arguments[1] == 38:  // F_SETLKW, F_OFD_SETLKW
      return "waits for a file lock: \(name) on \(descriptor(arguments[0]))"
    case "nanosleep", "clock_nanosleep": return "sleeps for a time that it has set itself (\(name))"
    case "vfork", "clone", "clone3": return "waits in \(name) for its child to run a program or end"
    case "restart_syscall": return "asleep in a call with a time limit that a stop had interrupted (restart_syscall)"
    case _ where Self.onDescriptor.contains(name): return "asleep in \(name) on \(descriptor(arguments[0]))"
    default: return "asleep in \(name)"
    }
  }

  private func descriptor(_ argument: UInt64) -> String {
    let number = Int32(truncatingIfNeeded: argument)
    return descriptorTarget(number).map { "\($0) (fd \(number))" } ?? "fd \(number)"
  }

  private func waitForChild(_ name: String, _ arguments: [UInt64]) -> String {
    let target: Int32
    if name == "waitid" {
      guard arguments[0] == 1 else { return "waits for any child (waitid)" }  // P_PID
      target = Int32(truncatingIfNeeded: arguments[1])
    } else {
      target = Int32(truncatingIfNeeded: arguments[0])
    }
    if target > 0 { return "waits for child \(target) (\(name))" }
    if target == -1 { return "waits for any child (\(name))" }
    return
      "waits for any child of \(target == 0 ? "its own process group" : "process group \(-Int64(target))") (\(name))"
  }

  /// Whether a call's first argument is a descriptor worth naming.
  static func concernsDescriptor(_ number: Int) -> Bool {
    guard let name = SystemCallName.of(number) else { return false }
    return onDescriptor.contains(name) || name == "flock" || name == "fcntl"
  }

  /// Calls that block and whose first argument is a descriptor.
  private static let onDescriptor: Set<String> = [
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "recvfrom",
    "recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg", "sendfile", "splice", "accept", "accept4", "connect",
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "ioctl", "fsync", "fdatasync", "ftruncate", "fallocate",
    "io_uring_enter", "getdents64", "close",
  ]
}
