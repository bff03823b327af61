/// One entry of a note segment (gABI, "Note Section"): where its content lies in the file.
struct CoreNote: Hashable {
  /// "CORE" for the kernel's own, "LINUX" for extended register sets, "LOCKJAW" for ours.
  var owner: String
  var type: UInt32
  var offset: UInt64
  var count: Int

  // Types as `linux/elf.h` numbers them.
  static let processStatus: UInt32 = 1  // NT_PRSTATUS, one a thread
  static let processInfo: UInt32 = 3  // NT_PRPSINFO
  static let auxiliaryVector: UInt32 = 6  // NT_AUXV
  static let signalInfo: UInt32 = 0x5349_4749  // NT_SIGINFO
  static let mappedFiles: UInt32 = 0x4649_4C45  // NT_FILE

  static let kernelOwner = "CORE"

  /// The entries of the segment at `offset`. It ends at the first entry that does not fit: what follows a damaged
  /// length cannot be found again.
  static func all(in bytes: ELFBytes, at offset: UInt64, size: UInt64) -> [CoreNote] {
    var notes = [CoreNote]()
    guard offset < UInt64(bytes.count) else { return [] }
    // A truncated core has the beginning of its notes.
    let end = offset + min(size, UInt64(bytes.count) - offset)
    var at = offset
    while end - at >= 12 {
      guard let nameSize = bytes.load(UInt32.self, at: at), let contentSize = bytes.load(UInt32.self, at: at + 4),
        let type = bytes.load(UInt32.self, at: at + 8)
      else { break }
      let content = at + 12 + padded(nameSize)
      guard content <= end, UInt64(contentSize) <= end - content else { break }
      notes.append(
        CoreNote(
          owner: bytes.string(at: at + 12, limit: Int(min(nameSize, 64))), type: type, offset: content,
          count: Int(contentSize)))
      at = content + padded(contentSize)
      guard at <= end else { break }
    }
    return notes
  }

  /// Entries are aligned to four bytes in cores, also where the segment says eight.
  private static func padded(_ count: UInt32) -> UInt64 { (UInt64(count) + 3) & ~3 }

  /// An entry as bytes, for a writer.
  static func encoded(owner: String, type: UInt32, content: [UInt8]) -> [UInt8] {
    var out = LittleEndianBytes()
    let name = Array(owner.utf8) + [0]
    out.append(UInt32(name.count))
    out.append(UInt32(content.count))
    out.append(type)
    out.append(name)
    out.pad(to: 4)
    out.append(content)
    out.pad(to: 4)
    return out.bytes
  }
}

/// Bytes in the making, little-endian as x86-64 has them.
struct LittleEndianBytes {
  private(set) var bytes: [UInt8] = []

  mutating func append<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func append(_ content: [UInt8]) { bytes.append(contentsOf: content) }

  /// Text in a field of fixed size, cut so that a terminating zero remains.
  mutating func append(_ text: String, field: Int) {
    let cut = Array(text.utf8.prefix(field - 1))
    bytes.append(contentsOf: cut)
    bytes.append(contentsOf: [UInt8](repeating: 0, count: field - cut.count))
  }

  mutating func pad(to alignment: Int) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }
}
