import LockjawInspect
import LockjawModel

/// Waits of musl, whose system calls have no unwind information: stacks end at the first frame, and no name says
/// which lock it is. The values do: musl puts bit 31 into every word before somebody sleeps on it, and its objects
/// are aligned.
extension WaitDecoder {
  /// Whether the innermost frame is musl's, by the loader's name, or by a function's in a static program.
  func isMusl(_ thread: SleepingThread) -> Bool {
    guard let first = thread.stack.first else { return false }
    // The loader and the library are one file; Debian calls it libc.so (glibc's is libc.so.6), Alpine ld-musl-….
    if first.module == "libc.so" || first.module.hasPrefix("ld-musl") || first.module.hasPrefix("libc.musl") {
      return true
    }
    return thread.stack.prefix(3).contains { Self.muslFunctions.contains($0.function ?? "") }
  }

  private static let muslFunctions: Set<String> = [
    "__syscall_cp_c", "__syscall_cp_asm", "__timedwait", "__timedwait_cp",
  ]
  /// Bytes above the stack pointer in which the innermost frames' own variables lie.
  private static let ownFrames: UInt64 = 4096

  func muslWait(_ thread: SleepingThread) -> DecodedWait? {
    let futex = thread.futex
    guard futex.command == 0 else { return nil }
    let base = Address(futex.word.rawValue &- 4)
    func wait(
      _ type: LockType, _ mode: LockMode, _ lock: Address?, joined: ThreadID? = nil, _ meaning: String
    ) -> DecodedWait {
      thread.wait(
        .musl, type, mode, lock: lock, .pattern, joined: joined,
        "Thread \(thread.tid) sleeps in musl (expected 0x" + String(futex.expected, radix: 16)
          + " at \(futex.word)): \(meaning).")
    }
    // An unwoken condition waiter, in its own frame; a thread that can be joined, in its descriptor.
    if futex.expected == 2 {
      if futex.word > thread.stackPointer, futex.word.rawValue - thread.stackPointer.rawValue < Self.ownFrames {
        return wait(.condition, .signal, nil, "a condition; which one is not recorded")
      }
      let joined = memory.load(UInt32.self, at: Address(futex.word.rawValue &- 8)).flatMap(ThreadID.init(plausible:))
      guard let joined else { return nil }
      return wait(.join, .signal, futex.word, joined: joined, "until thread \(joined) has ended")
    }
    guard futex.expected & 0x8000_0000 != 0 else { return nil }
    if futex.word.rawValue % 8 == 4 {
      // The lock word of a mutex, behind its type. A normal one has EBUSY in it, others their owner.
      guard let type = memory.load(UInt32.self, at: base), type & ~0x8f == 0 else { return nil }
      let isNormal = type & 15 == 0
      guard isNormal == (futex.expected & 0x3fff_ffff == 16) || !isNormal else { return nil }
      return wait(.mutex, .exclusive, base, "a mutex")
    }
    // A semaphore has 128 in its third field unless it is shared; an rwlock only if it is.
    let third = memory.load(UInt32.self, at: Address(futex.word.rawValue &+ 8)) ?? 0
    if futex.expected == 0x8000_0000 || (futex.expected == .max && third == 128) {
      return wait(.semaphore, .exclusive, futex.word, "a semaphore")
    }
    // Both sides sleep on the same word: a reader can only be waiting for a writer.
    let isReader = futex.expected == .max
    let purpose = isReader ? "an rwlock, to read (or to write, behind a writer)" : "an rwlock, to write"
    return wait(.rwlock, isReader ? .read : .write, futex.word, purpose)
  }
}
