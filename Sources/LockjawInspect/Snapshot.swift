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
    /// A sentence: "blocked in vfork until its child runs a program".
    package var missing: String?
  }
  package let identity: ProcessIdentity
  package let threads: [Thread]
  package let modules: [Module]
  /// The kernel's page of code in the target, as memory: no file has it.
  package let vdso: MemoryImage?
  /// From the first interrupt to the last release.
  package let pauseMilliseconds: Double

  /// All stacks and the vdso as one memory.
  package var memory: LayeredMemory { fatalError("skeleton") }

  /// Stops every thread, copies, lets them go.
  /// - Parameter deadline: how long to wait for threads to stop; those that have not by then are left out.
  /// - Throws: every case of `InspectError` that concerns a process.
  package static func take(pid: Int32, deadline: Duration = .milliseconds(100)) throws(InspectError) -> Snapshot {
    fatalError("skeleton")
  }
}
