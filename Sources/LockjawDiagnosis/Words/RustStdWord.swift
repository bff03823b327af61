import LockjawModel

/// Words of Rust's standard library on Linux, since its locks became futexes (1.62; `library/std/src/sys/…/futex*.rs`).
///
/// None of them records an owner. A marker that waiters exist is set before they sleep and cleared by whoever wakes
/// them, so it may be out of date.
package enum RustStdWord {
  // MARK: Mutex

  /// `sys::Mutex`, 4 bytes: 0 free, 1 locked, 2 locked and somebody may sleep on it. The same in every version.
  static func mutex(_ value: UInt32, at address: Address) -> LockWord {
    var word = LockWord(
      address: address, type: .mutex, recordsOwner: false, isTaken: value != 0, description: "", byteCount: 4,
      library: .rustStd, hasWaiters: value == 2)
    switch value {
    case 0: word.description = "free"
    case 1: word.description = "locked; its word records no owner"
    case 2: word.description = "locked, perhaps with waiters; its word records no owner"
    default:
      word.hasWaiters = nil
      word.impossibility = "0x" + String(value, radix: 16) + ": impossible state of std::sync::Mutex"
      word.description = word.impossibility ?? ""
    }
    return word
  }

  // MARK: RwLock

  private static let readerMask: UInt32 = 0x3fff_ffff
  /// All ones in the reader field stand for a writer; one less is the most readers there may be.
  private static let writeLocked = readerMask
  private static let readersWait: UInt32 = 1 << 30
  private static let writersWait: UInt32 = 1 << 31

  /// `sys::RwLock`, 8 bytes: state at 0, the word that writers sleep on at 4. The same in every version.
  static func rwlock(_ state: UInt32, at address: Address) -> LockWord {
    let field = state & readerMask
    let isWritten = field == writeLocked
    let readers = isWritten ? 0 : Int(field)
    let readersWait = state & Self.readersWait != 0
    let writersWait = state & Self.writersWait != 0
    var text = isWritten ? "write-locked" : readers == 0 ? "free" : "read-locked by " + counted(readers, "reader")
    if readersWait { text += ", readers wait" }
    if writersWait { text += ", writers wait" }
    if field != 0 { text += "; its word records no owner" }
    // A new reader goes behind whoever waits, and writers are woken first.
    return LockWord(
      address: address, type: .rwlock, recordsOwner: false, readerCount: readers, isTaken: field != 0,
      policy: .prefersWriters, hasPendingWriter: writersWait, description: text, byteCount: 8, library: .rustStd,
      hasWaiters: readersWait || writersWait)
  }

  // MARK: Once

  /// `sys::Once`, 4 bytes, in either of two numberings.
  ///
  /// 1.66 counted up (incomplete 0, poisoned 1, running 2, running with waiters 3, complete 4); since 1.84 it is
  /// complete 0, running 1, poisoned 2, incomplete 3, and 4 is a bit of its own: waiters. A word that somebody sleeps
  /// on tells them apart, 3 or 5 and above; others of the older numbering are not told, and read as what both may
  /// be. (Before 1.66 a `Once` was a queue of parked threads, and nobody slept on its word.)
  static func once(_ value: UInt32, at address: Address, isSleptOn: Bool) -> LockWord {
    var word = LockWord(
      address: address, type: .once, recordsOwner: false, isTaken: false, description: "", byteCount: 4,
      library: .rustStd)
    let newer: UInt32 = value & ~4
    switch value {
    case 3 where isSleptOn:
      (word.isTaken, word.hasWaiters, word.description) = (true, true, "being initialised, with waiters")
    case 5:
      (word.isTaken, word.hasWaiters, word.description) = (true, true, "being initialised, with waiters")
    case 1, 2:
      word.description = "being initialised or poisoned (1 and 2 changed places in Rust 1.84)"
    case 0, 4:
      word.description = "complete, or not begun (the numbering changed in Rust 1.84)"
    case 6, 7:
      word.hasWaiters = true
      word.description = newer == 2 ? "poisoned, with waiters" : "not begun, with waiters"
    case 3:
      word.description = "not begun, or being initialised with waiters (the numbering changed in Rust 1.84)"
    default:
      word.impossibility = "0x" + String(value, radix: 16) + ": impossible state of std::sync::Once"
      word.description = word.impossibility ?? ""
    }
    return word
  }

  // MARK: what nobody holds

  /// `sys::Condvar`, 4 bytes: a counter of notifications.
  static func condition(_ value: UInt32, at address: Address) -> LockWord {
    LockWord(
      address: address, type: .condition, recordsOwner: false, isTaken: false,
      description: "notified \(value) times (modulo 2^32)", byteCount: 4, library: .rustStd)
  }

  /// `thread::park`'s word: all ones parked, 0 nothing, 1 woken and not yet awake.
  static func parker(_ value: UInt32, at address: Address) -> LockWord {
    let text =
      switch value {
      case .max: "parked"
      case 0: "not parked"
      case 1: "unparked, and not yet awake"
      default: "word 0x" + String(value, radix: 16)
      }
    return LockWord(
      address: address, type: .futex, recordsOwner: false, isTaken: value == .max, variant: "thread parker",
      description: text, byteCount: 4, library: .rustStd)
  }
}

/// "1 reader", "3 readers".
func counted(_ count: Int, _ noun: String) -> String { count == 1 ? "1 \(noun)" : "\(count) \(noun)s" }
