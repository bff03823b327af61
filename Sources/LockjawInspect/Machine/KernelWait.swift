import CLockjawNative
import LockjawModel

/// What a thread sleeps for in the kernel that another process can end, other than a futex.
package enum KernelWait: Hashable, Sendable {
  /// A lock on the file that descriptor `target` is.
  case fileLock(FileLock, target: String)
  /// Data in a pipe or FIFO (`awaitsWriter`), or room in it.
  case pipe(target: String, awaitsWriter: Bool)
  /// The other end of a connected unix socket.
  case socket(inode: UInt64)
  /// The end of this child.
  case child(pid: Int32)
  /// The end of any child of this process.
  case anyChild(of: Int32)
}

extension LiveProcess {
  /// What this thread sleeps for; `nil` where it does not sleep, or sleeps for something else. That a socket has a time
  /// limit is not minded here: see `hasSocketTimeLimit`.
  ///
  /// - Parameter locks: of the machine, read after the thread fell asleep.
  package func kernelWait(of thread: ThreadID, locks: () -> [FileLock]) -> KernelWait? {
    guard let activity = threadActivity(of: thread), case .systemCall(let number, let arguments) = activity.place,
      let name = SystemCallName.of(number)
    else { return nil }
    switch name {
    case "flock": return fileLock(arguments[0], .flock, locks)
    case "fcntl":
      switch arguments[1] {
      case 7: return fileLock(arguments[0], .process, locks)  // F_SETLKW
      case 38: return fileLock(arguments[0], .openFile, locks)  // F_OFD_SETLKW
      default: return nil
      }
    case "read", "readv", "recvfrom", "recvmsg": return transfer(arguments[0], awaitsWriter: true)
    case "write", "writev", "sendto", "sendmsg": return transfer(arguments[0], awaitsWriter: false)
    case "wait4": return child(Int32(truncatingIfNeeded: arguments[0]))
    // P_PID is 1, P_ALL 0; a group or a pidfd is left alone.
    case "waitid" where arguments[0] == 1: return child(Int32(truncatingIfNeeded: arguments[1]))
    case "waitid" where arguments[0] == 0: return child(-1)
    default: return nil
    }
  }

  private func fileLock(_ argument: UInt64, _ family: FileLock.Family, _ locks: () -> [FileLock]) -> KernelWait? {
    guard let target = descriptorTarget(argument), target.hasPrefix("/") else { return nil }
    return FileLock.request(of: pid, family, inode: fileInode(argument), among: locks()).map {
      .fileLock($0, target: target)
    }
  }

  /// Whether the sleep of a thread in a read or write of a socket ends after a time (SO_RCVTIMEO, SO_SNDTIMEO; socket(7)),
  /// which its call's arguments do not show; `nil` where it is in no such call, or nobody says.
  package func hasSocketTimeLimit(_ thread: ThreadID) -> Bool? {
    guard let activity = threadActivity(of: thread), case .systemCall(let number, let arguments) = activity.place,
      let name = SystemCallName.of(number), case .socket? = transfer(arguments[0], awaitsWriter: true)
    else { return nil }
    let isWriting = ["write", "writev", "sendto", "sendmsg"].contains(name)
    let answer = lj_socket_has_time_limit(pid, Int32(truncatingIfNeeded: arguments[0]), isWriting)
    return answer < 0 ? nil : answer > 0
  }

  private func transfer(_ argument: UInt64, awaitsWriter: Bool) -> KernelWait? {
    guard let target = descriptorTarget(argument) else { return nil }
    if target.hasPrefix("pipe:[") || isFIFO(argument, target) {
      return .pipe(target: target, awaitsWriter: awaitsWriter)
    }
    guard target.hasPrefix("socket:["), let inode = UInt64(target.dropFirst(8).dropLast()) else { return nil }
    return .socket(inode: inode)
  }

  private func child(_ pid: Int32) -> KernelWait? {
    if pid > 0 { return .child(pid: pid) }
    return pid == -1 ? .anyChild(of: self.pid) : nil
  }

  private func descriptorTarget(_ argument: UInt64) -> String? {
    try? ProcFile.link("\(liveDirectory)/fd/\(Int32(truncatingIfNeeded: argument))")
  }

  /// `ino:` in `fdinfo`, since Linux 5.14; `nil` before.
  private func fileInode(_ argument: UInt64) -> UInt64? {
    let text = try? ProcFile.text("\(liveDirectory)/fdinfo/\(Int32(truncatingIfNeeded: argument))")
    return text?.split(separator: "\n").first { $0.hasPrefix("ino:") }
      .flatMap { UInt64($0.dropFirst(4).drop { $0 == "\t" || $0 == " " }) }
  }

  private func isFIFO(_ argument: UInt64, _ target: String) -> Bool {
    guard target.hasPrefix("/") else { return false }
    return FileKind.isFIFO("\(liveDirectory)/fd/\(Int32(truncatingIfNeeded: argument))")
  }
}
