import LockjawModel

/// The guard of a C++ function-local static (Itanium C++ ABI, 3.3.3): byte 0 says done, byte 1 in progress, both in
/// libstdc++ (guard.cc, futex variant) and libc++abi (cxa_guard_impl.h). Neither names who is at it.
struct CxxGuardWord {
  static let byteCount = 8
  private let done: Bool
  private let inProgress: Bool
  private let hasWaiters: Bool

  init(_ value: UInt32) {
    done = value & 0xFF != 0
    // libc++abi leaves a "complete" bit behind in byte 1, together with byte 0.
    inProgress = value & 0xFF00 != 0 && !done
    hasWaiters = value & 0x1_0400 != 0
  }

  func lockWord(at address: Address) -> LockWord {
    LockWord(
      address: address, type: .staticGuard, recordsOwner: false, isTaken: inProgress,
      description: done
        ? "initialised" : inProgress ? "being initialised" + (hasWaiters ? ", with waiters" : "") : "not initialised",
      byteCount: Self.byteCount, library: .libstdcxx, hasWaiters: inProgress ? hasWaiters : nil)
  }
}
