import LockjawModel

/// What a thread's wait is really for, in the graph's eyes.
///
/// 1. A wait for a mutex, rwlock, spinlock, PI futex, once, semaphore or thread is for that object.
/// 2. A wait for a condition, barrier or plain futex is for nobody in particular: anyone may end it. No demand.
/// 3. Except that a thread in a condition wait which the kernel shows asleep on a word of the condition's *mutex*
///    has been woken already and re-acquires: it waits for that mutex.
/// 4. A thread that is gone waits for nothing.
struct Demand: Hashable, Sendable {
  var object: Address
  var type: LockType
  /// Read acquire of an rwlock; everything else excludes.
  var isRead: Bool

  /// sizeof(pthread_mutex_t) on x86-64 Linux, where no decoded word says otherwise.
  static let mutexByteCount = 40

  init?(_ wait: Wait, by tid: ThreadID, words: [Address: LockWord], kernel: [ThreadID: KernelState]) {
    if wait.type == .condition {
      guard wait.companion.rawValue != 0, !kernel.isEmpty, case .futexWait(let word)? = kernel[tid] else { return nil }
      let offset = word.rawValue &- wait.companion.rawValue
      let byteCount = words[wait.companion]?.byteCount ?? Self.mutexByteCount
      guard offset < UInt64(clamping: byteCount) else { return nil }
      (object, type, isRead) = (wait.companion, .mutex, false)
      return
    }
    guard wait.type.hasHolder else { return nil }
    (object, type) = (wait.object, wait.type)
    isRead = wait.type == .rwlock && wait.mode == .read
  }
}
