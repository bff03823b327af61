import LockjawModel

/// Objects of musl 1.1 and 1.2 (x86-64; `src/internal/pthread_impl.h`, `src/thread/pthread_*.c`).
package enum MuslWord {
  static let mutexByteCount = 40
  static let rwlockByteCount = 56
  static let semaphoreByteCount = 32

  private static let waiters: UInt32 = 0x8000_0000
  private static let ownerDied: UInt32 = 0x4000_0000
  /// A mutex of type normal has this where others have the owner's thread id (`EBUSY`).
  private static let anonymousOwner: UInt32 = 16

  /// `pthread_mutex_t`, 40 bytes: type at 0, lock word at 4, number of waiters at 8.
  ///
  /// Type: bits 0 and 1 normal, recursive or errorcheck; 4 robust, 8 PI, 128 shared.
  static func mutex(_ bytes: WordBytes, at address: Address) -> LockWord {
    let type = bytes.int32(at: 0)
    let lock = bytes.int32(at: 4)
    let base = ["normal", "recursive", "errorcheck", "normal"][Int(type & 3)]
    // Only normal mutexes without robustness go without an owner.
    let recordsOwner = type & 15 != 0
    let field = lock & 0x3fff_ffff
    var word = LockWord(
      address: address, type: .mutex, owner: recordsOwner ? ThreadID(ownerField: field) : nil,
      recordsOwner: recordsOwner, isTaken: field != 0, variant: base, description: "", byteCount: mutexByteCount,
      library: .musl, hasWaiters: lock & waiters != 0)
    if type & 4 != 0 { word.variant = base + ", robust" }
    word.description =
      field == 0
      ? "free" : word.owner.map { "locked by thread \($0)" } ?? "locked; a normal mutex of musl records no owner"
    if lock & ownerDied != 0 { word.description += ", left by an owner that died" }
    if lock & waiters != 0 { word.description += ", perhaps with waiters" }
    return word
  }

  /// `pthread_rwlock_t`, 56 bytes: at 0 the readers, or 0x7fffffff for a writer, and bit 31 for waiters; the number of
  /// waiters at 4.
  static func rwlock(_ bytes: WordBytes, at address: Address) -> LockWord {
    let field = bytes.int32(at: 0) & ~waiters
    let hasWaiters = bytes.int32(at: 0) & waiters != 0
    let isWritten = field == 0x7fff_ffff
    let readers = isWritten ? 0 : Int(field)
    var text = isWritten ? "write-locked" : readers == 0 ? "free" : "read-locked by " + counted(readers, "reader")
    if hasWaiters { text += ", perhaps with waiters" }
    if field != 0 { text += "; its word records no owner" }
    // Readers enter past a waiting writer.
    return LockWord(
      address: address, type: .rwlock, recordsOwner: false, readerCount: readers, isTaken: field != 0,
      policy: .prefersReaders, hasPendingWriter: nil, description: text, byteCount: rwlockByteCount, library: .musl,
      hasWaiters: hasWaiters)
  }

  /// `sem_t`, 32 bytes: at 0 the value, whose bit 31 (the whole word -1 in older releases) says that there may be
  /// waiters; their number at 4.
  static func semaphore(_ bytes: WordBytes, at address: Address) -> LockWord {
    let raw = bytes.int32(at: 0)
    let value = raw == .max ? 0 : raw & ~waiters
    return LockWord(
      address: address, type: .semaphore, recordsOwner: false, isTaken: value == 0,
      description: "value \(value), " + counted(Int(bytes.int32(at: 4) & ~waiters), "waiter"),
      byteCount: semaphoreByteCount, library: .musl, hasWaiters: raw & waiters != 0)
  }
}
