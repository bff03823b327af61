import LockjawModel

/// That a thread has not run between two looks: how often it had left a processor, and the call it was in.
///
/// Equal values mean the same sleep, from before the first look until after the second: a thread cannot begin another
/// wait without running. So what is read between two equal looks at several processes is true of one moment, though
/// nothing was stopped.
package struct Stillness: Hashable, Sendable {
  fileprivate let switches: UInt64
  fileprivate let call: [UInt8]

  /// The same call with the same arguments, from the same place in the code: after a stop by us, a sleep that went on.
  package func isInCall(of other: Stillness) -> Bool { call == other.call }
}

extension LiveProcess {
  /// The same of a thread of any process.
  package static func stillness(of thread: ThreadID) -> Stillness? { stillness(task: "/proc/\(thread)") }

  /// `nil` where the thread does not sleep in a system call, or the kernel will not say.
  package func stillness(of thread: ThreadID) -> Stillness? {
    Self.stillness(task: "\(directory)/task/\(thread)")
  }

  private static func stillness(task: String) -> Stillness? {
    guard let call = try? ProcFile.bytes("\(task)/syscall", atMost: 4096), let first = call.first,
      (0x30...0x39).contains(first), let status = try? ProcFile.text("\(task)/status")
    else { return nil }
    // `voluntary_ctxt_switches:	150` and `nonvoluntary_ctxt_switches:	3` (proc_pid_status(5)).
    var switches: UInt64 = 0
    var seen = 0
    for line in status.split(separator: "\n")
    where line.hasPrefix("voluntary_ctxt") || line.hasPrefix("nonvoluntary_ctxt") {
      guard let count = line.split(separator: "\t").last.flatMap({ UInt64($0) }) else { return nil }
      switches &+= count
      seen += 1
    }
    return seen == 2 ? Stillness(switches: switches, call: call) : nil
  }
}

/// A thread asleep in a system call, as the kernel shows it from outside.
package struct Sleeper: Hashable, Sendable {
  /// Equal for the same sleep only.
  package var stillness: Stillness
  /// The call's arguments, its stack pointer and its place in the code: equal for a call that is made again from there. A stop
  /// by us leaves them as they are.
  package var place: String
  /// Or in what a stop has made of one: a wait with a time limit goes on as `restart_syscall`, as do other calls.
  package var isInFutexWait: Bool
  package init(stillness: Stillness, place: String, isInFutexWait: Bool) {
    self.stillness = stillness
    self.place = place
    self.isInFutexWait = isInFutexWait
  }
}

extension LiveProcess {
  /// A cheap look at who sleeps: two small files a thread, and nobody is stopped.
  /// - Parameter limit: threads asked.
  /// - Returns: by the thread's number here; and whether every thread sleeps in a futex wait, and all were asked.
  package func sleepers(limit: Int) -> (sleepers: [ThreadID: Sleeper], allInFutexWaits: Bool) {
    let threads = threadIDs
    var sleepers: [ThreadID: Sleeper] = [:]
    for thread in threads.prefix(limit) {
      guard let stillness = stillness(of: thread) else { continue }
      let fields = String(decoding: stillness.call, as: UTF8.self).split(separator: " ", maxSplits: 1)
      guard let number = fields.first.flatMap({ Int($0) }), fields.count == 2 else { continue }
      sleepers[thread] = Sleeper(
        stillness: stillness, place: String(fields[1]),
        isInFutexWait: ThreadActivity.isFutexCall(number) || number == ThreadActivity.restart)
    }
    let allInFutexWaits =
      !threads.isEmpty && sleepers.count == threads.count && sleepers.values.allSatisfy(\.isInFutexWait)
    return (sleepers, allInFutexWaits)
  }
}

extension Stillness {
  /// For tests: the `switches`-th sleep in this call.
  package init(switches: UInt64, call: String) { self.init(switches: switches, call: Array(call.utf8)) }
}
