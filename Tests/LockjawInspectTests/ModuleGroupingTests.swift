import LockjawModel
import Testing

@testable import LockjawInspect

@Suite("Mappings to modules")
struct ModuleGroupingTests {
  private func map(_ text: String) -> MemoryMap { MemoryMap(Array(text.utf8)) }

  @Test("Lines of the kernel's list are read, with spaces, newlines and marks in names")
  func lines() {
    let entries = map(
      """
      55d0a0000000-55d0a0001000 r--p 00000000 fe:00 1234                       /tmp/with space/a.out
      55d0a0001000-55d0a0002000 r-xp 00001000 fe:00 1234                       /tmp/with space/a.out
      7ffff0000000-7ffff0021000 rw-p 00000000 00:00 0
      7ffff7000000-7ffff7001000 r--s 00002000 103:1f 18446744073709551615      /tmp/new\\012line (deleted)
      7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]
      ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]

      """
    ).entries
    #expect(entries.count == 6)
    #expect(entries[0].path == "/tmp/with space/a.out" && entries[0].inode == 1234 && !entries[0].isExecutable)
    #expect(entries[1].isExecutable && entries[1].offset == 0x1000 && entries[1].deviceMajor == 0xFE)
    #expect(entries[2].path == "" && entries[2].isWritable)
    #expect(entries[3].path == "/tmp/new\nline (deleted)" && entries[3].inode == .max && entries[3].deviceMinor == 0x1F)
    #expect(entries[5].end == 0xFFFF_FFFF_FF60_1000)
  }

  @Test(
    "Lines that are none are left out",
    arguments: [
      "", "nonsense", "1000", "1000-", "1000-2000", "1000-2000 r--p", "2000-1000 r--p 0 0:0 0 /x", "1000-2000 r-",
      "10000000000000000000-2 r--p 0 0:0 0 /x", "1000-2000 r--p 0 0:0 zz /x", "-1000-2000 r--p 0 0:0 0 /x",
      "\u{0}\u{0}",
    ])
  func badLines(line: String) {
    #expect(map(line).entries == [])
  }

  @Test("An address is found in its mapping and in no other")
  func lookUp() {
    let list = map("1000-2000 r--p 0 0:0 0 \n3000-4000 r--p 0 0:0 0 \n4000-5000 rw-p 0 0:0 0 ")
    #expect(list.entry(containing: 0xFFF) == nil)
    #expect(list.entry(containing: 0x1000)?.start == 0x1000)
    #expect(list.entry(containing: 0x2000) == nil)
    #expect(list.entry(containing: 0x3FFF)?.start == 0x3000)
    #expect(list.entry(containing: 0x4000)?.isWritable == true)
    #expect(list.entry(containing: 0x5000) == nil)
  }

  @Test("Neighbouring mappings of one file are one module; data files and anonymous memory are none")
  func grouping() {
    let modules = ModuleGrouping.modules(
      map(
        """
        1000-2000 r--p 00000000 fe:00 7 /lib/a.so
        2000-4000 r-xp 00001000 fe:00 7 /lib/a.so
        4000-5000 r--p 00003000 fe:00 7 /lib/a.so
        5000-6000 rw-p 00004000 fe:00 7 /lib/a.so
        6000-9000 rw-p 00000000 00:00 0
        9000-a000 r--p 00000000 fe:00 8 /usr/share/locale
        a000-b000 r-xp 00000000 00:00 0
        b000-c000 rw-s 00000000 00:05 9 /dev/zero
        """)
    ) { _ in nil }
    #expect(modules.map(\.path) == ["/lib/a.so"])
    #expect(modules[0].start == Address(0x1000) && modules[0].end == Address(0x6000))
    #expect(modules[0].textStart == Address(0x2000) && modules[0].textEnd == Address(0x4000))
    #expect(modules[0].textOffset == 0x1000)
  }

  @Test("Two copies of one library, as dlmopen loads them, are two modules")
  func twoCopies() {
    let modules = ModuleGrouping.modules(
      map(
        """
        1000-2000 r--p 00000000 fe:00 7 /lib/a.so
        2000-4000 r-xp 00001000 fe:00 7 /lib/a.so
        4000-5000 r--p 00000000 fe:00 7 /lib/a.so
        5000-7000 r-xp 00001000 fe:00 7 /lib/a.so
        """)
    ) { _ in nil }
    #expect(modules.map(\.start) == [Address(0x1000), Address(0x4000)])
    #expect(modules.map(\.textStart) == [Address(0x2000), Address(0x5000)])
  }

  @Test("Segments that share the file's first page belong to one module, where its header says so")
  func sharedPage() throws {
    // The form of lld: the second mapping begins at offset 0 of the file again.
    let list = map(
      """
      10000-11000 r--p 00000000 fe:00 7 /bin/rusty
      11000-13000 r-xp 00000000 fe:00 7 /bin/rusty
      13000-14000 rw-p 00001000 fe:00 7 /bin/rusty
      14000-15000 r--p 00000000 fe:00 7 /bin/rusty
      15000-17000 r-xp 00000000 fe:00 7 /bin/rusty
      """)
    let header = elfHeader(loads: [(0, 0, 0x600, 4), (0x600, 0x1600, 0x1800, 5), (0x1E00, 0x3E00, 0x200, 6)])
    let memory = MemoryImages([
      MemoryImage(base: Address(0x10000), bytes: header), MemoryImage(base: Address(0x14000), bytes: header),
    ])
    let modules = ModuleGrouping.modules(list) { LoadedImage(at: $0, memory: memory) }
    #expect(modules.map(\.start) == [Address(0x10000), Address(0x14000)])
    #expect(modules.map(\.end) == [Address(0x14000), Address(0x17000)])
    #expect(modules.map(\.textStart) == [Address(0x11000), Address(0x15000)])
  }

  @Test(
    "Twenty thousand images that each claim to reach over all the others take no time to speak of",
    .timeLimit(.minutes(1)))
  func boundlessImages() throws {
    let image = try #require(
      LoadedImage(
        at: Address(0),
        memory: MemoryImage(base: Address(0), bytes: elfHeader(loads: [(0, 0, 1 << 62, 5)]))))
    let entries = (UInt64(0)..<20_000).map { place in
      MemoryMapEntry(
        start: place << 12, end: (place + 1) << 12, isReadable: true, isWritable: false, isExecutable: true, offset: 0,
        deviceMajor: 0, deviceMinor: 0, inode: 1, path: "/lib/\(place).so")
    }
    let modules = ModuleGrouping.modules(MemoryMap(entries: entries)) { _ in image }
    #expect(modules.count == entries.count)
  }

  /// A 4096-byte page that begins with an ELF header and these PT_LOADs (offset, address, size, flags).
  private func elfHeader(loads: [(UInt64, UInt64, UInt64, UInt32)]) -> [UInt8] {
    var page = [UInt8](repeating: 0, count: 4096)
    func put<T: FixedWidthInteger>(_ value: T, _ at: Int) {
      withUnsafeBytes(of: value.littleEndian) { for (i, byte) in $0.enumerated() { page[at + i] = byte } }
    }
    page.replaceSubrange(0..<7, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1])
    put(UInt16(3), 16)
    put(UInt16(62), 18)
    put(UInt64(64), 32)
    put(UInt16(56), 54)
    put(UInt16(loads.count), 56)
    for (i, load) in loads.enumerated() {
      let at = 64 + 56 * i
      put(UInt32(1), at)
      put(load.3, at + 4)
      put(load.0, at + 8)
      put(load.1, at + 16)
      put(load.2, at + 32)
      put(load.2, at + 40)
    }
    return page
  }
}
