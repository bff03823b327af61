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
    if let theirs, let ours {
      isForeign = theirs != ours
    } else {
      // Another user's process hides its namespaces, but not that it has a number in one below ours.
      isForeign = (try? ProcFile.text("\(directory)/status")).map { Self.numbers($0).count > 1 } ?? false
    }
  }

  /// The thread's number in there; our own number for it where that is not known.
  func inner(_ tid: Int32) -> ThreadID { innerIfListed(tid) ?? ThreadID(tid) }

  /// The thread's number in there; `nil` where the process has no thread of this number of ours any more.
  func innerIfListed(_ tid: Int32) -> ThreadID? {
    guard isForeign else { return ThreadID(tid) }
    return (try? ProcFile.text("\(directory)/task/\(tid)/status")).flatMap(Self.innermost).map { ThreadID($0) }
  }

  static func innermost(_ status: String) -> Int32? { numbers(status).last }

  /// `NSpid:	4711	12	1`: from the outermost namespace that sees it to its own.
  private static func numbers(_ status: String) -> [Int32] {
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("NSpid:") }) else { return [] }
    return line.dropFirst(6).split(whereSeparator: { $0 == "\t" || $0 == " " }).compactMap { Int32($0) }
  }
}

extension LiveProcess {
  /// Its number in its own pid namespace: what it calls itself.
  package var ownNumber: Int32 {
    guard let status = try? ProcFile.text("\(directory)/status") else { return pid }
    return PidNamespace.innermost(status) ?? pid
  }

  /// Processes of other pid namespaces, as far as `/proc` shows them, each with the number it calls itself.
  ///
  /// Reads a file of every process there is.
  package static func inOtherPidNamespaces() -> [(process: LiveProcess, ownNumber: Int32)] {
    ((try? ProcFile.numbers(in: "/proc")) ?? []).compactMap { pid in
      guard let process = try? LiveProcess(pid: pid), process.isInOtherPidNamespace else { return nil }
      return (process, process.ownNumber)
    }
  }
}
