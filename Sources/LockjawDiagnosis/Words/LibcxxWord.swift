import LockjawModel

/// Words that libc++'s atomics are waited for on.
enum LibcxxWord {
  /// An atomic of 32 bits. What its values mean is the program's business.
  static func atomic(_ value: UInt32, at address: Address) -> LockWord {
    LockWord(
      address: address, type: .futex, recordsOwner: false, isTaken: false,
      description: "std::atomic of 32 bits, value \(Int32(bitPattern: value))", byteCount: 4, library: .libcxx)
  }

  /// A counter in libc++'s table, which every atomic with the same hash changes when it is notified.
  static func tableEntry(at address: Address) -> LockWord {
    LockWord(
      address: address, type: .futex, recordsOwner: false, isTaken: false,
      description: "a word of libc++'s table of waiters, which stands for any atomic that is hashed to it",
      byteCount: 4, library: .libcxx)
  }
}
