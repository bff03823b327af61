import LockjawInspect
import LockjawModel

/// What a thread parked by parking_lot_core 0.8 or 0.9 keeps about itself: `ThreadData`.
///
/// Rust chooses the order of its fields, and rustc puts those of eight bytes first: key, next in queue, unpark token,
/// park token, then the futex word, then whether there is a time limit. So seen in release, debug and LTO builds of
/// rustc 1.63 and 1.95; a record that does not fit is not used.
struct ParkingRecord: Hashable {
  static let futexOffset: UInt64 = 32

  var address: Address
  /// The queue: the lock's address, or one more for a writer that waits for readers to leave.
  var key: UInt64
  var next: Address?
  /// What the waiter wants: 0 a mutex, condition or once; of an rwlock the state bits it wants to add.
  var token: UInt64
  var isTimed: Bool

  /// The record around the word that `futex` is about; `nil` where it cannot be one.
  init?(_ futex: FutexWait, memory: any MemoryReader) {
    guard futex.word.rawValue > Self.futexOffset else { return nil }
    self.init(at: Address(futex.word.rawValue - Self.futexOffset), memory: memory)
  }

  init?(at address: Address, memory: any MemoryReader) {
    guard address.rawValue % 8 == 0, let bytes = memory.bytes(at: address, count: 40) else { return nil }
    let fields = WordBytes(bytes)
    let parked = fields.int32(at: 32)
    let timed = fields.byte(at: 36)
    let next = fields.int64(at: 8)
    key = fields.int64(at: 0)
    token = fields.int64(at: 24)
    // 0 has been woken and does not know yet.
    guard parked <= 1, timed <= 1, Self.tokens.contains(token), key >= 4096, next % 8 == 0 else { return nil }
    self.address = address
    self.next = next == 0 ? nil : Address(next)
    isTimed = timed == 1
  }

  /// The tokens of `raw_mutex.rs` and `raw_rwlock.rs`: default, exclusive, shared, upgradable.
  private static let tokens: Set<UInt64> = [0, exclusive, shared, upgradable]
  static let exclusive: UInt64 = 8
  static let shared: UInt64 = 16
  static let upgradable: UInt64 = 20

  /// Whether the chain behind this record is one of records, as a queue must be.
  func hasPlausibleQueue(_ memory: any MemoryReader) -> Bool {
    var next = self.next
    for _ in 0..<8 {
      guard let address = next else { return true }
      guard let record = ParkingRecord(at: address, memory: memory) else { return false }
      next = record.next
    }
    return true
  }
}

extension WaitDecoder {
  /// - Parameter function: the function on the stack that says what is waited for; `nil`: none has a name.
  func parkingLotWait(_ thread: SleepingThread, _ function: WaitFunction?) -> DecodedWait? {
    // `ThreadParker::park` sleeps for as long as the word is 1.
    guard thread.futex.command == 0, thread.futex.expected == 1 else { return nil }
    guard let record = ParkingRecord(thread.futex, memory: memory), record.hasPlausibleQueue(memory) else { return nil }
    guard let (type, lock) = parkedFor(record, function), let mode = mode(type, record) else { return nil }
    if let function, function.type != type, function.type != .condition { return nil }
    let word = LibraryWord.decode(.parkingLot, type, at: lock, memory: memory)
    // The library sets the bit before a thread parks, so a possible word without it is none of a lock's.
    guard let word, word.impossibility != nil || word.hasWaiters == true || function != nil else { return nil }
    var text = "Thread \(thread.tid) is parked for key \(Address(record.key)) (its record at \(record.address)"
    text += record.token == 0 ? ")" : ", token \(record.token))"
    if type == .rwlock {
      let isUpgradable = record.token == ParkingRecord.upgradable
      text += isUpgradable ? ", an upgradable reader" : mode == .read ? ", a reader" : ", a writer"
      if record.key != lock.rawValue { text += " that waits for readers to leave" }
    }
    if function == nil { text += "; no function on its stack has a name" }
    if word.impossibility == nil, word.hasWaiters != true { text += "; the lock's word does not say that anyone waits" }
    var wait = thread.wait(.parkingLot, type, mode, lock: lock, function == nil ? .record : .function, text + ".")
    wait.hasTimeLimit = record.isTimed
    return wait
  }

  /// Kind and address of what the record's key stands for.
  private func parkedFor(_ record: ParkingRecord, _ function: WaitFunction?) -> (LockType, Address)? {
    let key = Address(record.key)
    // Only rwlocks park with a token, at their address or, since that is a multiple of 8, one above.
    if record.token != 0 {
      guard record.key % 8 <= 1 else { return nil }
      return (.rwlock, Address(record.key & ~1))
    }
    switch function?.type {
    case .mutex, .once: return function.map { ($0.type, key) }
    case .condition:
      // A notification moves waiters into the queue of their mutex.
      return isCondition(key) ? (.condition, key) : (.mutex, key)
    case nil: break
    default: return nil
    }
    if isCondition(key) { return (.condition, key) }
    switch memory.load(UInt8.self, at: key) {
    case 2, 3: return (.mutex, key)
    case 12, 14: return (.once, key)
    default: return nil
    }
  }

  /// A condition with waiters has the address of their mutex in its word.
  private func isCondition(_ key: Address) -> Bool {
    guard key.rawValue % 8 == 0, let mutex = memory.load(UInt64.self, at: key), mutex >= 4096, mutex < 1 << 47,
      let byte = memory.load(UInt8.self, at: Address(mutex))
    else { return false }
    return byte <= 3
  }

  private func mode(_ type: LockType, _ record: ParkingRecord) -> LockMode? {
    switch type {
    case .rwlock: record.token == ParkingRecord.exclusive ? .write : .read
    case .condition: .signal
    default: .exclusive
    }
  }
}
