import LockjawInspect
import LockjawModel

/// Decodes a lock whose library and kind are known.
package enum LibraryWord {
  /// - Parameter isSleptOn: a thread sleeps on the lock's own word; what settles some words' meaning.
  /// - Returns: `nil` where the bytes cannot be read, or the library has no such thing.
  package static func decode(
    _ library: LockLibrary, _ type: LockType, at address: Address, memory: any MemoryReader, isSleptOn: Bool = false
  ) -> LockWord? {
    switch library {
    case .glibc: return GlibcWord.decode(type, at: address) { memory.bytes(at: $0, count: $1) }
    case .glibcInternal:
      return type == .mutex ? GlibcInternalWord(at: address, memory: memory)?.lockWord(at: address) : nil
    case .rustStd: return rustStd(type, address, memory, isSleptOn)
    case .parkingLot: return parkingLot(type, address, memory)
    case .swift:
      var word = memory.load(UInt32.self, at: address).map { PIFutexWord($0).lockWord(at: address) }
      word?.library = .swift
      return word
    case .musl: return musl(type, address, memory)
    case .abseil: return abseil(type, address, memory)
    case .libstdcxx: return libstdcxx(type, address, memory)
    case .libcxx: return memory.load(UInt32.self, at: address).map { LibcxxWord.atomic($0, at: address) }
    case .unknown:
      var word = GlibcWord.decode(type == .piFutex ? .piFutex : .futex, at: address) { memory.bytes(at: $0, count: $1) }
      word?.library = .unknown
      return word
    }
  }

  /// A lock that the shim recorded: glibc's, but for those that only a C++ library has.
  package static func decodeRecorded(_ type: LockType, at address: Address, memory: any MemoryReader) -> LockWord? {
    decode(type == .staticGuard ? .libstdcxx : .glibc, type, at: address, memory: memory)
  }

  private static func rustStd(
    _ type: LockType, _ address: Address, _ memory: any MemoryReader, _ isSleptOn: Bool
  ) -> LockWord? {
    guard let value = memory.load(UInt32.self, at: address) else { return nil }
    return switch type {
    case .mutex: RustStdWord.mutex(value, at: address)
    case .rwlock: RustStdWord.rwlock(value, at: address)
    case .once: RustStdWord.once(value, at: address, isSleptOn: isSleptOn)
    case .condition: RustStdWord.condition(value, at: address)
    case .futex: RustStdWord.parker(value, at: address)
    default: nil
    }
  }

  private static func parkingLot(_ type: LockType, _ address: Address, _ memory: any MemoryReader) -> LockWord? {
    switch type {
    case .mutex: memory.load(UInt8.self, at: address).map { ParkingLotWord.mutex($0, at: address) }
    case .rwlock: memory.load(UInt64.self, at: address).map { ParkingLotWord.rwlock($0, at: address) }
    case .once: memory.load(UInt8.self, at: address).map { ParkingLotWord.once($0, at: address) }
    case .condition: memory.load(UInt64.self, at: address).map { ParkingLotWord.condition($0, at: address) }
    default: nil
    }
  }

  private static func musl(_ type: LockType, _ address: Address, _ memory: any MemoryReader) -> LockWord? {
    switch type {
    case .mutex:
      memory.bytes(at: address, count: MuslWord.mutexByteCount).map { MuslWord.mutex(WordBytes($0), at: address) }
    case .rwlock:
      memory.bytes(at: address, count: MuslWord.rwlockByteCount).map { MuslWord.rwlock(WordBytes($0), at: address) }
    case .semaphore:
      memory.bytes(at: address, count: MuslWord.semaphoreByteCount).map {
        MuslWord.semaphore(WordBytes($0), at: address)
      }
    default: nil
    }
  }

  private static func abseil(_ type: LockType, _ address: Address, _ memory: any MemoryReader) -> LockWord? {
    guard let value = memory.load(UInt64.self, at: address) else { return nil }
    if type == .condition {
      return LockWord(
        address: address, type: .condition, recordsOwner: false, isTaken: false,
        description: value & ~3 == 0 ? "no waiters" : "with waiters", byteCount: 8, library: .abseil,
        hasWaiters: value & ~3 != 0)
    }
    let word = AbseilMutexWord(value: value)
    let readers = word.lastWaiter.flatMap { AbseilThreadRecord(at: $0, memory: memory)?.readers }
    return word.lockWord(at: address, readersOfLastWaiter: readers)
  }

  private static func libstdcxx(_ type: LockType, _ address: Address, _ memory: any MemoryReader) -> LockWord? {
    guard let value = memory.load(UInt32.self, at: address) else { return nil }
    var word = LockWord(
      address: address, type: type, recordsOwner: false, isTaken: false,
      description: "word 0x" + String(value, radix: 16), byteCount: 4, library: .libstdcxx)
    switch type {
    case .semaphore:
      (word.isTaken, word.description) = (value == 0, "value \(Int32(bitPattern: value))")
    case .staticGuard: return CxxGuardWord(value).lockWord(at: address)
    case .barrier: word.description = "\(Int32(bitPattern: value)) arrivals to go"
    default: break
    }
    return word
  }
}
