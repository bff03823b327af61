import Glibc
import LockjawModel

/// A process that runs, seen through `/proc`, without stopping it.
///
/// The value only holds the identity; every question is answered by the kernel when it is asked, and `isAlive` tells
/// whether the pid still is the process it was.
package struct LiveProcess: Hashable, Sendable {
  package let identity: ProcessIdentity
  package var pid: Int32 { identity.pid }
  var directory: String { "/proc/\(pid)" }

  /// - Parameter pid: of the process, or of any of its threads.
  /// - Throws: `noSuchProcess`; `zombie` where not a single thread is left.
  package init(pid: Int32) throws(InspectError) {
    guard pid > 0, let status = StatusFile(pid: pid) else { throw .noSuchProcess(pid: pid) }
    let leader = status.threadGroup ?? pid
    guard let stat = try? TaskStat(firstOf: leader) else { throw .noSuchProcess(pid: pid) }
    identity = ProcessIdentity(pid: leader, startTicks: stat.startTicks)
    // A main thread that called pthread_exit is a zombie while the others go on.
    if stat.hasEnded, firstLiveTask == nil { throw .zombie(pid: leader) }
  }

  /// Same pid and same start time as when this value was made, and at least one thread that has not ended.
  package var isAlive: Bool {
    guard let stat, stat.startTicks == identity.startTicks else { return false }
    return !stat.hasEnded || firstLiveTask != nil
  }

  /// Where the kernel says the executable is, "" where it will not say. " (deleted)" is kept at its end.
  package var executablePath: String { (try? ProcFile.link("\(liveDirectory)/exe")) ?? "" }

  /// Arguments, one element each; empty for a kernel thread or where the process overwrote them.
  package var commandLine: [String] {
    guard var content = try? ProcFile.bytes("\(directory)/cmdline", atMost: 4 << 20), !content.isEmpty else {
      return []
    }
    if content.last == 0 { content.removeLast() }
    return content.split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Effective user.
  package var userID: UInt32? { StatusFile(pid: pid)?.effectiveUser }

  package var parentPID: Int32? { stat?.parent }

  /// Whether the kernel runs this as a thread of its own.
  package var isKernelThread: Bool { stat?.isKernelThread ?? false }

  /// Alive, and not about to end as a whole. The threads of a process that is killed end one after another, the first one
  /// last where it is the first of a pid namespace: what is missing then says nothing of a process that runs.
  ///
  /// Whatever ends a process gives SIGKILL to each of its threads (kernel/signal.c, complete_signal and zap_other_threads):
  /// it is pending until the thread takes it, and then the thread is exiting.
  package var goesOn: Bool {
    guard isAlive, let task = firstLiveTask, let stat = try? TaskStat(path: "\(directory)/task/\(task)/stat"),
      !stat.isExiting, !stat.hasEnded, let status = try? ProcFile.text("\(directory)/task/\(task)/status"),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("SigPnd:") }),
      let pending = line.split(separator: "\t").last.flatMap({ UInt64($0, radix: 16) })
    else { return false }
    return pending & 1 << UInt64(SIGKILL - 1) == 0
  }

  /// It was forked and has executed nothing since: what its memory held at the fork was another process'.
  package var isForkedCopy: Bool { stat?.isForkedCopy ?? false }

  /// Wall-clock start in seconds since 1970; as exact as the kernel's ticks (10 ms) and the machine's clock.
  package var startedAtUnixSeconds: Double? {
    guard let system = try? ProcFile.text("/proc/stat") else { return nil }
    let line = system.split(separator: "\n").first { $0.hasPrefix("btime ") }
    let ticksPerSecond = sysconf(Int32(_SC_CLK_TCK))
    guard let boot = line.flatMap({ Double($0.dropFirst(6)) }), ticksPerSecond > 0 else { return nil }
    // The time of boot is as far back as this namespace's clock is ahead.
    let shift = Double(TimeNamespace.own.bootNanoseconds) / 1e9
    return boot + shift + Double(identity.startTicks) / Double(ticksPerSecond)
  }

  /// Just the numbers: one directory read. Includes threads that have ended but are still listed.
  package var threadIDs: [ThreadID] {
    ((try? ProcFile.numbers(in: "\(directory)/task")) ?? []).map { ThreadID($0) }
  }

  /// In the order of the kernel's list; threads that end meanwhile are left out.
  package var threads: [LiveThread] {
    threadIDs.compactMap { thread($0) }
  }

  /// `nil` where the process has no such thread.
  package func thread(_ tid: ThreadID) -> LiveThread? {
    guard let stat = try? TaskStat(path: "\(directory)/task/\(tid)/stat") else { return nil }
    return LiveThread(tid: tid, name: stat.name, state: stat.state, startTicks: stat.startTicks)
  }

  /// A thread whose task still has an address space, the main one where it can be.
  var firstLiveTask: Int32? {
    if let stat, !stat.hasEnded { return pid }
    return threadIDs.first { tid in thread(tid).map { !$0.hasEnded } ?? false }?.rawValue
  }

  /// Where files, root and executable can be asked for: a zombie main thread has none of them any more.
  var liveDirectory: String {
    guard let task = firstLiveTask, task != pid else { return directory }
    return "\(directory)/task/\(task)"
  }

  private var stat: TaskStat? { try? TaskStat(firstOf: pid) }
}
