import Glibc
import LockjawModel

/// For how long threads have not run, from the scheduler's own books (`/proc/PID/task/TID/sched`, which needs
/// CONFIG_SCHED_DEBUG; nothing is known without).
///
/// `se.exec_start` is when the thread last ran, in milliseconds of the scheduler's clock, which each processor has for itself:
/// `SchedulerClocks` says what the one on which the thread ran shows now; within a tick (10 ms at most).
///
/// It must be asked before a thread is stopped: a stop makes it run.
struct SleepClock {
  /// On CLOCK_MONOTONIC.
  private let now: UInt64

  init?() {
    guard Self.lastRan("/proc/thread-self/sched") != nil else { return nil }
    now = monotonicNanoseconds()
  }

  /// When a thread last ran, by the clock of the processor on which it did.
  struct LastRun {
    fileprivate var milliseconds: Double
    fileprivate var processor: Int32
  }

  /// `nil` where the kernel does not say.
  func lastRun(_ process: LiveProcess, _ thread: ThreadID) -> LastRun? {
    let task = "\(process.directory)/task/\(thread)"
    guard let last = Self.lastRan("\(task)/sched"), let processor = (try? TaskStat(path: "\(task)/stat"))?.processor
    else { return nil }
    return LastRun(milliseconds: last, processor: processor)
  }

  /// Nanoseconds from then until this clock was made, 0 for one that is too young to have run; `nil` where its processor cannot be
  /// asked.
  func slept(_ lastRun: LastRun) -> UInt64? {
    guard lastRun.milliseconds != 0 else { return 0 }
    guard let offset = SchedulerClocks.offset(of: lastRun.processor) else { return nil }
    return Self.nanoseconds(from: lastRun.milliseconds, to: (Double(now) - Double(offset)) / 1e6)
  }

  func slept(_ process: LiveProcess, _ thread: ThreadID) -> UInt64? { lastRun(process, thread).flatMap(slept) }

  /// Of a thread that was just made and has not run, `last` is 0, which is no moment: taken for one, the thread would have
  /// slept since the machine was started.
  static func nanoseconds(from last: Double, to now: Double) -> UInt64? {
    guard last != 0 else { return 0 }
    let milliseconds = max(0, now - last)
    return milliseconds < 1e12 ? UInt64(milliseconds * 1e6) : nil
  }

  private static func lastRan(_ path: String) -> Double? {
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    guard fd >= 0 else { return nil }
    defer { close(fd) }
    // The line stands near the beginning: there is no need for the rest.
    return withUnsafeTemporaryAllocation(byteCount: 512, alignment: 8) { buffer in
      let got = read(fd, buffer.baseAddress, buffer.count)
      return got > 0 ? milliseconds(UnsafeRawBufferPointer(rebasing: buffer[..<got])) : nil
    }
  }

  /// `se.exec_start   :   4958301.627020`
  static func milliseconds(_ content: some Collection<UInt8>) -> Double? {
    for line in content.split(separator: 0x0A) where line.starts(with: Array("se.exec_start".utf8)) {
      guard let colon = line.firstIndex(of: 0x3A) else { return nil }
      let number = line[line.index(after: colon)...].drop(while: { $0 == 0x20 })
      return Double(String(decoding: number, as: UTF8.self))
    }
    return nil
  }
}
