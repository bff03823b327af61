/// `/proc/PID/stat` or `/proc/PID/task/TID/stat`, as far as it is used (proc_pid_stat(5)).
struct TaskStat: Hashable {
  var name: String
  var state: Character
  var parent: Int32
  var flags: UInt64
  /// Since the machine's boot, whatever time namespace this is read in.
  var startTicks: UInt64
  /// It runs there, or has run there last; `nil` where that is not said.
  var processor: Int32?

  /// Set in `flags` for the kernel's own threads (PF_KTHREAD, include/linux/sched.h).
  private static let kernelThreadFlag: UInt64 = 0x0020_0000
  var isKernelThread: Bool { flags & Self.kernelThreadFlag != 0 }
  /// PF_FORKNOEXEC, "Forked but didn't exec" (include/linux/sched.h): its memory began as a copy of another's.
  private static let forkedFlag: UInt64 = 0x40
  var isForkedCopy: Bool { flags & Self.forkedFlag != 0 }
  /// PF_EXITING, "Getting shut down".
  private static let exitingFlag: UInt64 = 0x4
  var isExiting: Bool { flags & Self.exitingFlag != 0 }
  /// Zombie or dead: it has neither address space nor registers.
  var hasEnded: Bool { state == "Z" || state == "X" || state == "x" }

  init(path: String) throws(Errno) {
    let content = try ProcFile.bytes(path, atMost: 1 << 16)
    guard let parsed = Self(content) else { throw Errno(number: 5) }  // EIO
    self = parsed
  }

  /// Of a process' first thread. `/proc/PID/stat` says the same, and counts the processor time of all threads for it: with
  /// ten thousand of them, milliseconds.
  init(firstOf process: Int32) throws(Errno) { try self.init(path: "/proc/\(process)/task/\(process)/stat") }

  /// A name may hold spaces and parentheses: it ends at the last `)`.
  init?(_ content: [UInt8]) {
    guard let open = content.firstIndex(of: 0x28), let close = content.lastIndex(of: 0x29), open < close else {
      return nil
    }
    let fields = content[(close + 1)...].split(whereSeparator: { $0 == 0x20 || $0 == 0x0A })
    // fields[0] is field 3 of the manual page.
    guard fields.count > 19, let letter = fields[0].first,
      let parent = Int32(String(decoding: fields[1], as: UTF8.self)),
      let flags = UInt64(String(decoding: fields[6], as: UTF8.self)),
      let start = UInt64(String(decoding: fields[19], as: UTF8.self))
    else { return nil }
    name = String(decoding: content[(open + 1)..<close], as: UTF8.self)
    state = Character(UnicodeScalar(letter))
    self.parent = parent
    self.flags = flags
    startTicks = TimeNamespace.own.machineTicks(start)
    // Field 39.
    processor = fields.count > 36 ? Int32(String(decoding: fields[36], as: UTF8.self)) : nil
  }
}
