import LockjawInspect
import LockjawModel

/// The target's memory as one emulated run sees it: pages are read on demand and kept; what a run writes goes to copies
/// that the next run does not see.
///
/// Rules of this file. Nothing of the target is ever written. Addresses are hostile: all arithmetic on them wraps, and no
/// access leaves a page buffer (offset and size are checked against the page before a buffer is touched). A byte that
/// cannot be read is zero, and counted: `unmappedAccesses` is what a run is stopped by.
final class GuestMemory {
  static let pageBytes = 4096
  private static let pageMask = UInt64(4095)
  /// A page as the target has it. Readable bytes are those in `readable`: the copy of a stack begins anywhere.
  private struct Page {
    var bytes: UnsafeMutablePointer<UInt8>
    var readable: Range<Int>
  }

  private let source: any MemoryReader
  private var pages: [UInt64: Page] = [:]
  private var copies: [UInt64: UnsafeMutablePointer<UInt8>] = [:]
  /// Buffers of copies that earlier runs are done with.
  private var spare: [UnsafeMutablePointer<UInt8>] = []
  /// The pages used last; valid as long as this object.
  let recent: RecentPages

  /// Bytes asked for that are not there, since `beginRun`. Counted by access.
  private(set) var unmappedAccesses: Int {
    get { recent.unmappedAccesses.pointee }
    set { recent.unmappedAccesses.pointee = newValue }
  }
  /// Pages copied since `beginRun`.
  private(set) var copiedPages = 0

  /// Addresses that no process has, where a run finds zeroes: the exception object of a landing pad, what it allocates.
  static let scratch: Range<UInt64> = 0x6C6A_0000_0000..<0x6C6A_0010_0000

  /// Most pages kept between runs: 64 MiB.
  private static let pageLimit = 1 << 14
  /// Most pages one run may write to: 1 MiB.
  static let copyLimit = 256

  init(_ source: any MemoryReader) {
    self.source = source
    recent = RecentPages()
  }

  deinit {
    for page in pages.values { page.bytes.deallocate() }
    for copy in copies.values { copy.deallocate() }
    for buffer in spare { buffer.deallocate() }
    recent.deallocate()
  }

  /// Forgets what was written.
  func beginRun() {
    unmappedAccesses = 0
    copiedPages = 0
    if !copies.isEmpty {
      for (page, buffer) in copies {
        spare.append(buffer)
        recent.forget(page)
      }
      copies.removeAll(keepingCapacity: true)
    }
    if pages.count > Self.pageLimit {
      for page in pages.values { page.bytes.deallocate() }
      pages.removeAll(keepingCapacity: true)
      recent.forgetAll()
    }
  }

  /// A little-endian number at `address`, zero where nothing is mapped.
  @inline(__always)
  func load<T: FixedWidthInteger>(_ address: UInt64, as type: T.Type) -> T {
    recent.load(address, as: type) ?? loadSlowly(address, as: type)
  }

  @inline(__always)
  func store<T: FixedWidthInteger>(_ address: UInt64, _ value: T) {
    if !recent.store(address, value) { storeSlowly(address, value) }
  }

  /// All of the page `address` lies in as the target has it, not as a run has changed it; `nil` where part of it is
  /// missing. Valid until the next `beginRun`.
  func wholePage(_ address: UInt64) -> UnsafePointer<UInt8>? {
    guard let page = page(address & ~Self.pageMask), page.readable.count == Self.pageBytes else { return nil }
    return UnsafePointer(page.bytes)
  }

  @inline(never)
  func loadSlowly<T: FixedWidthInteger>(_ address: UInt64, as type: T.Type) -> T {
    var value = T.zero
    var isMissing = false
    for index in 0..<MemoryLayout<T>.size {
      guard let byte = byte(address &+ UInt64(index)) else {
        isMissing = true
        continue
      }
      value |= T(truncatingIfNeeded: byte) << T(truncatingIfNeeded: 8 * index)
    }
    if isMissing { unmappedAccesses += 1 }
    return value
  }

  private func byte(_ address: UInt64) -> UInt8? {
    let start = address & ~Self.pageMask
    let offset = Int(truncatingIfNeeded: address & Self.pageMask)
    if let copy = copies[start] {
      recent.noteReadable(start, copy)
      return copy[offset]
    }
    guard let page = page(start) else { return nil }
    if page.readable.count == Self.pageBytes { recent.noteReadable(start, page.bytes) }
    return page.readable.contains(offset) ? page.bytes[offset] : nil
  }

  @inline(never)
  func storeSlowly<T: FixedWidthInteger>(_ address: UInt64, _ value: T) {
    for index in 0..<MemoryLayout<T>.size {
      let at = address &+ UInt64(index)
      guard let bytes = writable(at & ~Self.pageMask) else { continue }
      bytes[Int(truncatingIfNeeded: at & Self.pageMask)] = UInt8(
        truncatingIfNeeded: value >> T(truncatingIfNeeded: 8 * index))
    }
  }

  /// The run's own copy of a page; `nil` where it has too many already.
  private func writable(_ start: UInt64) -> UnsafeMutablePointer<UInt8>? {
    if let copy = copies[start] {
      recent.noteWritable(start, copy)
      return copy
    }
    guard copies.count < Self.copyLimit else {
      unmappedAccesses += 1
      return nil
    }
    let copy = spare.popLast() ?? .allocate(capacity: Self.pageBytes)
    if let page = page(start) {
      copy.update(from: page.bytes, count: Self.pageBytes)
    } else {
      copy.update(repeating: 0, count: Self.pageBytes)
      unmappedAccesses += 1
    }
    copiedPages += 1
    copies[start] = copy
    recent.noteWritable(start, copy)
    recent.noteReadable(start, copy)
    return copy
  }

  /// The target's page, read once; bytes that are not there are zero. `nil`: nothing of it is readable.
  private func page(_ start: UInt64) -> Page? {
    if let known = pages[start] { return known.readable.isEmpty ? nil : known }
    let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: Self.pageBytes)
    bytes.initialize(repeating: 0, count: Self.pageBytes)
    let isScratch = Self.scratch.contains(start)
    let page = Page(bytes: bytes, readable: isScratch ? 0..<Self.pageBytes : fill(bytes, from: start))
    pages[start] = page
    return page.readable.isEmpty ? nil : page
  }

  /// What of a page can be read begins at its start or ends at its end, or both: mappings are of whole pages, and a copied
  /// stack reaches to the end of one or is cut off.
  private func fill(_ bytes: UnsafeMutablePointer<UInt8>, from start: UInt64) -> Range<Int> {
    func read(_ offset: Int) -> Int {
      let room = UnsafeMutableRawBufferPointer(start: bytes + offset, count: Self.pageBytes - offset)
      return min(max(source.read(Address(start &+ UInt64(offset)), into: room), 0), room.count)
    }
    let head = read(0)
    if head > 0 { return 0..<head }
    guard read(Self.pageBytes - 8) == 8 else { return 0..<0 }
    var (low, high) = (0, Self.pageBytes - 8)  // not readable at low, readable at high
    while high - low > 1 {
      let middle = (low + high) / 2
      if read(middle) > 0 { high = middle } else { low = middle }
    }
    return high..<(high + read(high))
  }
}
