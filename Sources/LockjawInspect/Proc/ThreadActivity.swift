import LockjawModel

/// Where in the kernel a thread is, with the call's arguments.
struct ThreadActivity: Hashable {
  enum Place: Hashable {
    case systemCall(number: Int, arguments: [UInt64])
    case running
    /// Neither on a processor nor in a system call: in a page fault, or stopped.
    case stoppedOrFaulting
    /// A system call of a 32-bit program: other numbers.
    case thirtyTwoBit
  }
  var place: Place

  /// `/proc/PID/task/TID/syscall`: "running", "-1 sp pc", or "number six-arguments sp pc".
  init?(_ content: [UInt8]) {
    let fields = String(decoding: content, as: UTF8.self).split(whereSeparator: { $0 == " " || $0 == "\n" })
    guard let first = fields.first else { return nil }
    if first == "running" {
      place = .running
      return
    }
    guard let number = Int(first) else { return nil }
    if number < 0 {
      place = .stoppedOrFaulting
      return
    }
    let values = fields.dropFirst().compactMap { UInt64($0.dropFirst(2), radix: 16) }
    guard values.count == 8 else { return nil }
    // Stack and code both below 4 GiB: a 32-bit program, whose call numbers mean something else.
    if values[6] < 1 << 32, values[7] < 1 << 32, values[6] != 0 {
      place = .thirtyTwoBit
      return
    }
    place = .systemCall(number: number, arguments: Array(values[0..<6]))
  }

  init(place: Place) { self.place = place }

  /// The futex word the thread sleeps on, `nil` where it does not.
  var futexWord: Address? {
    guard case .systemCall(Self.futex, let arguments) = place else { return nil }
    switch arguments[1] & Self.futexCommandMask {
    case 0, 6, 9, 11, 13: return Address(arguments[0])  // WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2
    default: return nil
    }
  }

  /// The same with the call's other arguments.
  var futexWait: FutexWait? {
    guard let word = futexWord, case .systemCall(_, let arguments) = place else { return nil }
    return FutexWait(
      word: word, operation: UInt32(truncatingIfNeeded: arguments[1]),
      expected: UInt32(truncatingIfNeeded: arguments[2]), hasTimeLimit: arguments[3] != 0)
  }

  var kernelState: KernelState {
    switch place {
    case .running, .stoppedOrFaulting: return .running
    case .thirtyTwoBit:
      return .unknown(
        reason: "a 32-bit program numbers its system calls differently, and lockjaw reads 64-bit ones only")
    case .systemCall(let number, _):
      if let word = futexWord { return .futexWait(word: word) }
      return .systemCall(number: number, name: SystemCallName.of(number))
    }
  }

  static let futex = 202
  static let poll = 7
  static let sleep = 230
  /// A wait with a time limit that a stop interrupted goes on as this call, with the old arguments in place.
  static let restart = 219
  /// Without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME.
  private static let futexCommandMask: UInt64 = 0x7F
}
