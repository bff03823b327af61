import Foundation

/// The threads of a process as /proc shows them; the tests' own eyes, independent of lockjaw's.
struct ProcessThreads {
  var pid: pid_t

  struct Entry {
    var tid: pid_t
    /// As samples call it: the first thread is "main".
    var name: String
    /// Asleep in a futex system call that has no time limit. One with a limit may be any of a thousand short attempts.
    var isInFutexWait: Bool
  }

  func list() -> [Entry] {
    let tasks = "/proc/\(pid)/task"
    return ((try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []).compactMap { directory in
      guard let tid = pid_t(directory), let comm = read("\(tasks)/\(directory)/comm") else { return nil }
      // The call's number, then its six arguments; the fourth is the time limit's address.
      let call = read("\(tasks)/\(directory)/syscall")?.split(separator: " ") ?? []
      let waits = call.count > 4 && call[0] == "\(futexSystemCall)" && call[4] == "0x0"
      return Entry(tid: tid, name: tid == pid ? "main" : comm, isInFutexWait: waits)
    }
  }

  /// Whether each of `names` is a thread, and asleep in a futex wait without a time limit.
  func areAllInFutexWait(_ names: Set<String>) -> Bool {
    names.isSubset(of: Set(list().lazy.filter(\.isInFutexWait).map(\.name)))
  }

  /// Whether every thread sleeps in some system call.
  func areAllAsleep() -> Bool {
    let tasks = "/proc/\(pid)/task"
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
    return !threads.isEmpty && threads.allSatisfy { read("\(tasks)/\($0)/syscall")?.first?.isNumber ?? false }
  }

  private func read(_ path: String) -> String? {
    (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .newlines)
  }
}

/// futex(2) on x86-64; Glibc gives the number as a macro that is not imported.
private let futexSystemCall = 202
