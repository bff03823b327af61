import LockjawModel

/// The functions in which threads go to sleep, by library: what a stack must have for a wait to be of a kind.
///
/// The innermost function of these decides, since it is the one that made the system call; those further out (a
/// condition inside a channel, say) only call it.
struct WaitFunction: Sendable {
  /// Where the lock lies, seen from the word that is slept on.
  enum Place: Sendable {
    /// This many bytes below the word.
    case below(UInt64)
    /// The object is aligned to 8 bytes, and has its two words at these offsets, one a multiple of 8, one not.
    case aligned(even: UInt64, odd: UInt64)
    /// The lock's first word where that is what was expected to have waiting readers in it, else this far below.
    case readersOrPhase(UInt64)
    /// The thread's parking record tells.
    case parkingRecord
    /// abseil's per-thread record, or the stack, tells.
    case abseilRecord
    /// Not on any lock: on a word of the waiter's own.
    case ownWord
    /// On an atomic's value, or on libc++'s table of waiters.
    case atomic
  }

  let library: LockLibrary
  let type: LockType
  let mode: LockMode
  let place: Place
  /// Path the function must begin with, and the part of it that names the type. Both may be empty.
  let prefix: String
  let fragment: String
  /// Last parts of its path, without arguments.
  let names: Set<String>

  private init(
    _ library: LockLibrary, _ type: LockType, _ mode: LockMode, _ place: Place, _ prefix: String, _ fragment: String,
    _ names: Set<String>
  ) {
    (self.library, self.type, self.mode, self.place) = (library, type, mode, place)
    (self.prefix, self.fragment, self.names) = (prefix, fragment, names)
  }

  /// Frames in which such a function is looked for: debug builds have some twenty inlined or closure frames between the
  /// call and the lock's function.
  static let reach = 40

  /// The innermost frame that is one of these.
  ///
  /// glibc's functions make the system call themselves, so they count only where nothing but the C library is inside
  /// of them: an initialiser that `pthread_once` runs may sleep for anything.
  static func innermost(in stack: [Frame]) -> (function: WaitFunction, frame: Int)? {
    var isInsideCLibrary = true
    for (index, frame) in stack.prefix(reach).enumerated() {
      isInsideCLibrary = isInsideCLibrary && frame.isPlumbing
      guard let text = frame.function else { continue }
      let name = SimpleName(text)
      // `syscall` is how other libraries sleep.
      if name.path == "syscall" { isInsideCLibrary = false }
      if let match = all.first(where: { $0.matches(name) && ($0.library != .glibc || isInsideCLibrary) }) {
        return (match, index)
      }
    }
    return nil
  }

  /// Whether the innermost frames, as far as they are a library's, are in one of these: then the thread's system call is a
  /// futex wait, whatever its number says.
  static func isAsleep(in stack: [Frame]) -> Bool {
    innermost(in: Array(stack.prefix(while: \.isPlumbing))) != nil
  }

  private func matches(_ name: SimpleName) -> Bool {
    guard names.contains(name.last) else { return false }
    // A C function has no path: "Queue::sem_wait" is the program's own.
    if prefix.isEmpty { return name.path == name.last }
    return name.path.hasPrefix(prefix) && (fragment.isEmpty || name.path.contains(fragment))
  }

  // MARK: the table

  /// Rust: paths of 1.62 (`std::sys::unix::locks::futex…`), 1.76 (`std::sys::pal::…`), 1.77 (`std::sys::locks::…`)
  /// and since 1.79 (`std::sys::sync::…`) differ only in the middle.
  private static let rust: [WaitFunction] = [
    .init(.rustStd, .mutex, .exclusive, .below(0), "std::sys", "Mutex", ["lock_contended"]),
    .init(.rustStd, .rwlock, .read, .below(0), "std::sys", "RwLock", ["read_contended"]),
    .init(.rustStd, .rwlock, .write, .below(4), "std::sys", "RwLock", ["write_contended"]),
    .init(
      .rustStd, .condition, .signal, .below(0), "std::sys", "Condvar",
      ["wait_optional_timeout", "wait", "wait_timeout"]),
    .init(.rustStd, .once, .exclusive, .below(0), "std::sys", "once::futex::Once", ["call", "wait"]),
    .init(.rustStd, .futex, .signal, .ownWord, "std::", "", ["park", "park_timeout"]),
    .init(.rustStd, .futex, .signal, .ownWord, "std::sys", "Parker", ["park", "park_timeout"]),
  ]

  private static let parkingLot: [WaitFunction] = [
    .init(.parkingLot, .mutex, .exclusive, .parkingRecord, "parking_lot::", "RawMutex", ["lock_slow"]),
    .init(
      .parkingLot, .rwlock, .read, .parkingRecord, "parking_lot::", "RawRwLock",
      ["lock_shared_slow", "lock_upgradable_slow"]),
    .init(
      .parkingLot, .rwlock, .write, .parkingRecord, "parking_lot::", "RawRwLock",
      ["lock_exclusive_slow", "upgrade_slow", "wait_for_readers"]),
    .init(.parkingLot, .condition, .signal, .parkingRecord, "parking_lot::", "Condvar", ["wait_until_internal"]),
    .init(.parkingLot, .once, .exclusive, .parkingRecord, "parking_lot::", "Once", ["call_once_slow"]),
  ]

  private static let abseil: [WaitFunction] = [
    .init(.abseil, .condition, .signal, .abseilRecord, "absl::", "CondVar", ["WaitCommon"]),
    .init(
      .abseil, .rwlock, .write, .abseilRecord, "absl::", "Mutex",
      ["LockSlowLoop", "LockSlow", "LockSlowWithDeadline", "AwaitCommon", "Block"]),
  ]

  private static let swift: [WaitFunction] = [
    .init(.swift, .piFutex, .exclusive, .below(0), "Synchronization.", "Mutex", ["_lock"])
  ]

  private static let libstdcxx: [WaitFunction] = [
    .init(.libstdcxx, .staticGuard, .exclusive, .below(0), "", "", ["__cxa_guard_acquire"]),
    .init(.libstdcxx, .semaphore, .exclusive, .below(0), "std::__atomic_semaphore", "", ["_M_acquire"]),
    .init(.libstdcxx, .barrier, .signal, .below(0), "std::latch", "", ["wait", "arrive_and_wait"]),
  ]

  /// `std::__1`, or what a vendor has for it (`__ndk1`, `__Cr`).
  private static let libcxx: [WaitFunction] = [
    .init(.libcxx, .futex, .signal, .atomic, "std::__", "", ["__libcpp_atomic_wait"])
  ]

  /// Exported and internal names of glibc 2.31 to 2.41, without their leading underscores, of C11's threads as well.
  private static let glibc: [WaitFunction] = [
    .init(
      .glibc, .mutex, .exclusive, .below(0), "", "",
      [
        "pthread_mutex_lock", "pthread_mutex_timedlock", "pthread_mutex_clocklock", "pthread_mutex_lock_full",
        "pthread_mutex_clocklock_common", "pthread_mutex_cond_lock", "pthread_mutex_cond_lock_full", "mtx_lock",
        "mtx_timedlock",
      ]),
    .init(
      .glibc, .rwlock, .read, .readersOrPhase(8), "", "",
      [
        "pthread_rwlock_rdlock", "pthread_rwlock_timedrdlock", "pthread_rwlock_clockrdlock",
        "pthread_rwlock_rdlock_full",
        "pthread_rwlock_rdlock_full64",
      ]),
    .init(
      .glibc, .rwlock, .write, .aligned(even: 8, odd: 12), "", "",
      [
        "pthread_rwlock_wrlock", "pthread_rwlock_timedwrlock", "pthread_rwlock_clockwrlock",
        "pthread_rwlock_wrlock_full",
        "pthread_rwlock_wrlock_full64",
      ]),
    .init(
      .glibc, .condition, .signal, .aligned(even: 40, odd: 44), "", "",
      [
        "pthread_cond_wait", "pthread_cond_timedwait", "pthread_cond_timedwait64", "pthread_cond_clockwait",
        "pthread_cond_clockwait64", "pthread_cond_wait_common", "cnd_wait", "cnd_timedwait",
      ]),
    .init(
      .glibc, .semaphore, .exclusive, .below(0), "", "",
      [
        "sem_wait", "sem_timedwait", "sem_timedwait64", "sem_clockwait", "sem_clockwait64", "new_sem_wait",
        "new_sem_wait_slow", "new_sem_wait_slow64", "do_futex_wait",
      ]),
    .init(.glibc, .barrier, .signal, .below(4), "", "", ["pthread_barrier_wait"]),
    .init(.glibc, .once, .exclusive, .below(0), "", "", ["pthread_once", "pthread_once_slow", "call_once"]),
    .init(
      .glibc, .join, .signal, .ownWord, "", "",
      [
        "pthread_join", "pthread_timedjoin_np", "pthread_clockjoin_np", "pthread_clockjoin_ex", "pthread_timedjoin_ex",
        "thrd_join",
      ]),
  ]

  static let all = rust + parkingLot + abseil + swift + libstdcxx + libcxx + glibc
}

/// A demangled name reduced to what tells a function: its path without template and call arguments.
struct SimpleName {
  /// "std::sys::sync::mutex::futex::Mutex::lock_contended"
  var path: String
  /// "lock_contended"
  var last: String

  /// Drops what stands in `<…>`, `(…)`, `[…]` and `{…}` (a Rust type's own function is written "<path::Type>::name",
  /// where the brackets go and the path stays), inline namespaces of abseil, and C names' leading underscores.
  init(_ text: String) {
    var body = Substring(text)
    var kept = ""
    if body.first == "<", let end = Self.matchingAngle(body) {
      // "<a::B as c::D>::f": what the trait is does not matter.
      let type = body[body.index(after: body.startIndex)..<end]
      kept = Self.dropArguments(Self.beforeAs(type))
      body = body[body.index(after: end)...]
    }
    kept += Self.dropArguments(body)
    var parts = kept.split(separator: ":", omittingEmptySubsequences: true).map(String.init)
    if parts.first == "absl" {
      parts.removeAll { $0.hasPrefix("lts_") || $0.hasPrefix("debian") }
    }
    // Versioned symbols of the C library, and `.part.0` and `.cold` of GCC.
    let tail = (parts.last ?? "").prefix { $0 != "@" && $0 != "." }
    if parts.count == 1 {
      var name = tail.drop { $0 == "_" }
      if name.hasPrefix("GI_") { name = name.dropFirst(3).drop { $0 == "_" } }
      last = tail == "__cxa_guard_acquire" ? String(tail) : String(name)
      path = last
    } else {
      last = String(tail)
      path = parts.joined(separator: "::")
    }
  }

  private static func matchingAngle(_ text: Substring) -> Substring.Index? {
    var depth = 0
    for index in text.indices {
      if text[index] == "<" { depth += 1 }
      if text[index] == ">" {
        depth -= 1
        if depth == 0 { return index }
      }
    }
    return nil
  }

  private static func beforeAs(_ type: Substring) -> Substring {
    var depth = 0
    var previous: Substring.Index?
    for index in type.indices {
      switch type[index] {
      case "<", "(", "[": depth += 1
      case ">", ")", "]": depth -= 1
      case " " where depth == 0 && type[index...].hasPrefix(" as "): return type[..<index]
      default: break
      }
      previous = index
    }
    return previous == nil ? type : type[...]
  }

  private static func dropArguments(_ text: Substring) -> String {
    var depth = 0
    var result = ""
    for character in text {
      switch character {
      case "<", "(", "[", "{": depth += 1
      case ">", ")", "]", "}": depth = max(0, depth - 1)
      default: if depth == 0 { result.append(character) }
      }
    }
    return result
  }
}
