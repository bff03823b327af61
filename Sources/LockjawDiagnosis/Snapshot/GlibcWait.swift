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
/// The name alone is not believed: the object's own bytes must make sense as that kind, else the wait is one on a plain
/// word.
package enum GlibcWait {
  enum Kind: Hashable {
    case mutex, reader, writer, condition, semaphore, barrier, once, join
  }

  /// - Parameters:
  ///   - functions: names of the innermost frames, as far as they are the C library's.
  package static func decode(
    _ sleep: FutexSleep, functions: [String], memory: any MemoryReader
  ) -> ObjectWait? {
    guard let kind = functions.lazy.compactMap({ kinds[canonical($0)] }).first else { return nil }
    let word = sleep.word
    switch kind {
    case .mutex:
      guard isMutex(word, memory) else { return nil }
      return ObjectWait(type: .mutex, mode: .exclusive, object: word)
    case .reader:
      let object = sleep.expected & readersWait != 0 ? word : word.minus(8)
      guard isRwlock(object, memory) else { return nil }
      return ObjectWait(type: .rwlock, mode: .read, object: object)
    case .writer:
      let object = word.minus(word.rawValue % 8 == 4 ? 12 : 8)
      guard isRwlock(object, memory) else { return nil }
      return ObjectWait(type: .rwlock, mode: .write, object: object)
    case .condition:
      return ObjectWait(type: .condition, mode: .signal, object: word.minus(word.rawValue % 8 == 0 ? 40 : 44))
    case .semaphore: return ObjectWait(type: .semaphore, mode: .exclusive, object: word)
    case .barrier: return ObjectWait(type: .barrier, mode: .signal, object: word.minus(4))
    case .once: return ObjectWait(type: .once, mode: .exclusive, object: word)
    case .join:
      return ObjectWait(
        type: .join, mode: .exclusive, object: descriptor(ofThreadIDAt: word, memory) ?? word,
        companion: Address(UInt64(sleep.expected)))
    }
  }

  /// Whether a function of this name sleeps on futexes only.
  package static func isFutexFunction(_ function: String) -> Bool { kinds[canonical(function)] != nil }

  private static let readersWait: UInt32 = 4

  // MARK: names

  /// Exported names carry up to three underscores, static ones a `__GI_` before them, and some a suffix of the time's
  /// width.
  static func canonical(_ function: String) -> Substring {
    var name = function[...]
    if name.hasPrefix("__GI_") { name = name.dropFirst(5) }
    name = name.drop { $0 == "_" }
    if name.hasSuffix("64") { name = name.dropLast(2) }
    return name
  }

  private static let kinds: [Substring: Kind] = {
    var table: [Substring: Kind] = [:]
    func add(_ kind: Kind, _ names: String) {
      for name in names.split(separator: " ") { table[name] = kind }
    }
    add(
      .mutex,
      "pthread_mutex_lock pthread_mutex_lock_full pthread_mutex_timedlock pthread_mutex_clocklock "
        + "pthread_mutex_clocklock_common pthread_mutex_cond_lock pthread_mutex_cond_lock_full mtx_lock mtx_timedlock")
    add(
      .reader, "pthread_rwlock_rdlock pthread_rwlock_timedrdlock pthread_rwlock_clockrdlock pthread_rwlock_rdlock_full")
    add(
      .writer, "pthread_rwlock_wrlock pthread_rwlock_timedwrlock pthread_rwlock_clockwrlock pthread_rwlock_wrlock_full")
    add(.condition, "pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait pthread_cond_wait_common cnd_wait")
    add(
      .semaphore,
      "sem_wait sem_timedwait sem_clockwait new_sem_wait new_sem_wait_slow new_sem_wait_slow64.constprop.0")
    add(.barrier, "pthread_barrier_wait")
    add(.once, "pthread_once pthread_once_slow call_once")
    add(
      .join,
      "pthread_join pthread_timedjoin_np pthread_clockjoin_np pthread_clockjoin_ex pthread_timedjoin_ex thrd_join")
    return table
  }()

  // MARK: plausibility

  private static func isMutex(_ object: Address, _ memory: any MemoryReader) -> Bool {
    guard let bytes = memory.bytes(at: object, count: GlibcMutexWord.byteCount) else { return false }
    let word = GlibcMutexWord(WordBytes(bytes))
    return word.isPlausible && !word.isDestroyed
  }

  private static func isRwlock(_ object: Address, _ memory: any MemoryReader) -> Bool {
    guard object.rawValue % 8 == 0, let bytes = memory.bytes(at: object, count: GlibcRwlockWord.byteCount) else {
      return false
    }
    let word = WordBytes(bytes)
    // Kind at 48 is one of three, "process-shared" at 28 is a flag.
    return word.int32(at: 48) <= 2 && word.int32(at: 28) <= 1
  }

  /// `struct pthread` begins with a header whose word at 16 points at itself; its thread id lies behind, at 720 in all
  /// releases of ten years. Looked for nearby where it does not.
  private static func descriptor(ofThreadIDAt word: Address, _ memory: any MemoryReader) -> Address? {
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

extension Address {
  /// Wraps below zero: such an address is in no memory.
  fileprivate func minus(_ bytes: UInt64) -> Address { Address(rawValue &- bytes) }
}
