/// A program header.
package struct ELFSegment: Hashable, Sendable {
  package var type: UInt32
  package var flags: UInt32
  package var offset: UInt64
  package var virtualAddress: UInt64
  package var fileSize: UInt64
  package var memorySize: UInt64

  // Types, as the gABI and GNU number them.
  package static let load: UInt32 = 1
  package static let dynamic: UInt32 = 2
  package static let interpreter: UInt32 = 3
  package static let note: UInt32 = 4
  package static let unwindTable: UInt32 = 0x6474_E550  // PT_GNU_EH_FRAME

  /// PF_X; PF_W below.
  package var isExecutable: Bool { flags & 1 != 0 }
  package var isWritable: Bool { flags & 2 != 0 }
  /// One past the last byte in memory; `nil` for a header that wraps around the address space.
  package var virtualEnd: UInt64? {
    let (end, overflow) = virtualAddress.addingReportingOverflow(memorySize)
    return overflow ? nil : end
  }
}

/// A section header. The range `offset..<offset+size` has been checked against the file unless it occupies none.
package struct ELFSection: Hashable, Sendable {
  package var name: String
  package var type: UInt32
  package var flags: UInt64
  package var address: UInt64
  package var offset: UInt64
  package var size: UInt64
  package var link: UInt32
  package var entrySize: UInt64

  package static let symbolTable: UInt32 = 2
  package static let noBits: UInt32 = 8
  package static let dynamicSymbols: UInt32 = 11
  /// SHF_COMPRESSED: the bytes are a header and a compressed stream.
  package var isCompressed: Bool { flags & 0x800 != 0 }
  /// A separate debug file lists the sections it has no bytes of, too.
  package var occupiesFile: Bool { type != Self.noBits && type != 0 }
}

/// The file header's fields that matter here, checked to be those of a 64-bit little-endian file.
struct ELFHeader {
  var type: UInt16
  var machine: UInt16
  var programHeaderOffset: UInt64
  var programHeaderCount: Int
  var sectionHeaderOffset: UInt64
  var sectionHeaderCount: Int
  var sectionNamesIndex: Int

  static let byteCount = 64
  static let programHeaderBytes = 56
  static let sectionHeaderBytes = 64
  static let machineAMD64: UInt16 = 62

  /// Why the bytes are not such a header, as the end of a sentence.
  struct Refusal: Error { var reason: String }

  init(_ bytes: ELFBytes) throws(Refusal) {
    guard bytes.count >= Self.byteCount else { throw Refusal(reason: "it is too short for an ELF header") }
    guard bytes.load(UInt32.self, at: 0) == 0x464C_457F else {
      throw Refusal(reason: "it does not begin with \\x7fELF")
    }
    guard bytes.load(UInt8.self, at: 4) == 2 else { throw Refusal(reason: "it is a 32-bit file") }
    guard bytes.load(UInt8.self, at: 5) == 1 else { throw Refusal(reason: "it is a big-endian file") }
    type = bytes.load(UInt16.self, at: 16) ?? 0
    machine = bytes.load(UInt16.self, at: 18) ?? 0
    programHeaderOffset = bytes.load(UInt64.self, at: 32) ?? 0
    sectionHeaderOffset = bytes.load(UInt64.self, at: 40) ?? 0
    programHeaderCount = Int(bytes.load(UInt16.self, at: 56) ?? 0)
    sectionHeaderCount = Int(bytes.load(UInt16.self, at: 60) ?? 0)
    sectionNamesIndex = Int(bytes.load(UInt16.self, at: 62) ?? 0)
    // Numbers that do not fit 16 bits stand in the first section header (gABI, "ELF Header").
    let first = sectionHeaderOffset
    if first != 0, bytes.contains(first, Self.sectionHeaderBytes) {
      if programHeaderCount == 0xFFFF { programHeaderCount = Int(bytes.load(UInt32.self, at: first + 44) ?? 0) }
      if sectionHeaderCount == 0 {
        sectionHeaderCount = Int(truncatingIfNeeded: bytes.load(UInt64.self, at: first + 32) ?? 0)
      }
      if sectionNamesIndex == 0xFFFF { sectionNamesIndex = Int(bytes.load(UInt32.self, at: first + 40) ?? 0) }
    }
  }

  /// A core has one for each mapping, and `vm.max_map_count` is set to 262,144 and more for databases.
  private static let mostSegments = 1 << 20

  /// Program headers; those that do not lie in `bytes` are left out.
  func segments(_ bytes: ELFBytes) -> [ELFSegment] {
    var result = [ELFSegment]()
    for index in 0..<min(programHeaderCount, Self.mostSegments) {
      let (at, overflow) = programHeaderOffset.addingReportingOverflow(UInt64(index * Self.programHeaderBytes))
      guard !overflow, bytes.contains(at, Self.programHeaderBytes) else { break }
      result.append(
        ELFSegment(
          type: bytes.load(UInt32.self, at: at) ?? 0, flags: bytes.load(UInt32.self, at: at + 4) ?? 0,
          offset: bytes.load(UInt64.self, at: at + 8) ?? 0, virtualAddress: bytes.load(UInt64.self, at: at + 16) ?? 0,
          fileSize: bytes.load(UInt64.self, at: at + 32) ?? 0, memorySize: bytes.load(UInt64.self, at: at + 40) ?? 0))
    }
    return result
  }

  /// Section headers, or `nil` where one points outside the file: such a file is damaged, and libraries that
  /// trust it would follow it there.
  func sections(_ bytes: ELFBytes) -> [ELFSection]? {
    // Entry 0 is reserved and describes nothing; one that claims to describe something is checked as any other, since
    // whoever refers to a section may name it by that number. Names come last: their table is itself a section.
    guard sectionHeaderOffset != 0, sectionHeaderCount > 0 else { return [] }
    guard sectionHeaderCount <= 1 << 20,
      bytes.contains(sectionHeaderOffset, sectionHeaderCount * Self.sectionHeaderBytes)
    else { return nil }
    var result = [ELFSection]()
    var nameOffsets = [UInt64]()
    for index in 0..<sectionHeaderCount {
      let at = sectionHeaderOffset + UInt64(index * Self.sectionHeaderBytes)
      let section = ELFSection(
        name: "", type: bytes.load(UInt32.self, at: at + 4) ?? 0, flags: bytes.load(UInt64.self, at: at + 8) ?? 0,
        address: bytes.load(UInt64.self, at: at + 16) ?? 0, offset: bytes.load(UInt64.self, at: at + 24) ?? 0,
        size: bytes.load(UInt64.self, at: at + 32) ?? 0, link: bytes.load(UInt32.self, at: at + 40) ?? 0,
        entrySize: bytes.load(UInt64.self, at: at + 56) ?? 0)
      if section.occupiesFile {
        guard section.size <= UInt64(bytes.count), bytes.contains(section.offset, Int(section.size)) else { return nil }
      }
      result.append(section)
      nameOffsets.append(UInt64(bytes.load(UInt32.self, at: at) ?? 0))
    }
    guard sectionNamesIndex < result.count, result[sectionNamesIndex].occupiesFile else { return result }
    let names = result[sectionNamesIndex]
    for index in result.indices where nameOffsets[index] < names.size {
      result[index].name = bytes.string(
        at: names.offset + nameOffsets[index], limit: Int(min(names.size - nameOffsets[index], 256)))
    }
    return result
  }
}
