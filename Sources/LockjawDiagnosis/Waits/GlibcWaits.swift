import LockjawInspect
import LockjawModel

/// Which glibc object a thread waits for, from the function it sleeps in and the word it sleeps on.
///
/// The function gives the kind, and each kind sleeps on fields at fixed places (`sysdeps/x86/nptl/bits` and the wait
/// loops of glibc 2.34 to 2.41), so the object begins at the word minus the field's place:
///
/// - mutex, semaphore, once: the first word.
/// - rwlock: a reader sleeps on `__wrphase_futex` (8) expecting 3, or, held back by a writer that goes first, on
///   `__readers` (0), whose bit 2 says that readers wait; a writer on `__writers_futex` (12), or, once it is first, on
///   `__wrphase_futex` (8).
/// - condition: `__g_signals[0]` or `[1]` (40, 44). The object is aligned to 8 bytes, so the word's alignment tells which.
/// - barrier: `current_round` (4).
/// - join: the thread id in the joined thread's descriptor, which it expects to be the target's.
///
/// The name alone is not believed: where the object's own bytes make no sense as that kind, the wait is one on a plain
/// word.
extension WaitDecoder {
  /// - Parameters:
  ///   - function: the row of glibc's that was found on the stack.
  ///   - name: the function as its frame has it.
  func glibcWait(_ thread: SleepingThread, _ function: WaitFunction, _ name: String) -> DecodedWait {
    let word = thread.futex.word
    if function.type == .join { return join(thread, name) }
    let distance = distance(of: function, thread.futex)
    guard word.rawValue >= distance else { return unknown(thread, "\(name) sleeps on an address below its lock") }
    let object = Address(word.rawValue - distance)
    guard isPlausible(function.type, at: object) else {
      return unknown(
        thread, "it is in \(name), but what lies around the word is no \(function.type.rawValue) of glibc's")
    }
    return thread.wait(
      .glibc, function.type, function.mode, lock: object, .function,
      "Thread \(thread.tid) sleeps in \(name) on \(word)"
        + (distance == 0 ? ", the lock's own word." : ", \(distance) bytes into the lock."))
  }

  /// In `__readers`: readers wait for a writer that goes first.
  private static let readersWait: UInt32 = 4

  private func distance(of function: WaitFunction, _ futex: FutexWait) -> UInt64 {
    switch function.place {
    case .below(let distance): distance
    case .aligned(let even, let odd): futex.word.rawValue % 8 == 0 ? even : odd
    case .readersOrPhase(let phase): futex.expected & Self.readersWait != 0 ? 0 : phase
    case .parkingRecord, .abseilRecord, .ownWord, .atomic: 0
    }
  }

  /// glibc waits for the thread id in the joined thread's descriptor to become 0; that id is the value expected.
  private func join(_ thread: SleepingThread, _ name: String) -> DecodedWait {
    let joined = ThreadID(ownerField: thread.futex.expected)
    return thread.wait(
      .glibc, .join, .signal, lock: descriptor(ofThreadIDAt: thread.futex.word) ?? thread.futex.word, .function,
      joined: joined,
      "Thread \(thread.tid) sleeps in \(name) until thread \(joined.map(String.init(describing:)) ?? "?") has ended.")
  }

  // MARK: plausibility

  func isPlausible(_ type: LockType, at object: Address) -> Bool {
    switch type {
    case .mutex:
      guard let bytes = memory.bytes(at: object, count: GlibcMutexWord.byteCount) else { return false }
      let word = GlibcMutexWord(WordBytes(bytes))
      return word.isPlausible && !word.isDestroyed
    case .rwlock:
      guard object.rawValue % 8 == 0, let bytes = memory.bytes(at: object, count: GlibcRwlockWord.byteCount) else {
        return false
      }
      let word = WordBytes(bytes)
      // Kind at 48 is one of three, "process-shared" at 28 is a flag.
      return word.int32(at: 48) <= 2 && word.int32(at: 28) <= 1
    default: return true
    }
  }

  /// `struct pthread` begins with a header whose word at 16 points at itself; its thread id lies behind, at 720 in all
  /// releases of ten years. Looked for nearby where it does not.
  private func descriptor(ofThreadIDAt word: Address) -> Address? {
    let usual: UInt64 = 720
    let others = stride(from: UInt64(512), through: 1024, by: 8).filter { $0 != usual }
    for distance in [usual] + others {
      guard word.rawValue > distance else { continue }
      let candidate = Address(word.rawValue - distance)
      if memory.load(UInt64.self, at: Address(candidate.rawValue + 16)) == candidate.rawValue { return candidate }
    }
    return nil
  }
}
