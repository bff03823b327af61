import LockjawModel

/// Threads' registers and stacks of one moment: taken while a whole process stood still, or read from a core. Immutable;
/// a process runs on and may change or die.
package struct Snapshot: Sendable {
  package struct Thread: Sendable {
    /// In the process' own pid namespace, as lock words have it.
    package var tid: ThreadID
    package var name: String
    /// `nil` where the thread could not be stopped in time; `missing` says why.
    package var registers: Registers?
    /// From the red zone below the stack pointer upwards, at most 64 KiB. `nil` in a core, whose memory has it.
    package var stack: MemoryImage?
    /// `orig_rax`: number of the system call the thread is in; all ones: in none.
    package var callNumber: UInt64
    /// For how long the thread had not run when it was stopped; `nil` where the kernel does not say.
    package var sleptNanoseconds: UInt64?
    /// What the thread was doing when it was stopped, from its registers.
    package var kernelState: KernelState
    /// The futex wait the thread was in when it was stopped: its system call's arguments are still in the registers.
    package var futexWait: FutexWait?
    /// A sentence, where `registers` is `nil`.
    package var missing: String?

    /// Where its descriptor is (`fs_base`); 0 where it is not known.
    package var threadPointer: UInt64 { registers?.fsBase ?? 0 }

    /// The system call it sleeps in, with its six arguments; `nil` where it runs.
    package var blockingCall: (number: Int, arguments: [UInt64])? {
      guard let registers,
        case .systemCall(let number, let arguments) = ThreadActivity(registers, callNumber: callNumber).place
      else { return nil }
      return (number, arguments)
    }

    /// The futex wait that the thread goes on with as `restart_syscall`, if that is what it goes on with: an interrupted
    /// `poll` or `nanosleep` looks the same but for its arguments.
    package var restartedFutexWait: FutexWait? {
      guard let call = blockingCall, call.number == ThreadActivity.restart else { return nil }
      return ThreadActivity(place: .systemCall(number: ThreadActivity.futex, arguments: call.arguments)).futexWait
    }
  }

  package let process: ProcessOutline
  package let threads: [Thread]
  package let modules: [Module]
  /// The kernel's page of code in the target, as memory: no file has it. `nil` in a core, whose memory has it.
  package let vdso: MemoryImage?
  /// The surroundings of each word that a thread slept on, of the same moment as the stacks.
  package let words: [MemoryImage]
  /// What the descriptors are that threads sleep on, as the kernel names them.
  package let descriptors: [Int32: String]
  /// On the machine's CLOCK_MONOTONIC; 0 for a core that does not say.
  package let takenAt: Instant
  /// From the first interrupt to the last release, on this process' clock.
  package let pauseMilliseconds: Double
  /// All stacks, words and the vdso as one memory; of a core nothing.
  package let memory: any MemoryReader
  /// Of a process that was stopped here: its mappings at that time.
  let map: MemoryMap?
  private let indices: [ThreadID: Int]

  package var identity: ProcessIdentity { process.identity }

  init(
    process: ProcessOutline, threads: [Thread], modules: [Module], vdso: MemoryImage?, words: [MemoryImage],
    descriptors: [Int32: String], takenAt: Instant, pauseMilliseconds: Double, map: MemoryMap? = nil
  ) {
    self.process = process
    self.threads = threads
    self.modules = modules
    self.vdso = vdso
    self.words = words
    self.descriptors = descriptors
    self.takenAt = takenAt
    self.pauseMilliseconds = pauseMilliseconds
    self.map = map
    // A word may lie in a stack, and a stack reaches further, so stacks answer first.
    memory = LayeredMemory([
      MemoryImages(threads.compactMap(\.stack) + (vdso.map { [$0] } ?? [])), MemoryImages(words),
    ])
    indices = Dictionary(
      threads.enumerated().map { ($0.element.tid, $0.offset) }, uniquingKeysWith: { first, _ in first })
  }

  /// The same with sleeps that are known to have begun earlier than the kernel says: to look at a process makes its threads
  /// run for an instant, after which they sleep on.
  /// - Parameter since: by the threads' numbers here, not in the process' own namespace.
  package func datingBack(_ since: [ThreadID: Instant], of process: LiveProcess) -> Snapshot {
    let namespace = PidNamespace(process)
    var threads = threads
    for (tid, begin) in since {
      guard let index = indices[namespace.inner(tid.rawValue)], threads[index].blockingCall != nil,
        takenAt > begin
      else { continue }
      let slept = takenAt.nanoseconds - begin.nanoseconds
      threads[index].sleptNanoseconds = max(threads[index].sleptNanoseconds ?? 0, slept)
    }
    return Snapshot(
      process: self.process, threads: threads, modules: modules, vdso: vdso, words: words, descriptors: descriptors,
      takenAt: takenAt, pauseMilliseconds: pauseMilliseconds, map: map)
  }

  package func thread(_ tid: ThreadID) -> Thread? { indices[tid].map { threads[$0] } }

  /// What a thread was doing, for people: "asleep in read on pipe:[4711] (fd 0)"; `nil` for a thread it does not have.
  package func activity(of tid: ThreadID) -> String? {
    guard let thread = thread(tid) else { return nil }
    guard let registers = thread.registers else { return nil }
    if let wait = thread.futexWait { return ActivityDescription.asleep(on: wait.word) }
    let activity = ThreadActivity(registers, callNumber: thread.callNumber)
    return ActivityDescription(descriptorTarget: { descriptors[$0] }).sentence(activity, taskState: "S")
  }
}

extension Snapshot.Thread {
  /// The word of a futex wait, or what may be one.
  var sleptOn: Address? {
    futexWait?.word ?? registers.flatMap { ThreadActivity($0, callNumber: callNumber).sleptOn }
  }

  /// The array that says so, of a wait by futex_waitv.
  var futexVectorEntry: Address? {
    registers.flatMap { ThreadActivity($0, callNumber: callNumber).onlyEntry }
  }
}
