import LockjawModel

/// Words of parking_lot 0.9 to 0.12 (`raw_mutex.rs`, `raw_rwlock.rs`, `once.rs`, `condvar.rs`). None records an owner;
/// those of `ReentrantMutex` are a plain mutex inside one that does.
///
/// Waiters do not sleep on these words: see `ParkingLotWaits`.
package enum ParkingLotWord {
  // MARK: Mutex

  /// `RawMutex`, one byte: bit 0 locked, bit 1 threads are parked.
  static func mutex(_ value: UInt8, at address: Address) -> LockWord {
    let isParked = value & 2 != 0
    var word = LockWord(
      address: address, type: .mutex, recordsOwner: false, isTaken: value & 1 != 0, description: "", byteCount: 1,
      library: .parkingLot, hasWaiters: isParked)
    word.description = word.isTaken ? "locked" : "free"
    if isParked { word.description += ", waiters parked" }
    if word.isTaken { word.description += ", no owner recorded" }
    if value > 3 { word.declareImpossible("0x" + String(value, radix: 16), "parking_lot::RawMutex") }
    return word
  }

  // MARK: RwLock

  private static let parked: UInt64 = 1
  private static let writerParked: UInt64 = 2
  private static let upgradable: UInt64 = 4
  private static let writer: UInt64 = 8
  private static let readerShift: UInt64 = 4

  /// `RawRwLock`, 8 bytes: readers from bit 4 up; bit 3 a writer, bit 2 one reader is upgradable, bit 1 the writer is
  /// parked, bit 0 others are.
  ///
  /// The writer bit with readers inside belongs to a writer that only waits for them to leave; from then on new
  /// readers queue behind it.
  static func rwlock(_ state: UInt64, at address: Address) -> LockWord {
    let readers = state >> readerShift
    let hasWriter = state & writer != 0
    let isUpgradable = state & upgradable != 0
    // More readers than there can be threads, clamped: the field of a broken word has 60 bits.
    let count = Int(clamping: readers)
    var word = LockWord(
      address: address, type: .rwlock, recordsOwner: false, readerCount: count, isTaken: readers != 0 || hasWriter,
      policy: .prefersWriters, hasPendingWriter: readers != 0 && hasWriter, description: "", byteCount: 8,
      library: .parkingLot, hasWaiters: state & (parked | writerParked) != 0)
    var text = readers == 0 ? (hasWriter ? "write-locked" : "free") : "read-locked by " + counted(count, "reader")
    if isUpgradable { text += readers == 1 ? ", upgradable" : ", one of them upgradable" }
    if readers != 0, hasWriter { text += ", a writer waits for them to leave" }
    if state & parked != 0 { text += ", waiters parked" }
    if word.isTaken { text += ", no owner recorded" }
    word.description = text
    if state == .max {
      word.declareImpossible("all bits set", "parking_lot::RawRwLock")
    } else if let reason = contradiction(state) {
      word.declareImpossible("0x" + String(state, radix: 16) + " (\(reason))", "parking_lot::RawRwLock")
    }
    return word
  }

  /// What the comments of `raw_rwlock.rs` rule out about its bits, and a count that no process can reach.
  private static func contradiction(_ state: UInt64) -> String? {
    let readers = state >> readerShift
    let hasWriter = state & writer != 0
    // A process has at most 2^22 threads, and a thread would have to forget guards for minutes to pass this.
    if readers >= 1 << 40 { return "\(readers) readers" }
    if state & writerParked != 0, !hasWriter { return "a writer is parked without having announced itself" }
    if state & upgradable != 0, hasWriter { return "upgradable and claimed by a writer at once" }
    if state & upgradable != 0, readers == 0 { return "upgradable without a reader" }
    return nil
  }

  // MARK: Once, Condvar

  /// `Once`, one byte: bit 0 done, 1 poisoned, 2 running, 3 threads are parked.
  static func once(_ value: UInt8, at address: Address) -> LockWord {
    let isRunning = value & 4 != 0
    let isParked = value & 8 != 0
    var word = LockWord(
      address: address, type: .once, recordsOwner: false, isTaken: isRunning, description: "", byteCount: 1,
      library: .parkingLot, hasWaiters: isParked)
    word.description =
      isRunning ? "being initialised" : value & 1 != 0 ? "done" : value & 2 != 0 ? "poisoned" : "not begun"
    if isParked { word.description += ", waiters parked" }
    if value > 15 || (value & 1 != 0 && isRunning) {
      word.declareImpossible("0x" + String(value, radix: 16), "parking_lot::Once")
    }
    return word
  }

  /// `Condvar`, 8 bytes: the mutex its waiters will re-acquire, 0 without waiters.
  static func condition(_ mutex: UInt64, at address: Address) -> LockWord {
    LockWord(
      address: address, type: .condition, recordsOwner: false, isTaken: false,
      description: mutex == 0 ? "no waiters" : "with waiters, of mutex \(Address(mutex))", byteCount: 8,
      library: .parkingLot, hasWaiters: mutex != 0)
  }
}

extension LockWord {
  /// Says in words that no sequence of correct operations leads to this value. Counts mean nothing then, and
  /// nobody waits behind anybody.
  mutating func declareImpossible(_ value: String, _ type: String) {
    let sentence = "\(value): impossible state of \(type)"
    (impossibility, description) = (sentence, sentence)
    (readerCount, hasPendingWriter, policy) = (nil, nil, nil)
  }
}
