/// Why a process could not be looked at. Every case's `description` is a sentence that says what to do.
package enum InspectError: Error, Hashable, Sendable, CustomStringConvertible {
  case noSuchProcess(pid: Int32)
  /// It has ended and waits for its parent to collect its status.
  case zombie(pid: Int32)
  case kernelThread(pid: Int32)
  /// The process that asks is the process that is asked for.
  case ownProcess(pid: Int32)
  case tracedByAnother(pid: Int32, tracer: Int32, tracerName: String)
  /// `remedy` names the exact right that is missing.
  case notPermitted(pid: Int32, remedy: String)
  case thirtyTwoBit(pid: Int32)
  /// Not one of its threads stopped in time.
  case notStopped(pid: Int32)
  /// The pid belongs to another process by now.
  case replaced(pid: Int32)
  case notAnELFFile(path: String, reason: String)
  case notACore(path: String, reason: String)
  /// A compressed file or section.
  case notUnpacked(path: String, reason: String)
  case system(call: String, subject: String, errno: Int32)

  /// Stable word for machines.
  package var code: String {
    switch self {
    case .noSuchProcess: "no-such-process"
    case .zombie: "zombie"
    case .kernelThread: "kernel-thread"
    case .ownProcess: "own-process"
    case .tracedByAnother: "traced-by-another"
    case .notPermitted: "not-permitted"
    case .thirtyTwoBit: "32-bit"
    case .notStopped: "not-stopped"
    case .replaced: "replaced"
    case .notAnELFFile: "not-elf"
    case .notACore: "not-core"
    case .notUnpacked: "not-unpacked"
    case .system: "system"
    }
  }

  package var description: String {
    switch self {
    case .noSuchProcess(let pid):
      "There is no process \(pid): it has ended, or it lives in another pid namespace."
    case .zombie(let pid):
      "Process \(pid) has ended and is only waiting for its parent to collect its status; nothing is left to inspect."
    case .kernelThread(let pid):
      "\(pid) is a thread of the kernel, not a program; its stack is in /proc/\(pid)/stack (root only)."
    case .ownProcess(let pid):
      "\(pid) is this process; it cannot stop itself to be inspected. Run lockjaw as a process of its own."
    case .tracedByAnother(let pid, let tracer, let name):
      "Process \(pid) is being traced by \(name) (pid \(tracer)), and the kernel allows one tracer. Detach that one first."
    case .notPermitted(let pid, let remedy):
      "The kernel does not let this user inspect process \(pid): \(remedy)"
    case .thirtyTwoBit(let pid):
      "Process \(pid) is a 32-bit program; lockjaw reads 64-bit x86 programs only."
    case .notStopped(let pid):
      "No thread of process \(pid) could be stopped in time, as happens while a program is being executed or waits in vfork, "
        + "or on a machine without time to spare; nothing was written. Try again."
    case .replaced(let pid):
      "Process \(pid) has ended, and its number now belongs to another one."
    case .notAnELFFile(let path, let reason):
      "\(path) is not an ELF file lockjaw can read: \(reason)."
    case .notACore(let path, let reason):
      "\(path) is not a core lockjaw can read: \(reason)."
    case .notUnpacked(let path, let reason):
      "\(path) could not be unpacked: \(reason)."
    case .system(let call, let subject, let errno):
      "\(call) failed for \(subject): \(systemErrorText(errno))."
    }
  }
}
