/// Two look-aside tables of pages: one for what may be read in place, one for copies that may be written to.
///
/// A plain bundle of pointers, so that an instruction which reads or writes a page used before does not touch a counted
/// reference: that was a quarter of a run's time. Whoever made it deallocates it.
///
/// Rules of this file. Only wholly readable pages are noted. An access that leaves its page is left to the slow way.
struct RecentPages {
  private static let pageMask = UInt64(4095)
  private static let pageBytes = 4096
  /// A power of two.
  private static let slots = 128

  /// Page address + 1 by slot, 0 where the slot is empty; the page's bytes beside it.
  private let readTags: UnsafeMutablePointer<UInt64>
  private let readBytes: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>>
  private let writeTags: UnsafeMutablePointer<UInt64>
  private let writeBytes: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>>
  /// What empty slots point to, so that no slot is ever uninitialised.
  private let nowhere: UnsafeMutablePointer<UInt8>
  /// Accesses of the current run that found nothing.
  let unmappedAccesses: UnsafeMutablePointer<Int>

  init() {
    nowhere = .allocate(capacity: Self.pageBytes)
    nowhere.initialize(repeating: 0, count: Self.pageBytes)
    readTags = .allocate(capacity: Self.slots)
    writeTags = .allocate(capacity: Self.slots)
    readBytes = .allocate(capacity: Self.slots)
    writeBytes = .allocate(capacity: Self.slots)
    unmappedAccesses = .allocate(capacity: 1)
    readTags.initialize(repeating: 0, count: Self.slots)
    writeTags.initialize(repeating: 0, count: Self.slots)
    readBytes.initialize(repeating: nowhere, count: Self.slots)
    writeBytes.initialize(repeating: nowhere, count: Self.slots)
    unmappedAccesses.initialize(to: 0)
  }

  func deallocate() {
    for pointer in [readTags, writeTags] { pointer.deallocate() }
    for pointer in [readBytes, writeBytes] { pointer.deallocate() }
    nowhere.deallocate()
    unmappedAccesses.deallocate()
  }

  @inline(__always)
  private static func slot(_ page: UInt64) -> Int { Int(truncatingIfNeeded: page >> 12) & (slots - 1) }

  /// `nil`: not among the pages used last, or across the end of one.
  @inline(__always)
  func load<T: FixedWidthInteger>(_ address: UInt64, as type: T.Type) -> T? {
    let offset = Int(truncatingIfNeeded: address & Self.pageMask)
    let page = address & ~Self.pageMask
    let slot = Self.slot(page)
    guard readTags[slot] == page &+ 1, offset <= Self.pageBytes - MemoryLayout<T>.size else { return nil }
    return T(littleEndian: UnsafeRawPointer(readBytes[slot] + offset).loadUnaligned(as: T.self))
  }

  /// False: nothing was written.
  @inline(__always)
  func store<T: FixedWidthInteger>(_ address: UInt64, _ value: T) -> Bool {
    let offset = Int(truncatingIfNeeded: address & Self.pageMask)
    let page = address & ~Self.pageMask
    let slot = Self.slot(page)
    guard writeTags[slot] == page &+ 1, offset <= Self.pageBytes - MemoryLayout<T>.size else { return false }
    UnsafeMutableRawPointer(writeBytes[slot] + offset).storeBytes(of: value.littleEndian, as: T.self)
    return true
  }

  func noteReadable(_ page: UInt64, _ bytes: UnsafeMutablePointer<UInt8>) {
    let slot = Self.slot(page)
    (readTags[slot], readBytes[slot]) = (page &+ 1, bytes)
  }

  func noteWritable(_ page: UInt64, _ bytes: UnsafeMutablePointer<UInt8>) {
    let slot = Self.slot(page)
    (writeTags[slot], writeBytes[slot]) = (page &+ 1, bytes)
  }

  func forget(_ page: UInt64) {
    let slot = Self.slot(page)
    if writeTags[slot] == page &+ 1 { writeTags[slot] = 0 }
    if readTags[slot] == page &+ 1 { readTags[slot] = 0 }
  }

  func forgetAll() {
    readTags.update(repeating: 0, count: Self.slots)
    writeTags.update(repeating: 0, count: Self.slots)
  }
}
