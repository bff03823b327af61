import Foundation

/// The threads of a process as /proc shows them; the tests' own eyes, independent of lockjaw's.
struct ProcessThreads {
  var pid: pid_t
  /// Samples of several processes call each first thread by its name.
  var isOneOfSeveral = false

  struct Entry {
    var pid: pid_t
    var tid: pid_t
    /// As samples call it: the first thread is "main".
    var name: String
    /// Asleep in a futex system call that has no time limit. One with a limit may be any of a thousand short attempts.
    var isInFutexWait: Bool
    /// The same with a limit; or in the `restart_syscall` that a stop has made of it.
    var isInTimedWait: Bool
    /// Asleep in a call that only another process can end: read, wait4, fcntl, flock.
    var isInKernelWait: Bool
    /// Asleep in whatever call.
    var isAsleep: Bool
  }

  func list() -> [Entry] {
    let tasks = "/proc/\(pid)/task"
    return ((try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []).compactMap { directory in
      guard let tid = pid_t(directory), let comm = read("\(tasks)/\(directory)/comm") else { return nil }
      // The call's number, then its six arguments; the fourth is the time limit's address.
      let call = read("\(tasks)/\(directory)/syscall")?.split(separator: " ") ?? []
      let isFutex = call.count > 4 && call[0] == "\(futexSystemCall)"
      let waits = isFutex && call[4] == "0x0"
      return Entry(
        pid: pid, tid: tid, name: tid == pid && !isOneOfSeveral ? "main" : comm, isInFutexWait: waits,
        isInTimedWait: (isFutex && !waits) || call.first == "\(restartSystemCall)",
        isInKernelWait: call.first.map { ["0", "61", "72", "73"].contains($0) } ?? false,
        isAsleep: call.count > 1)
    }
  }

  /// Whether each of `names` is a thread, and asleep in a futex wait without a time limit.
  /// - Parameter orTimed: with one as well, of a library that renews its sleeps.
  func areAllInFutexWait(_ names: Set<String>, orTimed: Bool = false) -> Bool {
    names.isSubset(of: Set(list().lazy.filter { $0.isInFutexWait || (orTimed && $0.isInTimedWait) }.map(\.name)))
  }

  /// How often each thread has left its processor, by itself and otherwise. A thread that sleeps on and is let alone counts
  /// nothing; one that was stopped and let go has counted.
  func contextSwitches() -> [String] {
    let tasks = "/proc/\(pid)/task"
    return ((try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []).sorted().flatMap { task in
      (read("\(tasks)/\(task)/status") ?? "").split(separator: "\n").filter { $0.contains("ctxt_switches") }
        .map { "\(task) \($0)" }
    }
  }

  /// How long the threads that are there were ready to run and had no processor (proc(5), schedstat).
  func timeWithoutProcessor() -> Duration {
    let tasks = "/proc/\(pid)/task"
    let waits = ((try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []).map { task in
      read("\(tasks)/\(task)/schedstat")?.split(separator: " ").dropFirst().first.flatMap { Int64($0) } ?? 0
    }
    return .nanoseconds(waits.reduce(0, +))
  }

  /// The children of a process' first thread, in the order of their birth.
  static func children(of pid: pid_t) -> [pid_t] {
    let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
    return text?.split(separator: " ").compactMap { pid_t($0) } ?? []
  }

  /// Whether a signal has stopped the process' first thread.
  static func isStopped(_ pid: pid_t) -> Bool {
    let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    return text?.contains("State:\tT (stopped)") ?? false
  }

  /// The threads of the process and of its children.
  func listWithChildren() -> [Entry] {
    ([pid] + Self.children(of: pid)).flatMap { ProcessThreads(pid: $0, isOneOfSeveral: true).list() }
  }

  /// Whether every thread sleeps in some system call.
  func areAllAsleep() -> Bool {
    let tasks = "/proc/\(pid)/task"
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
    return !threads.isEmpty && threads.allSatisfy { read("\(tasks)/\($0)/syscall")?.first?.isNumber ?? false }
  }

  /// The first child of `parent`, once `names` sleep in it for good. `nil` where the parent ended, or not in time.
  static func stuckChild(of parent: ChildProcess, _ names: Set<String>) async throws -> pid_t? {
    let child = try await firstValue(within: .seconds(10)) { () -> pid_t? in
      if parent.poll() != nil { return -1 }
      guard let pid = children(of: parent.pid).first else { return nil }
      return ProcessThreads(pid: pid).areAllInFutexWait(names) ? pid : nil
    }
    return child.flatMap { $0 > 0 ? $0 : nil }
  }

  private func read(_ path: String) -> String? {
    (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .newlines)
  }
}

/// futex(2) on x86-64; Glibc gives the number as a macro that is not imported.
private let futexSystemCall = 202
/// restart_syscall(2), likewise.
private let restartSystemCall = 219
