import LockjawModel

/// That a thread has not run between two looks: how often it had left a processor, and the call it was in.
///
/// Equal values mean the same sleep, from before the first look until after the second: a thread cannot begin another
/// wait without running. So what is read between two equal looks at several processes is true of one moment, though
/// nothing was stopped.
package struct Stillness: Hashable, Sendable {
  fileprivate let switches: UInt64
  fileprivate let call: [UInt8]
}

extension LiveProcess {
  /// `nil` where the thread does not sleep in a system call, or the kernel will not say.
  package func stillness(of thread: ThreadID) -> Stillness? {
    let task = "\(directory)/task/\(thread)"
    guard let call = try? ProcFile.bytes("\(task)/syscall", atMost: 4096), let first = call.first,
      (0x30...0x39).contains(first), let status = try? ProcFile.text("\(task)/status")
    else { return nil }
    // `voluntary_ctxt_switches:	150` and `nonvoluntary_ctxt_switches:	3` (proc_pid_status(5)).
    var switches: UInt64 = 0
    var seen = 0
    for line in status.split(separator: "\n")
    where line.hasPrefix("voluntary_ctxt") || line.hasPrefix("nonvoluntary_ctxt") {
      guard let count = line.split(separator: "\t").last.flatMap({ UInt64($0) }) else { return nil }
      switches &+= count
      seen += 1
    }
    return seen == 2 ? Stillness(switches: switches, call: call) : nil
  }
}
