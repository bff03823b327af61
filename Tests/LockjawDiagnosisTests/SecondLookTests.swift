import LockjawInspect
import LockjawModel
import Testing

@testable import LockjawDiagnosis

/// A lock's word at a second look, read as the library's that it was at the first.
@Suite struct SecondLookTests {
  private static let address = Address(0x10000)
  private static let owner: UInt32 = 4711

  private func memory(_ words: [UInt32]) -> MemoryImage {
    let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) } }
    return MemoryImage(base: Self.address, bytes: bytes + [UInt8](repeating: 0, count: 64))
  }

  /// The words of one lock while `owner` has it, after it was released, and with another owner.
  struct Lock: Sendable, CustomTestStringConvertible {
    var library: LockLibrary
    var type: LockType
    var owned, released, others: [UInt32]
    var testDescription: String { "\(library.rawValue) \(type.rawValue)" }
  }
  static let locks = [
    // glibc: lock, count, owner, users.
    Lock(library: .glibc, type: .mutex, owned: [2, 0, owner, 1], released: [0, 0, 0, 0], others: [2, 0, 4712, 1]),
    // musl, errorcheck: type, owner with the mark of waiters, number of waiters.
    Lock(
      library: .musl, type: .mutex, owned: [2, owner | 0x8000_0000, 1], released: [2, 0, 0],
      others: [2, 4712 | 0x8000_0000, 1]),
    // The kernel's: the owner with FUTEX_WAITERS.
    Lock(
      library: .swift, type: .piFutex, owned: [owner | 0x8000_0000], released: [0], others: [4712 | 0x8000_0000]),
  ]

  @Test("An orphan's word stands while its owner is in it, whatever library's it is", arguments: locks)
  func stands(lock: Lock) throws {
    let owned = memory(lock.owned)
    let before = try #require(LibraryWord.decode(lock.library, lock.type, at: Self.address, memory: owned))
    #expect(before.owner == ThreadID(Int32(Self.owner)) && before.isTaken)
    #expect(SecondLook.stands(before, memory: owned))
    #expect(!SecondLook.stands(before, memory: memory(lock.released)))
    #expect(!SecondLook.stands(before, memory: memory(lock.others)))
    #expect(!SecondLook.stands(before, memory: MemoryImage(base: Address(0), bytes: [])), "it cannot be read any more")
  }
}
