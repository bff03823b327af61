import LockjawModel

/// The numbers that a process' threads have in its own pid namespace (pid_namespaces(7)): lock words and arenas have
/// those, while `/proc` and ptrace have this process'.
struct PidNamespace {
  private let directory: String
  /// The namespace is another than ours; where the kernel will not say, it is taken for ours.
  let isForeign: Bool

  init(_ process: LiveProcess) {
    directory = process.directory
    let theirs = try? ProcFile.link("\(process.liveDirectory)/ns/pid")
    let ours = try? ProcFile.link("/proc/self/ns/pid")
    isForeign = theirs != nil && ours != nil && theirs != ours
  }

  /// The thread's number in there; our own number for it where that is not known.
  func inner(_ tid: Int32) -> ThreadID {
    guard isForeign, let text = try? ProcFile.text("\(directory)/task/\(tid)/status") else { return ThreadID(tid) }
    return ThreadID(Self.innermost(text) ?? tid)
  }

  /// `NSpid:	4711	12	1`: from the outermost namespace that sees it to its own.
  static func innermost(_ status: String) -> Int32? {
    status.split(separator: "\n").first { $0.hasPrefix("NSpid:") }
      .flatMap { $0.split(whereSeparator: { $0 == "\t" || $0 == " " }).last }.flatMap { Int32($0) }
  }
}
