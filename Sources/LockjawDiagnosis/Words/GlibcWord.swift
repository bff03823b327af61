import LockjawModel

/// Decodes glibc's synchronisation objects (x86-64, glibc 2.31 to 2.41) into `LockWord`s.
///
/// Layouts and meanings are those of glibc's `sysdeps/x86/nptl/bits`, `nptl/pthreadP.h` and the comments of
/// `nptl/pthread_rwlock_common.c`; the tests compare each with what a running C program has in memory. The bytes are
/// another process's: any value decodes to something, and nothing is believed beyond its range.
package enum GlibcWord {
  /// The decoded object at `address`, or `nil` where its bytes cannot be read or the type has no word (a join).
  ///
  /// - Parameter memory: gives this many bytes at an address, or `nil` where it cannot.
  package static func decode(
    _ type: LockType, at address: Address, memory: (Address, Int) -> [UInt8]?
  ) -> LockWord? {
    guard let byteCount = byteCount(of: type), let bytes = memory(address, byteCount), bytes.count >= byteCount else {
      return nil
    }
    let word = WordBytes(bytes)
    return switch type {
    case .mutex: GlibcMutexWord(word).lockWord(at: address)
    case .rwlock: GlibcRwlockWord(word).lockWord(at: address)
    case .semaphore: GlibcSemaphoreWord(word).lockWord(at: address)
    case .condition: GlibcConditionWord(word).lockWord(at: address)
    case .barrier: GlibcBarrierWord(word).lockWord(at: address)
    case .spinlock: GlibcSpinWord(word).lockWord(at: address)
    case .once: GlibcOnceWord(word).lockWord(at: address)
    case .piFutex: PIFutexWord(word.int32(at: 0)).lockWord(at: address)
    case .futex: plainFutex(word.int32(at: 0), at: address)
    case .staticGuard, .join, .custom, .fileLock, .pipe, .socket, .child: nil
    }
  }

  /// Bytes of an object of this type on x86-64 Linux: how much to read, and how far a wait on it may reach.
  package static func byteCount(of type: LockType) -> Int? {
    switch type {
    case .mutex: GlibcMutexWord.byteCount
    case .rwlock: GlibcRwlockWord.byteCount
    case .semaphore: GlibcSemaphoreWord.byteCount
    case .condition: GlibcConditionWord.byteCount
    case .barrier: GlibcBarrierWord.byteCount
    case .spinlock: GlibcSpinWord.byteCount
    case .once: GlibcOnceWord.byteCount
    case .piFutex, .futex: 4
    case .staticGuard, .join, .custom, .fileLock, .pipe, .socket, .child: nil
    }
  }

  /// A futex of a library nobody has named: its value means nothing here. Where somebody sleeps on it, it is not free.
  private static func plainFutex(_ value: UInt32, at address: Address) -> LockWord {
    LockWord(
      address: address, type: .futex, recordsOwner: false, isTaken: value != 0,
      description: "word 0x" + String(value, radix: 16), byteCount: 4)
  }
}

/// Little-endian fields of an object's bytes. A field outside them reads as zero, so no length can trap.
struct WordBytes {
  private let bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var count: Int { bytes.count }

  func byte(at offset: Int) -> UInt8 { offset >= 0 && offset < bytes.count ? bytes[offset] : 0 }

  func int64(at offset: Int) -> UInt64 {
    UInt64(int32(at: offset)) | UInt64(int32(at: offset + 4)) << 32
  }

  func int32(at offset: Int) -> UInt32 {
    guard offset >= 0, offset + 4 <= bytes.count else { return 0 }
    return (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << (8 * UInt32($1)) }
  }
}

extension ThreadID {
  /// A thread id out of a lock's owner field; `nil` for 0 and for what no kernel gives out. Futex words leave 30 bits.
  init?(ownerField value: UInt32) {
    guard value > 0, value <= PIFutexWord.threadMask else { return nil }
    self.init(Int32(value))
  }
}
