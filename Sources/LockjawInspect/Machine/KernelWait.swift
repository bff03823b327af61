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
  /// What this thread sleeps for; `nil` where it does not sleep, sleeps for something else, or for a limited time.
  ///
  /// - Parameter locks: of the machine, read after the thread fell asleep.
  package func kernelWait(of thread: ThreadID, locks: () -> [FileLock]) -> KernelWait? {
    guard let activity = threadActivity(of: thread), case .systemCall(let number, let arguments) = activity.place,
      let name = SystemCallName.of(number)
    else { return nil }
    switch name {
    case "flock": return fileLock(arguments[0], families: [.flock], locks)
    case "fcntl":
      switch arguments[1] {
      case 7: return fileLock(arguments[0], families: [.process], locks)  // F_SETLKW
      case 38: return fileLock(arguments[0], families: [.openFile], locks)  // F_OFD_SETLKW
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

  private func fileLock(_ argument: UInt64, families: Set<FileLock.Family>, _ locks: () -> [FileLock]) -> KernelWait? {
    guard let target = descriptorTarget(argument), target.hasPrefix("/") else { return nil }
    let waiting = locks().filter { lock in
      lock.isWaiting && families.contains(lock.family) && (lock.pid == pid || lock.pid == nil)
    }
    // The file's number is in the kernel's list as the file system has it, which need not be what stat says: where
    // the process waits for one file only there is nothing to tell apart.
    let inode = fileInode(argument)
    let own = waiting.filter { $0.inode == inode }
    guard let request = own.first ?? (waiting.count == 1 ? waiting.first : nil) else { return nil }
    return .fileLock(request, target: target)
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
