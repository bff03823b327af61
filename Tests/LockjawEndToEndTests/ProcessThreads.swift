import Foundation

/// The threads of a process as /proc shows them; the tests' own eyes, independent of lockjaw's.
struct ProcessThreads {
  var pid: pid_t

  struct Entry {
    var tid: pid_t
    /// As samples call it: the first thread is "main".
    var name: String
    /// Asleep in a futex system call.
    var isInFutexWait: Bool
  }

  func list() -> [Entry] {
    let tasks = "/proc/\(pid)/task"
    return ((try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []).compactMap { directory in
      guard let tid = pid_t(directory), let comm = read("\(tasks)/\(directory)/comm") else { return nil }
      let call = read("\(tasks)/\(directory)/syscall")?.split(separator: " ").first
      return Entry(tid: tid, name: tid == pid ? "main" : comm, isInFutexWait: call == "\(futexSystemCall)")
    }
  }

  /// Whether each of `names` is a thread, and asleep in a futex wait.
  func areAllInFutexWait(_ names: Set<String>) -> Bool {
    names.isSubset(of: Set(list().lazy.filter(\.isInFutexWait).map(\.name)))
  }

  private func read(_ path: String) -> String? {
    (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .newlines)
  }
}

/// futex(2) on x86-64; Glibc gives the number as a macro that is not imported.
private let futexSystemCall = 202
