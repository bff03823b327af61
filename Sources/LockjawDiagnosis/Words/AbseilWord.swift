import LockjawModel

/// `absl::Mutex`, one word (`synchronization/mutex.cc`, LTS 2020 to 2023): a reader-writer lock without a recorded owner.
///
/// Bits: 1 readers have it, 2 a waiter has been woken, 4 threads wait, 8 a writer has it, 16 an event is traced, 32
/// a writer waits among others, 64 the list is being changed. Above bit 8: without waiters the number of readers;
/// with waiters the last of them, a `PerThreadSynch`, which then keeps that number.
package struct AbseilMutexWord: Hashable, Sendable {
  static let byteCount = 8
  static let reader: UInt64 = 1
  static let wait: UInt64 = 4
  static let writer: UInt64 = 8
  static let writerWaits: UInt64 = 32
  static let lowMask: UInt64 = 0xff

  package var value: UInt64

  var hasWaiters: Bool { value & Self.wait != 0 }
  /// The `PerThreadSynch` of the last waiter.
  var lastWaiter: Address? { hasWaiters ? Address(value & ~Self.lowMask) : nil }

  /// - Parameter readersOfLastWaiter: what the last waiter's record has in its `readers` field; `nil`: not read.
  func lockWord(at address: Address, readersOfLastWaiter: UInt64?) -> LockWord {
    let isWritten = value & Self.writer != 0
    let isRead = value & Self.reader != 0
    var readers: Int? = 0
    if isRead { readers = (hasWaiters ? readersOfLastWaiter : value).map { Int(clamping: $0 >> 8) } }
    var text = isWritten ? "locked" : isRead ? "read-locked" : "free"
    if isRead, !isWritten, let readers { text += " by " + counted(readers, "reader") }
    if hasWaiters { text += ", waiters queued" }
    if isWritten || isRead { text += ", no owner recorded" }
    var word = LockWord(
      address: address, type: .rwlock, recordsOwner: false, readerCount: readers, isTaken: isWritten || isRead,
      policy: .prefersWriters, hasPendingWriter: hasWaiters ? value & Self.writerWaits != 0 : false,
      variant: "absl::Mutex", description: text, byteCount: Self.byteCount, library: .abseil, hasWaiters: hasWaiters)
    if isWritten, isRead {
      let value = "0x" + String(value, radix: 16)
      word.declareImpossible("\(value) (locked for reading and writing at once)", "absl::Mutex")
    }
    return word
  }
}
