import LockjawInspect
import LockjawModel

/// What abseil keeps of a waiting thread: `PerThreadSynch` (`base/internal/thread_identity.h`), aligned to 256 bytes,
/// with the word slept on in the same 256: next 0, wait parameters 32, readers 40.
///
/// The parameters (`SynchWaitParams`, on the waiter's stack) point back at the record: how 0, condition 8, mutex of a
/// condition variable 24, record 32. That is what tells a record from other memory.
struct AbseilThreadRecord: Hashable {
  static let alignment: UInt64 = 256

  var address: Address
  var next: Address
  var parameters: Address
  var readers: UInt64

  init?(at address: Address, memory: any MemoryReader) {
    guard address.rawValue >= 4096, address.rawValue % Self.alignment == 0,
      let bytes = memory.bytes(at: address, count: 48)
    else { return nil }
    let fields = WordBytes(bytes)
    let (next, parameters) = (fields.int64(at: 0), fields.int64(at: 32))
    guard parameters >= 4096, parameters % 8 == 0,
      memory.load(UInt64.self, at: Address(parameters &+ 32)) == address.rawValue
    else { return nil }
    self.address = address
    self.next = Address(next)
    self.parameters = Address(parameters)
    readers = fields.int64(at: 40)
  }

  /// Whether `other` is in this record's ring of waiters.
  func ring(contains other: Address, _ memory: any MemoryReader) -> Bool {
    var current = address
    for _ in 0..<4096 {
      if current == other { return true }
      guard let next = memory.load(UInt64.self, at: current), next % Self.alignment == 0 else { return false }
      current = Address(next)
      if current == address { return false }
    }
    return false
  }
}

extension WaitDecoder {
  /// How far up the stack `this` of `Mutex::LockSlowLoop` and of `CondVar::WaitCommon` is looked for.
  private static let searchBytes = 2048

  /// No names are needed: record and parameters point at each other, and the mutex' word leads to the record.
  func abseilWait(_ thread: SleepingThread) -> DecodedWait? {
    guard thread.futex.expected == 0 else { return nil }
    let base = Address(thread.futex.word.rawValue & ~(AbseilThreadRecord.alignment - 1))
    guard let record = AbseilThreadRecord(at: base, memory: memory) else { return nil }
    let ofCondition = memory.load(UInt64.self, at: Address(record.parameters.rawValue &+ 24)) ?? 0
    if ofCondition != 0 { return conditionWait(thread, record, Address(ofCondition)) }
    guard let how = mode(record) else { return nil }
    let predicate = memory.load(UInt64.self, at: Address(record.parameters.rawValue &+ 8)) ?? 0
    guard let mutex = mutex(of: record, thread) else {
      return thread.wait(
        .abseil, .rwlock, how, lock: nil, .record,
        "Thread \(thread.tid) waits for an absl::Mutex (its record at \(record.address)), whose address was not found.")
    }
    let until = predicate == 0 ? "" : " until a Condition is true"
    return thread.wait(
      .abseil, predicate == 0 ? .rwlock : .condition, predicate == 0 ? how : .signal, lock: mutex, .record,
      "Thread \(thread.tid) is queued at the absl::Mutex \(mutex)\(until) (its record at \(record.address)).")
  }

  /// `MuHowS` has at 8 the bit that the fast path sets: 1 for readers, 8 for writers.
  private func mode(_ record: AbseilThreadRecord) -> LockMode? {
    guard let how = memory.load(UInt64.self, at: record.parameters),
      let bit = memory.load(UInt64.self, at: Address(how &+ 8))
    else { return nil }
    switch bit {
    case AbseilMutexWord.reader: return .read
    case AbseilMutexWord.writer: return .write
    default: return nil
    }
  }

  /// A signal moves the waiter from the condition variable's ring into its mutex', without waking it.
  private func conditionWait(
    _ thread: SleepingThread, _ record: AbseilThreadRecord, _ mutex: Address
  ) -> DecodedWait {
    if let value = memory.load(UInt64.self, at: mutex), let last = AbseilMutexWord(value: value).lastWaiter,
      leads(from: last, to: record)
    {
      return thread.wait(
        .abseil, .rwlock, mode(record) ?? .write, lock: mutex, .record,
        "Thread \(thread.tid) was signalled on an absl::CondVar and is queued at its absl::Mutex \(mutex) (its record at "
          + "\(record.address)).")
    }
    // The lower two bits say that the ring is being changed, or traced.
    let condition = kept(by: thread).first { candidate in
      guard let value = memory.load(UInt64.self, at: candidate) else { return false }
      return leads(from: Address(value & ~3), to: record)
    }
    return thread.wait(
      .abseil, .condition, .signal, lock: condition, .record,
      "Thread \(thread.tid) waits on an absl::CondVar with the absl::Mutex \(mutex) (its record at \(record.address)).")
  }

  /// The mutex is nowhere in the record; but among what the waiter keeps is its address, and only a mutex' word leads
  /// back to the record.
  private func mutex(of record: AbseilThreadRecord, _ thread: SleepingThread) -> Address? {
    kept(by: thread).first { candidate in
      guard let value = memory.load(UInt64.self, at: candidate), let last = AbseilMutexWord(value: value).lastWaiter
      else { return false }
      return leads(from: last, to: record)
    }
  }

  private func leads(from last: Address, to record: AbseilThreadRecord) -> Bool {
    AbseilThreadRecord(at: last, memory: memory)?.ring(contains: record.address, memory) ?? false
  }

  /// Everything that could be an object's address in the waiter's registers and innermost frames.
  private func kept(by thread: SleepingThread) -> [Address] {
    var values = Set(thread.preserved)
    let start = thread.stackPointer.rawValue & ~7
    // One read; where the stack ends before, less is there.
    var count = Self.searchBytes
    while count > 0 {
      if let bytes = memory.bytes(at: Address(start), count: count) {
        let words = WordBytes(bytes)
        for offset in stride(from: 0, to: count, by: 8) { values.insert(words.int64(at: offset)) }
        break
      }
      count /= 2
    }
    return values.filter { $0 >= 4096 && $0 % 8 == 0 && $0 < 1 << 47 }.sorted().map { Address($0) }
  }
}
