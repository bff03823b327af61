import LockjawModel

/// A thread asleep in a call that another process can end, and the proof that it is the same sleep as before.
package struct KernelSleeper: Hashable, Sendable {
  package var thread: ThreadID
  package var stillness: Stillness
  package init(thread: ThreadID, stillness: Stillness) {
    self.thread = thread
    self.stillness = stillness
  }
}

extension LiveProcess {
  /// Threads asleep on file locks, for children, or in reads and writes, whatever those are of; a cheap look.
  /// - Parameter limit: threads asked.
  package func kernelSleepers(limit: Int) -> Set<KernelSleeper> {
    var sleepers: Set<KernelSleeper> = []
    for thread in threadIDs.prefix(limit) {
      guard case .systemCall(_, let name?) = kernelState(of: thread), Self.endedByOthers.contains(name),
        let stillness = stillness(of: thread)
      else { continue }
      sleepers.insert(KernelSleeper(thread: thread, stillness: stillness))
    }
    return sleepers
  }

  /// Some thread sleeps in a call that writes, into something that is full.
  var hasBlockedWriter: Bool {
    threadIDs.prefix(4096).contains { thread in
      guard case .systemCall(_, let name?) = kernelState(of: thread) else { return false }
      return Self.writing.contains(name)
    }
  }

  private static let writing: Set<String> = ["write", "writev", "sendto", "sendmsg", "sendfile", "splice"]

  /// Whether `kernelWait` may have an answer for a thread in this call.
  package static func isEndedByOthers(call number: Int) -> Bool {
    SystemCallName.of(number).map(endedByOthers.contains) ?? false
  }

  /// The calls that `kernelWait` knows.
  private static let endedByOthers: Set<String> = [
    "flock", "fcntl", "read", "readv", "recvfrom", "recvmsg", "write", "writev", "sendto", "sendmsg", "wait4", "waitid",
  ]
}
