import LockjawInspect
import LockjawModel

/// What abseil keeps of a waiting thread: `PerThreadSynch` (`base/internal/thread_identity.h`), aligned to 256 bytes,
/// with the word slept on in the same 256: next 0, wait parameters 32, readers 40.
///
/// The parameters (`SynchWaitParams`, on the waiter's stack) point back at the record: how 0, condition 8, mutex of a
/// condition variable 24, record 32, condition variable 40. That is what tells a record from other memory.
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
  /// How far up the stack `this` of `Mutex::LockSlowLoop` is looked for.
  private static let searchBytes = 2048

  /// No names are needed: record and parameters point at each other, and the mutex' word leads to the record.
  func abseilWait(_ thread: SleepingThread) -> DecodedWait? {
    guard thread.futex.expected == 0 else { return nil }
    let base = Address(thread.futex.word.rawValue & ~(AbseilThreadRecord.alignment - 1))
    guard let record = AbseilThreadRecord(at: base, memory: memory) else { return nil }
    let condition = memory.load(UInt64.self, at: Address(record.parameters.rawValue &+ 40)) ?? 0
    if condition != 0 {
      return thread.wait(
        .abseil, .condition, .signal, lock: Address(condition), .record,
        "Thread \(thread.tid) waits on an absl::CondVar (its record at \(record.address)).")
    }
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

  /// The mutex is nowhere in the record; but among what the waiter keeps is its address, and only a mutex' word leads
  /// back to the record.
  private func mutex(of record: AbseilThreadRecord, _ thread: SleepingThread) -> Address? {
    var candidates = thread.preserved
    let start = thread.stackPointer.rawValue & ~7
    for offset in stride(from: UInt64(0), to: UInt64(Self.searchBytes), by: 8) {
      guard let value = memory.load(UInt64.self, at: Address(start &+ offset)) else { break }
      candidates.append(value)
    }
    for candidate in Set(candidates).sorted() where candidate >= 4096 && candidate % 8 == 0 {
      guard let value = memory.load(UInt64.self, at: Address(candidate)) else { continue }
      guard let last = AbseilMutexWord(value: value).lastWaiter, last.rawValue >= 4096,
        let lastRecord = AbseilThreadRecord(at: last, memory: memory)
      else { continue }
      if lastRecord.ring(contains: record.address, memory) { return Address(candidate) }
    }
    return nil
  }
}
