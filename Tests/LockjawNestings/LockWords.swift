import LockjawEmulator
import LockjawInspect
import LockjawModel

/// The words of the locks that the test programs use, as far as the search needs them: who holds, and how many.
package enum LockWords {
  /// `nil` where the lock is free.
  package static func expected(_ semantics: LockSemantics, memory: any MemoryReader) -> ExpectedHolders? {
    func word(_ offset: UInt64 = 0) -> UInt64 {
      memory.load(UInt32.self, at: Address(semantics.address.rawValue + offset)).map { UInt64($0) } ?? 0
    }
    switch semantics.kind {
    case .rustMutex, .futexWord: return word() == 0 ? nil : ExpectedHolders(mode: .exclusive, count: 1)
    case .rustRwLock:
      let readers = word() & 0x3FFF_FFFF
      if readers == 0x3FFF_FFFF { return ExpectedHolders(mode: .write, count: 1) }
      return readers == 0 ? nil : ExpectedHolders(mode: .read, count: Int(readers))
    case .abseilMutex:
      // As `AbseilMutexWord`: with waiters the number of readers is kept by the last of them, 40 bytes into its record.
      var state = memory.load(UInt64.self, at: semantics.address) ?? 0
      if state & 8 != 0 { return ExpectedHolders(mode: .write, count: 1) }
      if state & 1 == 0 { return nil }
      if state & 4 != 0 { state = memory.load(UInt64.self, at: Address(state & ~0xFF &+ 40)) ?? 0 }
      return ExpectedHolders(mode: .read, count: Int(clamping: state >> 8))
    case .parkingLotMutex:
      return word() & 1 == 0 ? nil : ExpectedHolders(mode: .exclusive, count: 1)
    case .parkingLotRwLock:
      let state = memory.load(UInt64.self, at: semantics.address) ?? 0
      if state >> 4 > 0 { return ExpectedHolders(mode: .read, count: Int(state >> 4)) }
      return state & 8 == 0 ? nil : ExpectedHolders(mode: .write, count: 1)
    case .piFutex:
      let owner = word() & 0x3FFF_FFFF
      return owner == 0 ? nil : ExpectedHolders(mode: .exclusive, count: 1, owner: ThreadID(Int32(owner)))
    case .glibcMutex:
      let owner = word(8)
      return owner == 0 ? nil : ExpectedHolders(mode: .exclusive, count: 1, owner: ThreadID(Int32(owner)))
    case .glibcRwlock:
      let writer = word(24)
      if writer != 0 { return ExpectedHolders(mode: .write, count: 1, owner: ThreadID(Int32(writer))) }
      let readers = word() >> 3
      return readers == 0 ? nil : ExpectedHolders(mode: .read, count: Int(readers))
    }
  }
}
