import LockjawInspect
import LockjawModel

/// Waits of Rust's standard library: `futex_wait` always calls FUTEX_WAIT_BITSET with a private word.
extension WaitDecoder {
  /// A parked thread; the functions around tell what for.
  func rustPark(_ thread: SleepingThread, _ frame: Int) -> DecodedWait {
    let names = thread.stack.dropFirst(frame).prefix(24).compactMap(\.function).map { SimpleName($0).path }
    // Before Rust 1.66 a `Once` kept its waiters in a list and parked them.
    if names.contains(where: { $0.hasPrefix("std::sync::once::Once") }) {
      return thread.wait(
        .rustStd, .once, .exclusive, lock: nil, .function,
        "Thread \(thread.tid) is parked in std::sync::Once, of a Rust before 1.66; which Once is not known.")
    }
    let purpose =
      if names.contains(where: { $0.hasPrefix("std::sync::mpsc") || $0.hasPrefix("std::sync::mpmc") }) {
        "in a channel operation"
      } else if names.contains(where: { $0.hasPrefix("std::thread::scoped") }) {
        "until the threads of a std::thread::scope have ended"
      } else {
        "in thread::park"
      }
    return thread.wait(
      .rustStd, .futex, .signal, lock: thread.futex.word, .function,
      "Thread \(thread.tid) is parked \(purpose); any thread that has its handle can unpark it.")
  }

  /// Without names: by what is expected in the word and what stands there. `syscall` itself keeps its name in every
  /// stripped program, being imported; a wait inside glibc does not come through it.
  func rustPattern(_ thread: SleepingThread) -> DecodedWait? {
    let futex = thread.futex
    guard futex.isBitset, futex.operation & Self.realtimeFlag == 0 else { return nil }
    if let first = thread.stack.first, first.function != "syscall", first.module.hasPrefix("libc.") { return nil }
    guard let value = memory.load(UInt32.self, at: futex.word) else { return nil }
    func wait(
      _ type: LockType, _ mode: LockMode, below distance: UInt64 = 0, _ meaning: String
    ) -> DecodedWait {
      thread.wait(
        .rustStd, type, mode, lock: Address(futex.word.rawValue &- distance), .pattern,
        "Thread \(thread.tid) sleeps as Rust's standard library does (FUTEX_WAIT_BITSET, expected 0x"
          + String(futex.expected, radix: 16) + " at \(futex.word)): \(meaning); no function on its stack has a name.")
    }
    let readerField = futex.expected & 0x3fff_ffff
    if futex.expected == .max { return wait(.futex, .signal, "a parked thread") }
    if futex.expected & 0x4000_0000 != 0, readerField != 0 {
      return wait(.rwlock, .read, "a reader of an RwLock")
    }
    if isStateOfWaitingWriter(at: Address(futex.word.rawValue &- 4)) {
      return wait(.rwlock, .write, below: 4, "a writer of an RwLock")
    }
    if futex.expected == 2, value == 2 {
      return wait(.mutex, .exclusive, "a Mutex, or a Condvar that was notified twice")
    }
    if futex.expected == 5, value == 5 {
      return wait(.once, .exclusive, "a Once, or a Condvar that was notified five times")
    }
    return nil
  }

  /// A writer sleeps behind a state word that says so. Beside a condition's counter lies anything: 0xffffffff in the
  /// padding of a structure was seen in a live program, and would be a lock that is written while both readers and writers
  /// wait. Hence the number of readers must be possible (no more threads than PID_MAX_LIMIT, include/linux/threads.h), and
  /// where the word says that readers wait, one must sleep on it.
  private func isStateOfWaitingWriter(at address: Address) -> Bool {
    guard let state = memory.load(UInt32.self, at: address), state & 0x8000_0000 != 0 else { return false }
    let readers = state & 0x3fff_ffff
    guard readers == 0x3fff_ffff || (1...0x40_0000).contains(readers) else { return false }
    return state & 0x4000_0000 == 0 || sleptOn?.contains(address) ?? true
  }

  /// FUTEX_CLOCK_REALTIME, which glibc sets on its own waits without a time limit, and Rust never.
  private static let realtimeFlag: UInt32 = 0x100
}
