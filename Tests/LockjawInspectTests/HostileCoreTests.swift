import CLockjawNative
import Glibc
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawInspect

@Suite("Hostile cores")
struct HostileCoreTests {

  private let directory: TemporaryDirectory
  private let bytes: [UInt8]

  init() throws {
    let marked = try CoreProgram()
    let (_, path) = try marked.minicore()
    bytes = try ProcFile.bytes(path)
    directory = try TemporaryDirectory()
  }

  /// Everything a report asks of a core. Whatever the bytes are, it ends, and answers or throws.
  private func read(_ bytes: [UInt8]) throws -> (threads: Int, diagnostics: [String])? {
    let path = directory.path + "/core"
    let file = try PartialFile(path)
    try file.append(bytes)
    _ = try file.finish()
    do throws(InspectError) {
      let core = try CoreFile(path: path)
      let snapshot = core.snapshot()
      for thread in snapshot.threads {
        _ = snapshot.activity(of: thread.tid)
        if let registers = thread.registers { _ = core.memory.bytes(at: registers.stackPointer, count: 4096) }
      }
      _ = core.mappedFile(suffix: ".arena")
      _ = core.memory.pieces(from: Address(0), byteCount: .max).count
      _ = core.memory.load(UInt64.self, at: Address(.max - 3))
      return (snapshot.threads.count, core.diagnostics)
    } catch {
      #expect(error.description.hasSuffix("."))
      return nil
    }
  }

  @Test("A core that was cut anywhere gives what its beginning has, and says that it was cut")
  func truncated() throws {
    let whole = try #require(try read(bytes))
    #expect(whole.threads == 4 && whole.diagnostics.isEmpty)
    let pages = stride(from: 0, to: bytes.count, by: 4096)
    let head = stride(from: 0, to: 8192, by: 61)
    var answers = 0
    for length in Array(pages) + Array(head) {
      guard let cut = try read(Array(bytes[..<length])) else { continue }
      answers += 1
      #expect(cut.threads >= 1 && cut.threads <= 4)
      #expect(cut.diagnostics.contains { $0.contains("truncated") }, "cut at \(length) of \(bytes.count)")
    }
    // Cuts behind the notes leave all threads.
    #expect(answers > 10)
  }

  @Test("Damaged headers and notes never crash the reader", arguments: 0..<4)
  func damaged(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    // Headers, notes and the first page of memory.
    let limit = min(bytes.count, 12288)
    let interesting: [UInt64] = [0, 1, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 63, .max, .max - 7, 4096]
    for _ in 0..<500 {
      var damaged = bytes
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let at = Int.random(in: 0..<limit - 8, using: &random)
        if Bool.random(using: &random) {
          damaged[at] = UInt8.random(in: 0...255, using: &random)
        } else {
          let value = interesting[Int.random(in: 0..<interesting.count, using: &random)]
          for index in 0..<8 { damaged[at + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) }
        }
      }
      _ = try read(damaged)
    }
  }

  @Test("Notes that claim more than there is end the list")
  func notes() {
    let good = CoreNote.encoded(owner: "CORE", type: 7, content: [1, 2, 3])
    for (count, expected) in [(good.count, 1), (good.count * 2, 2), (good.count * 2 - 1, 1), (11, 0)] {
      var content = Array((good + good)[..<count])
      let found = content.withUnsafeMutableBytes { raw in
        CoreNote.all(in: ELFBytes(base: UnsafeRawPointer(raw.baseAddress!), count: raw.count), at: 0, size: .max)
      }
      // The padding of the last entry may be cut, its content may not.
      #expect(found.count == expected || (count == good.count * 2 - 1 && found.count == 2))
      #expect(found.allSatisfy { $0.owner == "CORE" && $0.type == 7 && $0.count == 3 })
    }
  }

  @Test("Mappings that overlap are one: the list is read once, however often it names a place")
  func overlapping() {
    func entry(_ start: UInt64, _ end: UInt64, _ path: String) -> MemoryMapEntry {
      MemoryMapEntry(
        start: start, end: end, isReadable: true, isWritable: false, isExecutable: false, offset: 0, deviceMajor: 0,
        deviceMinor: 0, inode: 1, path: path)
    }
    let listed = [entry(0x5000, 0x6000, "/c")] + (0..<1000).map { _ in entry(0x1000, 0x4000, "/a.arena") }
    let disjoint = CoreMappedFiles.disjoint(listed + [entry(0x3000, 0x5000, "/b"), entry(0x4000, 0x5000, "/d")])
    #expect(disjoint.map(\.path) == ["/a.arena", "/d", "/c"])
    #expect(CoreMappedFiles.disjoint([]) == [])
  }

  @Test("Addresses that all lead to the same bytes of a core give no more pieces than the core has bytes")
  func aliases() throws {
    let path = directory.path + "/aliases"
    let file = try PartialFile(path)
    try file.append([UInt8](repeating: 7, count: 8192))
    _ = try file.finish()
    let fd = open(path, O_RDONLY | O_CLOEXEC)
    defer { close(fd) }
    let base = try #require(lj_guarded_map(fd, 8192, -1))
    let segments = (0..<1000).map { place in
      ELFSegment(
        type: ELFSegment.load, flags: 4, offset: 0, virtualAddress: UInt64(place) << 20, fileSize: 8192,
        memorySize: 8192)
    }
    let memory = CoreMemory(segments, CoreMapping(base: base, byteCount: 8192))
    #expect(memory.pieces(from: Address(0), byteCount: .max).reduce(0) { $0 + $1.count } == 8192)
    let one = memory.pieces(from: Address(3 << 20 | 4096), byteCount: 1 << 19)
    #expect(one.map(\.address) == [Address(3 << 20 | 4096)] && one.map(\.count) == [4096])
    #expect(memory.pieces(from: Address(3 << 20 | 8192), byteCount: 4096).isEmpty)
  }

  @Test("A minicore's own note survives any name, and lines that are damaged are left out")
  func snapshotNote() {
    var outline = ProcessOutline(pid: 4711, startTicks: 99)
    outline.name = "a\tb\nc%09"
    outline.command = "x\ty"
    let threads: [(Int32, SnapshotNote.Thread)] = [
      (4711, .init(name: "%\n\t", sleptNanoseconds: 5, missing: nil)),
      (4712, .init(name: "", sleptNanoseconds: nil, missing: "It was\tin vfork.")),
    ]
    let note = SnapshotNote(outline: outline, takenNanoseconds: 7, threads: threads, descriptors: [3: "/tmp/a\nb"])
    #expect(SnapshotNote(note.text) == note)
    #expect(SnapshotNote("lockjaw.snapshot/2\n") == nil)
    #expect(SnapshotNote("") == nil)
    let damaged = SnapshotNote("lockjaw.snapshot/1\nthread\tx\t1\tname\nthread\t5\nfd\nprocess\t1\nwhatever\t2\n\n")
    #expect(damaged?.threads.isEmpty == true && damaged?.descriptors.isEmpty == true)
  }
}
