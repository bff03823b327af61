import Glibc

/// Which right is missing when the kernel refuses to show another process (ptrace(2), "Ptrace access mode checking").
enum AccessRights {
  /// A sentence for the person who was refused; the most likely cause first, as far as it can be seen from outside.
  static func remedy(pid: Int32) -> String {
    if let owner = effectiveUser(pid: pid), owner != geteuid() {
      return
        "it runs as user id \(owner) and lockjaw as \(geteuid()). Run lockjaw as that user, or as root (CAP_SYS_PTRACE)."
    }
    // Yama (Documentation/admin-guide/LSM/Yama.rst) applies to the same user as well.
    switch yamaScope {
    case 1:
      return
        "kernel.yama.ptrace_scope is 1, so only a process' ancestors may look into it. Start the program with "
        + "`lockjaw run`, or run lockjaw as root (CAP_SYS_PTRACE), or set `sysctl kernel.yama.ptrace_scope=0`."
    case 2:
      return "kernel.yama.ptrace_scope is 2, so CAP_SYS_PTRACE is needed. Run lockjaw as root."
    case 3:
      return
        "kernel.yama.ptrace_scope is 3, so nobody may, until the machine starts again with another setting. "
        + "A preloaded program can still be diagnosed from its arena."
    default:
      return
        "it runs as the same user, so it has either made itself undumpable (set-user-id, file capabilities or "
        + "prctl PR_SET_DUMPABLE) or a container's seccomp profile forbids ptrace. Run lockjaw as root with "
        + "CAP_SYS_PTRACE in the program's own pid namespace."
    }
  }

  /// The files of `/proc` answer with either, at opening or at reading.
  static func isRefusal(_ error: Errno) -> Bool { error.number == EPERM || error.number == EACCES }

  private static func effectiveUser(pid: Int32) -> UInt32? {
    StatusFile(pid: pid)?.effectiveUser
  }

  private static var yamaScope: Int? {
    (try? ProcFile.text("/proc/sys/kernel/yama/ptrace_scope")).flatMap { Int($0) }
  }
}

/// `/proc/PID/status`, as far as it is used (proc_pid_status(5)). Anyone may read it, unlike what is behind ptrace's
/// checks.
struct StatusFile {
  var threadGroup: Int32?
  var tracer: Int32?
  var effectiveUser: UInt32?

  init?(pid: Int32) {
    guard let text = try? ProcFile.text("/proc/\(pid)/status") else { return nil }
    for line in text.split(separator: "\n") {
      let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
      guard fields.count > 1 else { continue }
      switch fields[0] {
      case "Tgid:": threadGroup = Int32(fields[1])
      case "TracerPid:": tracer = Int32(fields[1])
      // Real, effective, saved, file system.
      case "Uid:": effectiveUser = fields.count > 2 ? UInt32(fields[2]) : nil
      default: break
      }
    }
  }
}
