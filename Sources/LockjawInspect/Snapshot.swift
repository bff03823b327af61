import LockjawModel

/// Threads' registers and stacks, taken while the whole process stood still for a moment. Immutable; the process
/// runs on and may change or die.
package struct Snapshot: Sendable {
  package struct Thread: Sendable {
    package var tid: ThreadID
    package var name: String
    /// `nil` where the thread could not be stopped in time; `missing` says why.
    package var registers: Registers?
    /// From the red zone below the stack pointer upwards, at most 64 KiB.
    package var stack: MemoryImage?
    /// What the thread was doing when it was stopped, from its registers.
    package var kernelState: KernelState
    /// A sentence, where `registers` is `nil`.
    package var missing: String?

    /// The futex wait the thread was in when it was stopped: its system call's arguments are still in the registers.
    package var futexWait: FutexWait? {
      guard case .futexWait(let word) = kernelState, let registers, registers.rdi == word.rawValue else { return nil }
      return FutexWait(
        word: word, operation: UInt32(truncatingIfNeeded: registers.rsi),
        expected: UInt32(truncatingIfNeeded: registers.rdx), hasTimeLimit: registers.r10 != 0)
    }
  }

  package let identity: ProcessIdentity
  package let threads: [Thread]
  package let modules: [Module]
  /// The kernel's page of code in the target, as memory: no file has it.
  package let vdso: MemoryImage?
  /// From the first interrupt to the last release, on this process' clock.
  package let pauseMilliseconds: Double

  /// All stacks and the vdso as one memory.
  package var memory: any MemoryReader {
    MemoryImages(threads.compactMap(\.stack) + (vdso.map { [$0] } ?? []))
  }

  package func thread(_ tid: ThreadID) -> Thread? { threads.first { $0.tid == tid } }
}
