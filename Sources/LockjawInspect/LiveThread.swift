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

  /// Zombie or dead: it has neither registers nor memory.
  package var hasEnded: Bool { state == "Z" || state == "X" || state == "x" }
}
