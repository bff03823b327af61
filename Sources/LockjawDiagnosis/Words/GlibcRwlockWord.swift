import LockjawModel

/// `pthread_rwlock_t`, 56 bytes: readers at 0, writers at 4, futex words at 8 and 12, current writer at 24, kind
/// at 48.
///
/// `readers` holds the whole state (the table in `pthread_rwlock_common.c`): bit 0 says *write phase*, bit 1 that
/// there is a primary writer, bit 2 that readers wait for a writer to go first, and the rest counts readers that
/// have the lock *or are trying to*. In a read phase all counted readers are inside; in a write phase none is, and
/// those counted wait. So the lock is
///
/// - write-locked in a write phase with a primary writer. Where the current writer is 0 then, it has been handed over
///   to a writer that has not woken yet;
/// - read-locked in a read phase with readers; a primary writer then waits for them to leave.
package struct GlibcRwlockWord: Hashable, Sendable {
  package static let byteCount = 56

  package var readers: UInt32
  package var writers: UInt32
  package var writersFutex: UInt32
  package var currentWriter: UInt32
  package var kind: UInt32

  private static let writePhase: UInt32 = 1
  private static let writeLocked: UInt32 = 2
  private static let readerShift: UInt32 = 3
  /// In `writers`: the primary role is being handed to one of those counted.
  private static let handOver: UInt32 = 0x8000_0000
  /// In a futex word: somebody may sleep on it.
  private static let futexUsed: UInt32 = 2

  private enum Kind {
    static let prefersReaders: UInt32 = 0
    /// Holds no reader back either: POSIX wants recursive reads to work. It only hands over from writer to writer.
    static let prefersWriters: UInt32 = 1
    static let prefersWritersNonrecursive: UInt32 = 2
  }

  init(_ word: WordBytes) {
    readers = word.int32(at: 0)
    writers = word.int32(at: 4)
    writersFutex = word.int32(at: 12)
    currentWriter = word.int32(at: 24)
    kind = word.int32(at: 48)
  }

  package var isWritePhase: Bool { readers & Self.writePhase != 0 }
  package var hasPrimaryWriter: Bool { readers & Self.writeLocked != 0 }
  package var isWriteLocked: Bool { isWritePhase && hasPrimaryWriter }
  /// Readers that have the lock.
  package var readersInside: Int { isWritePhase ? 0 : Int(readers >> Self.readerShift) }
  /// Readers that are counted and wait for the read phase.
  package var readersWaiting: Int { isWritePhase ? Int(readers >> Self.readerShift) : 0 }
  /// Writers that registered behind the primary one; those of the default kind do not register.
  package var writersRegistered: Int { Int(writers & ~Self.handOver) }

  /// Whether a writer waits; `nil` where the word cannot tell.
  package var hasPendingWriter: Bool? {
    if hasPrimaryWriter, !isWritePhase { return true }
    if writersRegistered > 0 { return true }
    // The mark of the default kind's sleepers may be out of date.
    return writersFutex & Self.futexUsed != 0 ? nil : false
  }

  package var policy: LockWord.Policy {
    kind == Kind.prefersWritersNonrecursive ? .prefersWriters : .prefersReaders
  }

  package var variant: String {
    switch kind {
    case Kind.prefersReaders: "prefers readers"
    case Kind.prefersWriters: "prefers writers, but not before recursive readers"
    case Kind.prefersWritersNonrecursive: "prefers writers"
    default: "unknown kind \(kind)"
    }
  }

  func lockWord(at address: Address) -> LockWord {
    LockWord(
      address: address, type: .rwlock, owner: isWriteLocked ? ThreadID(ownerField: currentWriter) : nil,
      recordsOwner: true, readerCount: readersInside, isTaken: isWriteLocked || readersInside > 0, policy: policy,
      hasPendingWriter: hasPendingWriter, variant: variant, description: description, byteCount: Self.byteCount)
  }

  private var description: String {
    var parts: [String] = []
    if isWriteLocked {
      parts.append(
        ThreadID(ownerField: currentWriter).map { "write-locked by thread \($0)" }
          ?? "write-locked, handed to a writer that has not woken yet")
    } else if readersInside > 0 {
      parts.append("read-locked by \(readersInside == 1 ? "1 reader" : "\(readersInside) readers")")
    } else {
      parts.append("free")
    }
    if readersWaiting > 0 { parts.append(readersWaiting == 1 ? "1 reader waits" : "\(readersWaiting) readers wait") }
    if hasPendingWriter == true { parts.append("a writer waits") }
    return parts.joined(separator: ", ")
  }
}
