import LockjawModel

/// Who a process is, apart from its threads and memory: what a report's head shows.
package struct ProcessOutline: Hashable, Sendable {
  package var identity: ProcessIdentity
  /// 0 where it is not known.
  package var parent: Int32 = 0
  package var userID: UInt32 = 0
  /// At most 15 bytes.
  package var name = ""
  /// Path, "" where it is not known.
  package var executable = ""
  /// Arguments joined by spaces; of a kernel core the first 79 bytes.
  package var command = ""
  package var startedUnixSeconds: Double?
  /// Stopped by a signal as a whole, before anybody looked.
  package var isStopped = false

  package init(pid: Int32, startTicks: UInt64 = 0) {
    identity = ProcessIdentity(pid: pid, startTicks: startTicks)
  }
}

extension LiveProcess {
  /// As far as the kernel tells this user.
  package var outline: ProcessOutline {
    var outline = ProcessOutline(pid: pid, startTicks: identity.startTicks)
    outline.parent = parentPID ?? 0
    outline.userID = userID ?? 0
    outline.name = (try? ProcFile.text("\(directory)/comm")) ?? ""
    outline.executable = executablePath
    // Servers write a title over their arguments and pad what is left of them with zeroes or blanks.
    outline.command = commandLine.joined(separator: " ")
    while let last = outline.command.unicodeScalars.last, last.value <= 32 {
      outline.command.unicodeScalars.removeLast()
    }
    outline.startedUnixSeconds = startedAtUnixSeconds
    return outline
  }
}
