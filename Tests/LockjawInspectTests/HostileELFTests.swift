import Glibc
import LockjawInspect
import LockjawTestPrograms
import Testing

@Suite("An ELF file whose section headers lie is refused, never followed")
struct HostileELFTests {
  /// A section header's fields that matter here.
  private struct Section {
    var name: UInt32 = 0
    var type: UInt32
    var flags: UInt64 = 0
    var offset: UInt64
    var size: UInt64
    var link: UInt32 = 0
    var entrySize: UInt64 = 0
  }

  private static let headerBytes = 64
  private static let names = "\0.gnu_debugdata\0"

  /// A file of nothing but headers and a table of names, which is no section unless one is made for it.
  private func file(_ sections: [Section], namesIndex: UInt16) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Self.headerBytes) + Array(Self.names.utf8)
    bytes += [UInt8](repeating: 0, count: 128 - bytes.count)
    func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
      withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
    }
    store(UInt32(0x464C_457F), at: 0)
    store(UInt16(0x0102), at: 4)  // 64 bits, little endian
    store(UInt16(3), at: 16)  // ET_DYN
    store(UInt16(62), at: 18)  // EM_X86_64
    store(UInt64(bytes.count), at: 40)
    store(UInt16(sections.count), at: 60)
    store(namesIndex, at: 62)
    for section in sections {
      let at = bytes.count
      bytes += [UInt8](repeating: 0, count: 64)
      store(section.name, at: at)
      store(section.type, at: at + 4)
      store(section.flags, at: at + 8)
      store(section.offset, at: at + 24)
      store(section.size, at: at + 32)
      store(section.link, at: at + 40)
      store(section.entrySize, at: at + 56)
    }
    return bytes
  }

  /// Opens it and asks for what follows a section's own numbers.
  private func exercise(_ bytes: [UInt8]) throws -> ELFFile {
    let place = try TemporaryDirectory()
    let path = "\(place.path)/lies"
    let stream = try #require(fopen(path, "w"))
    #expect(fwrite(bytes, 1, bytes.count, stream) == bytes.count)
    fclose(stream)
    let file = try ELFFile(path: path)
    _ = file.unpacksReasonably
    _ = file.miniDebugInfo()
    return file
  }

  private static let nameTable = Section(type: 3, offset: UInt64(headerBytes), size: UInt64(names.utf8.count))

  @Test(
    "The first section, reserved to describe nothing, is refused where it describes bytes outside the file",
    arguments: [UInt64.max - 8, 1 << 63, 1 << 40], [UInt64.max, 1 << 63, 4096])
  func firstSection(offset: UInt64, size: UInt64) throws {
    // As the table of names, as packed debug information, and as something compressed.
    let asNames = file([Section(name: 9, type: 3, offset: offset, size: size)], namesIndex: 0)
    let asDebugData = file([Section(name: 1, type: 1, offset: offset, size: size), Self.nameTable], namesIndex: 1)
    let asCompressed = file(
      [Section(name: 9, type: 1, flags: 0x800, offset: offset, size: size), Self.nameTable], namesIndex: 1)
    for bytes in [asNames, asDebugData, asCompressed] {
      #expect(throws: InspectError.self) { try exercise(bytes) }
    }
  }

  @Test("A first section that describes nothing may hold any numbers: long tables keep theirs there")
  func reserved() throws {
    let opened = try exercise(
      file([Section(type: 0, offset: .max, size: .max, link: .max), Self.nameTable], namesIndex: 1))
    #expect(opened.sections.count == 2)
  }
}
