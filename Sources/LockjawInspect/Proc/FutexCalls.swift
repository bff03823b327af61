import LockjawModel

/// The futex calls beside futex(2): futex_waitv (Linux 5.16) and futex_wait (6.7), with the arguments that the kernel's
/// kernel/futex/syscalls.c gives them.
extension ThreadActivity {
  /// futex_waitv(waiters, count, flags, time limit, clock): asleep until one of the words is woken.
  static let futexVector = 449
  /// futex_wait(word, value, mask, flags, time limit, clock).
  static let newFutexWait = 455

  static func isFutexCall(_ number: Int) -> Bool { [futex, futexVector, newFutexWait].contains(number) }

  /// The same with a wait for one word as the futex(2) call that does the same, which is how everything else here knows
  /// futex waits. A wait for several words stays what it is: whoever wakes any of them ends it, so that none is *the* word.
  /// - Parameter memory: has the array of a futex_waitv. What stands there is the program's: an array that cannot be read,
  ///   or names no word, leaves the call as it is.
  func asFutexCall(_ memory: any MemoryReader) -> ThreadActivity {
    guard case .systemCall(let number, let arguments) = place else { return self }
    if number == Self.newFutexWait {
      return Self.futexCall(
        word: arguments[0], flags: arguments[3], expected: arguments[1], mask: arguments[2], timeLimit: arguments[4])
    }
    // struct futex_waitv: value and address of 8 bytes each, flags and zeroes of 4.
    guard let address = onlyEntry, let bytes = memory.bytes(at: address, count: 24) else { return self }
    let entry = MemoryImage(base: Address(0), bytes: bytes)
    guard let expected = entry.load(UInt64.self, at: Address(0)), let word = entry.load(UInt64.self, at: Address(8)),
      let flags = entry.load(UInt32.self, at: Address(16)), word != 0
    else { return self }
    return Self.futexCall(
      word: word, flags: UInt64(flags), expected: expected, mask: .max, timeLimit: arguments[3])
  }

  /// Where the array of a futex_waitv with one entry is.
  var onlyEntry: Address? { futexVectorCount == 1 ? vector : nil }

  /// How many words a futex_waitv is for; `nil` for any other call.
  var futexVectorCount: UInt32? {
    guard case .systemCall(Self.futexVector, let arguments) = place else { return nil }
    return UInt32(truncatingIfNeeded: arguments[1])
  }

  private var vector: Address? {
    guard case .systemCall(_, let arguments) = place else { return nil }
    return Address(arguments[0])
  }

  private static func futexCall(
    word: UInt64, flags: UInt64, expected: UInt64, mask: UInt64, timeLimit: UInt64
  ) -> ThreadActivity {
    // FUTEX2_PRIVATE and FUTEX_PRIVATE_FLAG are the same bit. FUTEX_WAIT has no mask, FUTEX_WAIT_BITSET has.
    let command: UInt64 = UInt32(truncatingIfNeeded: mask) == .max ? 0 : 9
    return ThreadActivity(
      place: .systemCall(number: futex, arguments: [word, flags & 0x80 | command, expected, timeLimit, 0, mask]))
  }
}
