import Glibc
import LockjawModel

extension LiveProcess {
  /// Watches one thread for a moment. Costs that moment; nothing is stopped.
  ///
  /// From `/proc/PID/task/TID/schedstat` (time run, time spent waiting to run; Documentation/scheduler/sched-stats.rst),
  /// `/proc/pressure/cpu` (Documentation/accounting/psi.rst) and the control group's `cpu.stat`.
  /// - Returns: `nil` where the kernel keeps no such books, or the thread has ended.
  package func processorUse(of thread: ThreadID, milliseconds: UInt32 = 50) -> ProcessorUse? {
    let group = ControlGroup(of: self)
    let begin = monotonicNanoseconds()
    guard let before = SchedulerBooks(of: thread, self), let stateBefore = self.thread(thread)?.state else {
      return nil
    }
    let throttledBefore = group?.throttledNanoseconds
    usleep(milliseconds * 1000)
    guard let after = SchedulerBooks(of: thread, self), let stateAfter = self.thread(thread)?.state else { return nil }
    let throttledAfter = group?.throttledNanoseconds
    let watched = monotonicNanoseconds() - begin
    let ran = after.ran &- before.ran
    // The delay is booked when it is over. A thread that was ready at both ends and was not once put on a processor has
    // waited, or run, all the while.
    let isOneStretch = before.turns == after.turns && stateBefore == "R" && stateAfter == "R"
    return ProcessorUse(
      watchedNanoseconds: watched, intendedNanoseconds: UInt64(milliseconds) * 1_000_000, ranNanoseconds: ran,
      delayedNanoseconds: isOneStretch ? watched - min(ran, watched) : after.delayed &- before.delayed,
      totalNanoseconds: after.ran, hostPressurePercent: HostPressure.somePercent(),
      throttledNanoseconds: throttledAfter.map { $0 &- (throttledBefore ?? $0) })
  }

  /// What a report says of a process that is stopped as a whole.
  package static let stopped = "stopped by a signal: no thread can run until SIGCONT"

  /// Every thread that has not ended is stopped, by a signal or by job control: none can do anything until SIGCONT.
  package var isStopped: Bool {
    // One thread's answer is enough for nearly every process there is; ten thousand take a tenth of a second.
    guard let first = firstLiveTask, thread(ThreadID(first))?.state == "T" else { return false }
    return threads.allSatisfy { $0.hasEnded || $0.state == "T" }
  }
}

/// Time run, time spent ready but waiting, and how often the thread was put on a processor.
struct SchedulerBooks {
  var ran, delayed, turns: UInt64

  /// `nil` where the kernel keeps no such books, or the thread has ended.
  init?(of thread: ThreadID, _ process: LiveProcess) {
    guard let text = try? ProcFile.text("\(process.directory)/task/\(thread)/schedstat") else { return nil }
    let numbers = text.split(separator: " ").compactMap { UInt64($0) }
    guard numbers.count == 3 else { return nil }
    (ran, delayed, turns) = (numbers[0], numbers[1], numbers[2])
  }
}

/// `/proc/pressure/cpu`.
enum HostPressure {
  static func somePercent() -> Double? {
    (try? ProcFile.text("/proc/pressure/cpu")).flatMap(somePercent)
  }

  /// `some avg10=28.40 avg60=69.33 avg300=59.85 total=4693887687`
  static func somePercent(_ text: String) -> Double? {
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("some ") }) else { return nil }
    return line.split(separator: " ").first { $0.hasPrefix("avg10=") }.flatMap { Double($0.dropFirst(6)) }
  }
}

/// The control group that hands a process its processor time, of version 2 or 1.
struct ControlGroup {
  private let statisticsPath: String

  init?(of process: LiveProcess) {
    guard let text = try? ProcFile.text("\(process.directory)/cgroup"), let path = Self.path(text) else { return nil }
    let candidates = ["/sys/fs/cgroup\(path)/cpu.stat", "/sys/fs/cgroup/cpu\(path)/cpu.stat"]
    guard let found = candidates.first(where: { (try? ProcFile.bytes($0, atMost: 1 << 16)) != nil }) else { return nil }
    statisticsPath = found
  }

  /// How long its quota has held the group back so far; `nil` where it has no quota.
  var throttledNanoseconds: UInt64? { (try? ProcFile.text(statisticsPath)).flatMap(Self.throttledNanoseconds) }

  /// `0::/user.slice/…` of version 2, or `1:cpu,cpuacct:/…` of version 1, which goes before where it is there.
  static func path(_ text: String) -> String? {
    var unified: String?
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let path = fields[2] == "/" ? "" : String(fields[2])
      if fields[1].split(separator: ",").contains("cpu") { return path }
      if fields[0] == "0", fields[1].isEmpty { unified = path }
    }
    return unified
  }

  /// `throttled_usec 120` of version 2, `throttled_time 120000` (nanoseconds) of version 1.
  static func throttledNanoseconds(_ text: String) -> UInt64? {
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count == 2, let value = UInt64(fields[1]) else { continue }
      if fields[0] == "throttled_usec" { return value &* 1000 }
      if fields[0] == "throttled_time" { return value }
    }
    return nil
  }
}
