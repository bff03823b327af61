import CLockjawNative
import Glibc
import LockjawModel

/// The threads of one process as this thread's tracees. Whoever has the value has them; its end lets them go.
struct Tracees: ~Copyable {
  private enum Phase {
    case running
    /// Stopped; the signal is one that was on its way and must be handed back.
    case stopped(signal: Int32)
    case gone
  }
  private let process: LiveProcess
  private(set) var ids: [Int32] = []
  private var phases: [Phase] = []
  private var known: Set<Int32> = []
  /// Threads that had ended before they could be seized.
  private var ended: Set<Int32> = []
  private(set) var isThirtyTwoBit = false

  init(process: LiveProcess) { self.process = process }

  deinit {
    for (index, id) in ids.enumerated() {
      if case .stopped(let signal) = phases[index] { _ = lj_ptrace_detach(id, signal) }
    }
  }

  /// Seizes without stopping, until a look at the list of threads brings no new one.
  mutating func seizeAll() throws(InspectError) {
    while try seizeNew() {}
    if ids.isEmpty {
      // Without a single thread there is nothing to look at.
      throw process.isAlive ? .zombie(pid: process.pid) : .noSuchProcess(pid: process.pid)
    }
  }

  /// A thread that has only to be given a processor stops the moment it gets one. On a machine that is overloaded that
  /// takes longer than any thread that cannot stop should be waited for; and the process would not run meanwhile either.
  private static let patienceNanoseconds: UInt64 = 3_000_000_000

  /// Interrupts all and waits for each, but not beyond `deadline` (CLOCK_MONOTONIC) for what cannot be stopped: a thread
  /// inside vfork, or in a sleep that nothing interrupts.
  ///
  /// A thread that was not stopped yet may have started another meanwhile, so the list is read again until
  /// everything known is stopped and nothing new is listed.
  mutating func stopAll(deadline: UInt64) {
    var firstUninterrupted = 0
    while true {
      for index in firstUninterrupted..<ids.count { _ = lj_ptrace_interrupt(ids[index]) }
      firstUninterrupted = ids.count
      let haveStopped = wait(deadline: deadline)
      guard haveStopped, monotonicNanoseconds() < deadline &+ Self.patienceNanoseconds, hasUnknownThreads,
        (try? seizeNew()) ?? false
      else { return }
    }
  }

  /// In the order of `ids` without those that are gone; `nil` for a thread that is not stopped.
  mutating func registers() -> [(tid: Int32, registers: lj_registers?)] {
    var result = [(tid: Int32, registers: lj_registers?)]()
    result.reserveCapacity(ids.count)
    for (index, id) in ids.enumerated() {
      switch phases[index] {
      case .gone: continue
      case .running: result.append((id, nil))
      case .stopped:
        var raw = lj_registers()
        let status = lj_ptrace_registers(id, &raw)
        if status == -EMEDIUMTYPE { isThirtyTwoBit = true }
        if status == -ESRCH { continue }  // killed while stopped
        result.append((id, status == 0 ? raw : nil))
      }
    }
    return result
  }

  /// Lets every stopped thread go on. One that stopped after the deadline is caught here; one that has not yet is
  /// released by the kernel when this thread ends.
  mutating func releaseStopped() {
    for index in ids.indices {
      if case .running = phases[index] { poll(index) }
      if case .stopped(let signal) = phases[index] { _ = lj_ptrace_detach(ids[index], signal) }
      phases[index] = .gone
    }
  }

  /// - Returns: whether all have stopped.
  private mutating func wait(deadline: UInt64) -> Bool {
    var pending = ids.indices.filter { if case .running = phases[$0] { true } else { false } }
    while !pending.isEmpty {
      let before = pending.count
      for index in pending { poll(index) }
      pending.removeAll { if case .running = phases[$0] { false } else { true } }
      if pending.isEmpty { return true }
      let now = monotonicNanoseconds()
      if now >= deadline {
        guard now < deadline &+ Self.patienceNanoseconds, pending.contains(where: { lacksProcessor(ids[$0]) }) else {
          return false
        }
        usleep(1000)
        continue
      }
      // The rest need a processor to stop on: leave it to them for a moment.
      if pending.count == before { usleep(50) } else { sched_yield() }
    }
    return true
  }

  private func lacksProcessor(_ id: Int32) -> Bool { process.thread(ThreadID(id))?.state == "R" }

  private mutating func poll(_ index: Int) {
    var signal: Int32 = 0
    switch lj_ptrace_poll(ids[index], &signal) {
    case Int32(LJ_WAIT_PENDING): break
    case Int32(LJ_WAIT_STOPPED): phases[index] = .stopped(signal: signal)
    default: phases[index] = .gone
    }
  }

  /// Whether the kernel counts more threads than are known: a directory has two links besides its subdirectories.
  private var hasUnknownThreads: Bool {
    var status = stat()
    guard stat("/proc/\(process.pid)/task", &status) == 0 else { return false }
    let alive = phases.count { if case .gone = $0 { false } else { true } }
    return Int(status.st_nlink) - 2 > alive + ended.count
  }

  private mutating func seizeNew() throws(InspectError) -> Bool {
    var hasNew = false
    for tid in process.threadIDs where !known.contains(tid.rawValue) && !ended.contains(tid.rawValue) {
      let status = lj_ptrace_seize(tid.rawValue)
      switch -status {
      case 0:
        ids.append(tid.rawValue)
        phases.append(.running)
        known.insert(tid.rawValue)
        hasNew = true
      case ESRCH: ended.insert(tid.rawValue)
      case EPERM:
        // The kernel refuses a zombie with the same error as a missing right.
        if process.thread(tid)?.hasEnded ?? true { ended.insert(tid.rawValue) } else { throw refusal() }
      default:
        throw .system(call: "ptrace(PTRACE_SEIZE)", subject: "thread \(tid) of process \(process.pid)", errno: -status)
      }
    }
    return hasNew
  }

  private func refusal() -> InspectError {
    if let tracer = StatusFile(pid: process.pid)?.tracer, tracer != 0, tracer != lj_gettid(), tracer != getpid() {
      let name = (try? ProcFile.text("/proc/\(tracer)/comm")) ?? "another process"
      return .tracedByAnother(pid: process.pid, tracer: tracer, tracerName: name)
    }
    return .notPermitted(pid: process.pid, remedy: AccessRights.remedy(pid: process.pid))
  }
}
