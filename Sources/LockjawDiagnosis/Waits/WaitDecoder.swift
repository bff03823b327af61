import LockjawInspect
import LockjawModel

/// Says which lock a thread waits for that sleeps in a futex wait, without anything the program recorded for us.
///
/// The system call names a word, and a word is rarely the lock: it may lie inside it, or belong to the waiter. In
/// this order,
///
/// 1. a priority-inheriting wait is a wait for the thread the word names;
/// 2. the innermost function known to put threads to sleep tells library, kind and mode, and where from the word the
///    lock lies;
/// 3. without names, records that libraries keep of their waiters: they contain the lock's address and enough else to
///    tell that they are what they seem;
/// 4. without records, values: what the thread expected in the word, and what is around it.
///
/// What does not fit is *unknown*, not the nearest guess.
package struct WaitDecoder {
  let memory: any MemoryReader
  /// Words that the process' threads sleep on at this moment; `nil` where they are not known.
  let sleptOn: Set<Address>?

  package init(memory: any MemoryReader, sleptOn: Set<Address>? = nil) {
    self.memory = memory
    self.sleptOn = sleptOn
  }

  package func decode(_ thread: SleepingThread) -> DecodedWait {
    if thread.futex.isPriorityInheriting { return priorityInheriting(thread) }
    // The innermost of all: whatever function of another library is further out has called the C library.
    if let wait = glibcInternalWait(thread) { return wait }
    if let (function, frame) = WaitFunction.innermost(in: thread.stack) {
      return byFunction(thread, function, frame)
    }
    if isMusl(thread), let wait = muslWait(thread) { return wait }
    if let wait = parkingLotWait(thread, nil) { return wait }
    if let wait = abseilWait(thread) { return wait }
    if let wait = rustPattern(thread) { return wait }
    return unknown(thread, "no function on its stack is known to wait, and no library's pattern fits")
  }

  func unknown(_ thread: SleepingThread, _ reason: String) -> DecodedWait {
    thread.wait(
      .unknown, .futex, .signal, lock: nil, .nothing,
      "Thread \(thread.tid) sleeps on futex \(thread.futex.word) (expected 0x"
        + String(thread.futex.expected, radix: 16) + "): \(reason).")
  }

  // MARK: by name

  private func byFunction(_ thread: SleepingThread, _ function: WaitFunction, _ frame: Int) -> DecodedWait {
    let name = thread.stack[frame].function ?? "?"
    let word = thread.futex.word
    if function.library == .glibc { return glibcWait(thread, function, name) }
    func at(_ distance: UInt64) -> DecodedWait {
      guard word.rawValue >= distance else { return unknown(thread, "\(name) sleeps on an address below its lock") }
      return thread.wait(
        function.library, function.type, function.mode, lock: Address(word.rawValue - distance), .function,
        "Thread \(thread.tid) sleeps in \(name) on \(word)"
          + (distance == 0 ? ", the lock's own word." : ", \(distance) bytes into the lock."))
    }
    switch function.place {
    case .below(let distance), .readersOrPhase(let distance): return at(distance)
    case .aligned(let even, let odd): return at(word.rawValue % 8 == 0 ? even : odd)
    case .parkingRecord:
      return parkingLotWait(thread, function)
        ?? thread.wait(
          .parkingLot, function.type, function.mode, lock: nil, .function,
          "Thread \(thread.tid) sleeps in \(name), but its parking record at \(word) is not laid out as in parking_lot "
            + "0.11 and 0.12, so the lock is not known.")
    case .abseilRecord:
      return abseilWait(thread)
        ?? thread.wait(
          .abseil, function.type, function.mode, lock: nil, .function,
          "Thread \(thread.tid) sleeps in \(name), but its record near \(word) is not laid out as in abseil's releases of "
            + "2020 to 2023, so the lock is not known.")
    case .ownWord: return rustPark(thread, frame)
    case .atomic: return libcxxWait(thread, frame)
    }
  }

  // MARK: priority inheritance

  /// The kernel keeps the owner's id in the word, whatever library made it.
  private func priorityInheriting(_ thread: SleepingThread) -> DecodedWait {
    let word = thread.futex.word
    let match = WaitFunction.innermost(in: thread.stack)?.function
    if match?.library == .glibc, match?.type == .mutex, isPlausible(.mutex, at: word) {
      return thread.wait(
        .glibc, .mutex, .exclusive, lock: word, .function,
        "Thread \(thread.tid) sleeps in FUTEX_LOCK_PI on the priority-inheriting mutex \(word).")
    }
    // Swift's `_MutexHandle._lock()` is inlinable, so its name may be nowhere in the stack.
    let isSwift = thread.stack.prefix(40).contains {
      ($0.function ?? "").contains("Synchronization.") || $0.module.hasPrefix("libswiftSynchronization")
    }
    return thread.wait(
      isSwift ? .swift : .unknown, .piFutex, .exclusive, lock: word, isSwift ? .function : .record,
      "Thread \(thread.tid) sleeps in FUTEX_LOCK_PI on \(word), a word in which the kernel keeps the owner.")
  }
}

extension ThreadID {
  /// What a library writes into its own memory cannot be trusted to be a thread id.
  init?(plausible value: UInt32) { self.init(ownerField: value) }
}
