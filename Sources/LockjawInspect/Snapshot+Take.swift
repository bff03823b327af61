import CLockjawNative
import Glibc
import LockjawModel

extension Snapshot {
  /// Below the stack pointer lie 128 bytes that a leaf function may use (System V ABI, "The Stack Frame").
  private static let redZone: UInt64 = 128
  private static let stackBytes: UInt64 = 64 << 10
  /// What is copied around a word that a thread sleeps on: no lock of any library is larger, whichever of its fields the
  /// word is.
  private static let wordReach: UInt64 = 128
  /// Reading how long each thread slept is bounded; it comes before the stop and delays only the report.
  private static let mostSleepers = 20_000

  /// Stops every thread, copies, lets them go. The order is what keeps the pause short: everything that can be
  /// asked of a running process is asked before or after.
  ///
  /// The stop is not wholly transparent: `epoll_wait` and `sigtimedwait` return `EINTR` in the target.
  ///
  /// - Parameter deadline: how long to wait for threads that may never stop (one inside vfork); those that have not by then
  ///   are left out. Threads that only lack a processor are waited for longer.
  /// - Throws: every case of `InspectError` that concerns a process.
  package static func take(pid: Int32, deadline: Duration = .milliseconds(100)) throws(InspectError) -> Snapshot {
    let process = try LiveProcess(pid: pid)
    try refuseWhatCannotBeStopped(process)
    // Tracees belong to the thread that seized them. A thread of its own means that whatever is still held at its
    // end (a thread that never stopped, say) is released by the kernel.
    let work = Work(process: process, deadlineNanoseconds: deadline.nanoseconds)
    let started = lj_run_on_own_thread(
      { context in
        guard let context else { return }
        Unmanaged<Work>.fromOpaque(context).takeUnretainedValue().run()
      }, Unmanaged.passUnretained(work).toOpaque())
    guard started == 0 else { throw .system(call: "pthread_create", subject: "the snapshot's thread", errno: -started) }
    guard let result = work.result else { throw .noSuchProcess(pid: pid) }
    return try result.get()
  }

  private final class Work {
    let process: LiveProcess
    let deadlineNanoseconds: UInt64
    var result: Result<Snapshot, InspectError>?

    init(process: LiveProcess, deadlineNanoseconds: UInt64) {
      self.process = process
      self.deadlineNanoseconds = deadlineNanoseconds
    }

    func run() {
      do throws(InspectError) {
        result = .success(try Snapshot.takeOnThisThread(process, deadlineNanoseconds: deadlineNanoseconds))
      } catch {
        result = .failure(error)
      }
    }
  }

  private static func refuseWhatCannotBeStopped(_ process: LiveProcess) throws(InspectError) {
    let pid = process.pid
    guard pid != getpid() else { throw .ownProcess(pid: pid) }
    guard !process.isKernelThread else { throw .kernelThread(pid: pid) }
    if let tracer = StatusFile(pid: pid)?.tracer, tracer != 0 {
      let name = (try? ProcFile.text("/proc/\(tracer)/comm")) ?? "another process"
      throw .tracedByAnother(pid: pid, tracer: tracer, tracerName: name)
    }
  }

  private static func takeOnThisThread(
    _ process: LiveProcess, deadlineNanoseconds: UInt64
  ) throws(InspectError) -> Snapshot {
    // Asked first: to be looked at makes a stopped thread move.
    let isStopped = process.isStopped
    var map = try process.memoryMap()
    let memory = ProcessMemory(process)
    let modules = ModuleGrouping.modules(map) { LoadedImage(at: $0, memory: memory) }
    let vdso = vdso(map, memory)
    var tracees = Tracees(process: process)
    try tracees.seizeAll()
    let clock = tracees.ids.count <= mostSleepers ? SleepClock() : nil
    let lastRuns = tracees.ids.map { tid in (tid, clock?.lastRun(process, ThreadID(tid))) }
    // After those, right before the stop: a thread that is young may be about to name itself.
    let names = Dictionary(
      tracees.ids.map { tid in (tid, process.thread(ThreadID(tid))?.name ?? "") },
      uniquingKeysWith: { first, _ in first })

    let namespace = PidNamespace(process)
    let inner = namespace.isForeign ? tracees.ids.reduce(into: [:]) { $0[$1] = namespace.inner($1) } : [:]

    // With the stacks of all who are seized; of those that begin after this the stacks are read about when all stand still.
    map = try process.memoryMap()

    let begin = monotonicNanoseconds()
    tracees.stopAll(deadline: begin &+ deadlineNanoseconds)
    let began = Set(tracees.ids.filter { names[$0] == nil })
    if !began.isEmpty, let longer = try? process.memoryMap() { map = longer }
    let registers = tracees.registers()
    let stacks = StackCopies(
      registers.compactMap { tid, registers in
        registers.map { (tid, stackRange($0.rsp, in: map)) }
      })
    stacks.copy(from: memory.task)
    let words = copyWords(of: registers.compactMap(\.registers), memory)
    tracees.releaseStopped()
    let pause = Double(monotonicNanoseconds() - begin) / 1e6

    guard process.isAlive else { throw .noSuchProcess(pid: process.pid) }
    let images = stacks.images()
    let copied = MemoryImages(words)
    let slept = sleepTimes(lastRuns, clock)
    let milliseconds = Int(pause)
    /// A thread that is younger than the look has not slept for long, whatever it sleeps for.
    func sleptNanoseconds(_ tid: Int32) -> UInt64? { !slept.isEmpty && began.contains(tid) ? 0 : slept[tid] }
    /// A thread has its maker's name until it names itself, which it may have done just before the stop.
    func name(_ tid: Int32) -> String {
      if let before = names[tid], before != names[process.pid] { return before }
      return process.thread(ThreadID(tid))?.name ?? names[tid] ?? ""
    }
    let threads = try registers.map { tid, raw throws(InspectError) -> Thread in
      let name = name(tid)
      guard let raw else {
        if tracees.isThirtyTwoBit { throw .thirtyTwoBit(pid: process.pid) }
        return Thread(
          tid: inner[tid] ?? ThreadID(tid), name: name, registers: nil, stack: nil, callNumber: .max,
          sleptNanoseconds: sleptNanoseconds(tid), kernelState: process.kernelState(of: ThreadID(tid)),
          missing: "It could not be stopped within \(milliseconds) ms: it \(process.activity(of: ThreadID(tid))).")
      }
      let activity = ThreadActivity(Registers(raw), callNumber: raw.orig_rax).asFutexCall(copied)
      return Thread(
        tid: inner[tid] ?? ThreadID(tid), name: name, registers: Registers(raw), stack: images[tid],
        callNumber: raw.orig_rax, sleptNanoseconds: sleptNanoseconds(tid), kernelState: activity.kernelState,
        futexWait: activity.futexWait, missing: nil)
    }
    var outline = process.outline
    outline.isStopped = isStopped
    return Snapshot(
      process: outline, threads: threads, modules: modules, vdso: vdso, words: words,
      descriptors: descriptors(of: threads, process), takenAt: Instant(nanoseconds: begin), pauseMilliseconds: pause,
      map: map)
  }

  static func vdso(_ map: MemoryMap, _ memory: ProcessMemory) -> MemoryImage? {
    map.entries.first { $0.path == "[vdso]" }.flatMap { entry in
      memory.bytes(at: Address(entry.start), count: Int(entry.end - entry.start))
        .map { MemoryImage(base: Address(entry.start), bytes: $0) }
    }
  }

  /// Only now: processors are asked for their clocks, and may take a while to answer.
  private static func sleepTimes(_ lastRuns: [(Int32, SleepClock.LastRun?)], _ clock: SleepClock?) -> [Int32: UInt64] {
    guard let clock else { return [:] }
    var result = [Int32: UInt64](minimumCapacity: lastRuns.count)
    for (tid, lastRun) in lastRuns { result[tid] = lastRun.flatMap(clock.slept) }
    return result
  }

  /// Only while everything stands still do a lock's word and the stacks of its waiters belong to one moment.
  private static func copyWords(of registers: [lj_registers], _ memory: ProcessMemory) -> [MemoryImage] {
    var words: Set<UInt64> = []
    for raw in registers {
      let activity = ThreadActivity(Registers(raw), callNumber: raw.orig_rax)
      // Aligned, so that many waiters for one lock copy it once.
      for word in [activity.asFutexCall(memory).sleptOn, activity.onlyEntry].compactMap(\.self) {
        words.insert(word.rawValue & ~(wordReach - 1))
      }
    }
    let ranges = words.sorted().enumerated().map { index, start in
      let low = start >= wordReach ? start - wordReach : 0
      return (tid: Int32(index), range: (address: low, count: Int(wordReach * 3)))
    }
    let copies = StackCopies(ranges)
    copies.copy(from: memory.task)
    return copies.images().values.sorted { $0.base < $1.base }
  }

  static func descriptors(of threads: [Thread], _ process: LiveProcess) -> [Int32: String] {
    var result: [Int32: String] = [:]
    for thread in threads {
      guard let call = thread.blockingCall, ActivityDescription.concernsDescriptor(call.number) else { continue }
      let number = Int32(truncatingIfNeeded: call.arguments[0])
      if result[number] == nil { result[number] = try? ProcFile.link("\(process.liveDirectory)/fd/\(number)") }
    }
    return result
  }

  /// What to copy for a stack pointer: up to the end of its mapping.
  static func stackRange(_ stackPointer: UInt64, in map: MemoryMap) -> (address: UInt64, count: Int) {
    let start = stackPointer >= redZone ? stackPointer - redZone : stackPointer
    // Unknown mapping (a stack made since the list was read): its first page at least.
    let mapped = map.entry(containing: stackPointer)?.end ?? (stackPointer & ~4095) &+ 4096
    let end = min(mapped, start &+ stackBytes)
    return (start, end > start ? Int(end - start) : 0)
  }
}

extension Registers {
  init(_ raw: lj_registers) {
    self.init()
    (rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp) = (raw.rax, raw.rdx, raw.rcx, raw.rbx, raw.rsi, raw.rdi, raw.rbp, raw.rsp)
    (r8, r9, r10, r11) = (raw.r8, raw.r9, raw.r10, raw.r11)
    (r12, r13, r14, r15) = (raw.r12, raw.r13, raw.r14, raw.r15)
    rip = raw.rip
    fsBase = raw.fs_base
  }
}

extension ThreadActivity {
  /// A stop takes a sleeping thread out of its system call with an error that asks for the call to be made again
  /// (the kernel's include/linux/errno.h), or with EINTR; the call and its arguments are still in the registers.
  init(_ registers: Registers, callNumber: UInt64) {
    let number = Int64(bitPattern: callNumber)
    let returned = Int64(bitPattern: registers.rax)
    let wasAsleep = (-516 ... -512).contains(returned) || returned == -4
    if number >= 0, number < 1 << 20, wasAsleep {
      let r = registers
      self.init(place: .systemCall(number: Int(number), arguments: [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9]))
    } else {
      self.init(place: .running)
    }
  }

  /// The word of a futex wait, also of one with a time limit that an earlier stop has made a `restart_syscall`: then the
  /// arguments are still the futex call's, or those of another call, and its first may be anything.
  var sleptOn: Address? {
    if let futexWord { return futexWord }
    guard case .systemCall(Self.restart, let arguments) = place, arguments[0] & 3 == 0, arguments[0] > 4096 else {
      return nil
    }
    return Address(arguments[0])
  }
}

extension Duration {
  /// Whole nanoseconds, 0 for a negative duration.
  var nanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return UInt64(min(seconds, 1 << 32)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }
}

/// CLOCK_MONOTONIC in the machine's own time namespace, which the shim's time stamps are on as well.
package func monotonicNanoseconds() -> UInt64 {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return TimeNamespace.own.machineNanoseconds(UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec))
}
