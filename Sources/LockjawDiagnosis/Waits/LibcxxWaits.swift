import LockjawModel

/// Waits of libc++'s atomics (`libcxx/src/atomic.cpp` and `<atomic>`, LLVM 14).
///
/// `atomic::wait`, `latch`, `counting_semaphore` and whatever else is built on them come to one function of the library,
/// `__libcpp_atomic_wait`, in two forms. For an atomic of 32 bits the thread sleeps on the atomic itself. For all others
/// (latches and semaphores have 64 bits) it sleeps on a counter in a table of 256, which the atomic's address is hashed
/// into, and the address is kept nowhere.
///
/// Every sleep has a limit of two seconds, for wake-ups that might be lost; the caller compares the value and sleeps again.
/// The functions that do have a time limit (`try_acquire_for`) never come here, but poll. So the wait has none, whatever the
/// kernel shows of the sleep.
///
/// Whoever ends such a wait changes what is slept on: the atomic's value, or the table's counter, which every notification
/// raises. Where it is no longer what the thread fell asleep on, the thread is about to go on, whatever its registers show.
/// (It may have been stopped for a look just before it was woken.)
///
/// `std::barrier` polls as well: it sleeps for 8 ms at a time, in no futex.
extension WaitDecoder {
  func libcxxWait(_ thread: SleepingThread, _ frame: Int) -> DecodedWait {
    let callers = thread.stack.dropFirst(frame).prefix(12).compactMap(\.function).map { SimpleName($0) }
    let purpose = Self.purposes.first { purpose in callers.contains { purpose.matches($0) } }?.words
    // The form for any other atomic takes `void const volatile *`; a name without arguments tells neither.
    let arguments = (thread.stack[frame].function ?? "").drop { $0 != "(" }
    let isOwnWord = arguments.contains("__cxx_atomic_impl") || arguments.contains("__cxx_atomic_contention_t")
    let place =
      isOwnWord
      ? "the atomic \(thread.futex.word), while it is \(Int32(bitPattern: thread.futex.expected))"
      : "an atomic whose address is not kept: libc++ sleeps at \(thread.futex.word), in its table of waiters"
    let lock = isOwnWord ? thread.futex.word : nil
    if let value = memory.load(UInt32.self, at: thread.futex.word), value != thread.futex.expected {
      return thread.wait(
        .libcxx, .futex, .signal, lock: lock, .function,
        "Thread \(thread.tid) was asleep on \(place); that has changed since, so the thread is about to look again.")
    }
    var wait = thread.wait(
      .libcxx, .futex, .signal, lock: lock, .function,
      "Thread \(thread.tid) waits " + (purpose.map { $0 + ", " } ?? "") + "on \(place). libc++ sleeps two seconds at a "
        + "time and looks again; the wait itself has no time limit, and any thread can end it.")
    (wait.hasTimeLimit, wait.isRenewed) = (false, thread.futex.hasTimeLimit)
    return wait
  }

  private struct Purpose: Sendable {
    let type: String
    let functions: Set<String>
    let words: String

    func matches(_ name: SimpleName) -> Bool {
      // "wait const": of a function's qualifiers the name keeps the word.
      functions.contains(String(name.last.prefix { $0 != " " })) && name.path.hasPrefix("std::")
        && name.path.contains(type)
    }
  }

  /// What the callers' names tell, where they have names: most are inlined.
  private static let purposes = [
    Purpose(type: "latch", functions: ["wait", "arrive_and_wait"], words: "in std::latch"),
    Purpose(type: "semaphore", functions: ["acquire"], words: "in std::counting_semaphore::acquire"),
    Purpose(type: "atomic_flag", functions: ["wait"], words: "in std::atomic_flag::wait"),
  ]
}
