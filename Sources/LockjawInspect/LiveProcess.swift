import LockjawModel

/// One thread as `/proc` lists it.
package struct LiveThread: Hashable, Sendable {
  package var tid: ThreadID
  /// The name given by `pthread_setname_np`, else the program's; at most 15 bytes.
  package var name: String
  /// `R` running, `S` asleep, `D` in an uninterruptible sleep, `T` stopped, `t` stopped by a tracer, `Z` zombie, `X` dead.
  package var state: Character
  /// With the tid, the thread's identity: tids are reused.
  package var startTicks: UInt64
  package init(tid: ThreadID, name: String, state: Character, startTicks: UInt64) {
    self.tid = tid
    self.name = name
    self.state = state
    self.startTicks = startTicks
  }
}

/// A process that runs, seen through `/proc`, without stopping it.
///
/// The value only holds the identity; every question is answered by the kernel when it is asked, and `isAlive` tells
/// whether the pid still is the process it was.
package struct LiveProcess: Hashable, Sendable {
  package let identity: ProcessIdentity
  package var pid: Int32 { identity.pid }

  /// - Throws: `noSuchProcess`, `zombie`.
  package init(pid: Int32) throws(InspectError) { fatalError("skeleton") }

  /// Same pid and same start time as when this value was made, and not a zombie.
  package var isAlive: Bool { fatalError("skeleton") }
  /// Where the kernel says the executable is, "" where it will not say. " (deleted)" is kept at its end.
  package var executablePath: String { fatalError("skeleton") }
  /// Arguments, one element each; empty for a kernel thread or where the process overwrote them.
  package var commandLine: [String] { fatalError("skeleton") }
  /// Effective user.
  package var userID: UInt32? { fatalError("skeleton") }
  /// Wall-clock start in seconds since 1970, within 10 ms or so.
  package var startedAtUnixSeconds: Double? { fatalError("skeleton") }
  package var parentPID: Int32? { fatalError("skeleton") }
  /// In the order of the kernel's list; threads that end meanwhile are left out.
  package var threads: [LiveThread] { fatalError("skeleton") }
  /// Just the numbers: one directory read.
  package var threadIDs: [ThreadID] { fatalError("skeleton") }

  /// What the kernel says this thread does right now: the third witness.
  package func kernelState(of thread: ThreadID) -> KernelState { fatalError("skeleton") }
  /// The same for people: "asleep in read (fd 0: pipe:[4711])", "waits for child 123", "runs".
  package func activity(of thread: ThreadID) -> String { fatalError("skeleton") }

  /// Files with code mapped into the process, and the vdso; build-ids from the mapped memory, else from the file.
  package func modules() throws(InspectError) -> [Module] { fatalError("skeleton") }
  /// Path under which liblockjaw is mapped, `nil` where it is not.
  package var preloadedShimPath: String? { fatalError("skeleton") }
}
