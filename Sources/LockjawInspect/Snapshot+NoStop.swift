import LockjawModel

extension Snapshot {
  /// The same value from a process that is not stopped: of each thread that sleeps in the kernel the stack pointer, the
  /// program counter and the call's arguments, as `/proc/PID/task/TID/syscall` has them.
  ///
  /// Best effort. Callee-saved registers are not there, so a stack can end early in code that keeps a frame pointer; the
  /// threads are looked at one after another and not at one moment; and running ones cannot be seen at all.
  /// - Throws: as `take` does, but for what concerns stopping.
  package static func takeWithoutStopping(pid: Int32) throws(InspectError) -> Snapshot {
    let process = try LiveProcess(pid: pid)
    guard !process.isKernelThread else { throw .kernelThread(pid: pid) }
    let map = try process.memoryMap()
    let memory = ProcessMemory(process)
    let modules = ModuleGrouping.modules(map) { LoadedImage(at: $0, memory: memory) }
    let clock = SleepClock()
    let namespace = PidNamespace(process)
    let begin = monotonicNanoseconds()
    let threads = process.threads.filter { !$0.hasEnded }.map { live in
      var thread = thread(live, process, memory, map, slept: clock?.slept(process, live.tid))
      thread.tid = namespace.inner(live.tid.rawValue)
      return thread
    }
    guard process.isAlive else { throw .noSuchProcess(pid: pid) }
    var outline = process.outline
    outline.isStopped = process.isStopped
    return Snapshot(
      process: outline, threads: threads, modules: modules, vdso: vdso(map, memory), words: [],
      descriptors: descriptors(of: threads, process), takenAt: Instant(nanoseconds: begin), pauseMilliseconds: 0,
      map: map)
  }

  /// With a stop where that changes nothing in the process, else without.
  ///
  /// A thread that is stopped while it writes into a full pipe or socket gets a short write when it goes on: its hang may
  /// end, or what it had to say be cut.
  /// - Throws: as `take` does.
  package static func takeGently(pid: Int32) throws(InspectError) -> Snapshot {
    try LiveProcess(pid: pid).hasBlockedWriter ? takeWithoutStopping(pid: pid) : take(pid: pid)
  }

  private static func thread(
    _ live: LiveThread, _ process: LiveProcess, _ memory: ProcessMemory, _ map: MemoryMap, slept: UInt64?
  ) -> Thread {
    func without(_ state: KernelState, _ reason: String) -> Thread {
      Thread(
        tid: live.tid, name: live.name, registers: nil, stack: nil, callNumber: .max,
        sleptNanoseconds: slept, kernelState: state, missing: reason)
    }
    let content: [UInt8]
    do throws(Errno) {
      content = try ProcFile.bytes("\(process.directory)/task/\(live.tid)/syscall", atMost: 4096)
    } catch {
      let reason = AccessRights.isRefusal(error) ? AccessRights.remedy(pid: process.pid) : "it has ended"
      return without(.unknown(reason: reason), "Its registers could not be read: \(reason)")
    }
    let fields = String(decoding: content, as: UTF8.self).split(whereSeparator: { $0 == " " || $0 == "\n" })
    let values = fields.dropFirst().compactMap { UInt64($0.dropFirst(2), radix: 16) }
    guard let number = fields.first.flatMap({ Int($0) }), number >= 0, values.count == 8 else {
      return without(.running, "It runs, and a running thread must be stopped to be seen.")
    }
    var registers = Registers()
    (registers.rdi, registers.rsi, registers.rdx) = (values[0], values[1], values[2])
    (registers.r10, registers.r8, registers.r9) = (values[3], values[4], values[5])
    (registers.rsp, registers.rip) = (values[6], values[7])
    // What a stop would have left there: the thread is asleep inside its call.
    registers.rax = UInt64(bitPattern: -512)
    let range = stackRange(registers.rsp, in: map)
    let activity = ThreadActivity(registers, callNumber: UInt64(number)).asFutexCall(memory)
    return Thread(
      tid: live.tid, name: live.name, registers: registers,
      stack: memory.bytes(at: Address(range.address), count: range.count)
        .map { MemoryImage(base: Address(range.address), bytes: $0) },
      callNumber: UInt64(number), sleptNanoseconds: slept, kernelState: activity.kernelState,
      futexWait: activity.futexWait, missing: nil)
  }
}
