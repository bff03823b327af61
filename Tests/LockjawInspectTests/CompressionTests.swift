import Glibc
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawInspect

@Suite("Compressed captures")
struct CompressionTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func path(_ name: String) -> String { "\(directory.path)/\(name)" }

  private func write(_ bytes: [UInt8], _ name: String) throws -> String {
    let file = try PartialFile(path(name))
    try file.append(bytes)
    _ = try file.finish()
    return path(name)
  }

  private func reason(_ body: () throws -> Void) -> String {
    do { try body() } catch let error as InspectError {
      guard case .notUnpacked = error, error.description.hasSuffix(".") else { return "another error: \(error)" }
      return error.description
    } catch {
      return "another error: \(error)"
    }
    return "no error"
  }

  @Test("A compressed minicore is an ordinary zstd file of the same core, and is read as that core is")
  func minicore() throws {
    let marked = try CoreProgram()
    let process = try LiveProcess(pid: marked.running.pid)
    let minicore = Minicore(try Snapshot.take(pid: marked.running.pid), of: process)
    let plainBytes = try minicore.write(to: path("plain"))
    let packedBytes = try minicore.write(to: path("packed"), isCompressed: true)
    var status = stat()
    #expect(stat(path("packed"), &status) == 0 && Int(status.st_size) == packedBytes && status.st_mode & 0o777 == 0o600)
    #expect(packedBytes < plainBytes / 4)
    try Command.succeed(["zstd", "-q", "-d", path("packed"), "-o", path("unpacked")])
    try Command.succeed(["cmp", path("plain"), path("unpacked")])
    // The stream tells its length, so that whoever unpacks it knows beforehand.
    #expect(try Command.succeed(["zstd", "-lv", path("packed")]).contains("(\(plainBytes) B)"))

    #expect(CoreFile.isCore(path: path("packed")))
    let (plain, packed) = (try CoreFile(path: path("plain")), try CoreFile(path: path("packed")))
    #expect(packed.diagnostics == [])
    #expect(packed.snapshot().process == plain.snapshot().process)
    #expect(packed.snapshot().threads.map(\.registers) == plain.snapshot().threads.map(\.registers))
    for region in plain.memory.regions {
      let (address, count) = (Address(region.start), Int(region.count))
      #expect(packed.memory.bytes(at: address, count: count) == plain.memory.bytes(at: address, count: count))
    }
  }

  @Test(
    "What zstd and xz pack comes back, whatever its length, with holes for its zeroes",
    arguments: [["zstd", "-q", "-f", "-19", "--long=24"], ["xz", "-k", "-f", "-9"]])
  func roundTrip(command: [String]) throws {
    for length in [1, 4095, 4096, 4097, 300_000, 2_000_001] {
      // Words of a pattern, with zeroes for every other 64 KiB.
      let content = (0..<length).map { index in
        index >> 16 & 1 == 1 ? 0 : UInt8(truncatingIfNeeded: index &* index >> 7)
      }
      let file = try write(content, "content")
      try Command.succeed(command + [file])
      let unpacked = try UnpackedFile(path: file + (command[0] == "zstd" ? ".zst" : ".xz"))
      #expect(!unpacked.isCut && unpacked.byteCount == UInt64(length))
      #expect(try ProcFile.bytes("/proc/self/fd/\(unpacked.descriptor)") == content)
      var status = stat()
      #expect(fstat(unpacked.descriptor, &status) == 0 && status.st_nlink == 0 && status.st_size == length)
      if length > 1_000_000 { #expect(Int(status.st_blocks) * 512 < length * 3 / 4) }
    }
  }

  @Test(
    "A stream that was cut gives its beginning and says so; one that was changed is refused, unless nothing changed")
  func damaged() throws {
    let marked = try CoreProgram()
    let process = try LiveProcess(pid: marked.running.pid)
    let minicore = Minicore(try Snapshot.take(pid: marked.running.pid), of: process)
    let whole = try minicore.write(to: path("packed"), isCompressed: true)
    let bytes = try ProcFile.bytes(path("packed"))
    _ = try minicore.write(to: path("plain"))
    let content = try ProcFile.bytes(path("plain"))
    #expect(bytes.count == whole)
    for part in 1..<16 {
      let cut = try write(Array(bytes[..<(bytes.count * part / 16)]), "cut")
      do throws(InspectError) {
        let core = try CoreFile(path: cut)
        #expect(core.diagnostics.contains { $0.contains("compressed file ends in the middle") }, "\(part)")
        #expect(core.snapshot().threads.count <= 4)
      } catch {
        #expect(error.code == "not-core", "\(error)")
      }
    }
    // One bit, anywhere behind the signature: the checksum covers what the decoder does not notice.
    for index in stride(from: 4, to: bytes.count, by: max(1, bytes.count / 97)) {
      var flipped = bytes
      flipped[index] ^= 0x10
      let file = try write(flipped, "flipped")
      do throws(InspectError) {
        let unpacked = try UnpackedFile(path: file)
        // A block that claims to be longer than it is leaves nothing behind it; and some bits mean nothing.
        let isWhole = (try? ProcFile.bytes("/proc/self/fd/\(unpacked.descriptor)")) == content
        #expect(unpacked.isCut || isWhole, "bit at \(index)")
      } catch {
        #expect(error.code == "not-unpacked", "\(error)")
      }
    }
  }

  @Test("A stream that unpacks to more than it may is refused before it has filled anything")
  func bombs() throws {
    try Command.succeed(["sh", "-c", "head -c 100000000 /dev/zero | zstd -q -o '\(path("zeroes"))'"])
    let long = UnpackedFile.Limits(length: 1 << 20, content: 1 << 20)
    #expect(
      reason { _ = try UnpackedFile(path: path("zeroes"), limits: long) }.contains("unpacks to more than 1 MiB"))
    try Command.succeed(["sh", "-c", "yes | head -c 100000000 | zstd -q -o '\(path("text"))'"])
    let full = UnpackedFile.Limits(length: 1 << 30, content: 1 << 20)
    #expect(
      reason { _ = try UnpackedFile(path: path("text"), limits: full) }.contains("1 MiB that are not zero"))
    #expect(reason { _ = try UnpackedFile(path: path("zeroes"), limits: full) } == "no error")
    // A window of 512 MiB, which zstd itself would not unpack without being told to. It shows in streams of unknown
    // length only.
    try Command.succeed(["sh", "-c", "yes | head -c 1000000 | zstd -q --long=29 -o '\(path("wide"))'"])
    #expect(reason { _ = try UnpackedFile(path: path("wide")) }.contains("more than 128 MiB"))
  }

  @Test(
    "Half of what is free on a disk is taken, and of one that reports more than there are bytes, half of all numbers")
  func freeSpace() {
    #expect(UnpackedFile.half(ofBlocks: 10, bytesEach: 4096) == 20_480)
    #expect(UnpackedFile.half(ofBlocks: .max, bytesEach: 4096) == UInt64.max / 2)
    #expect(UnpackedFile.half(ofBlocks: .max, bytesEach: 1) == UInt64.max / 2)
  }

  @Test(
    "An arena that has become shorter since it was laid out is filled up with zeroes, so that the core is as announced")
  func shorterArena() throws {
    let arena = try write([UInt8](repeating: 7, count: 8192), "short.arena")
    var status = stat()
    try #require(stat(arena, &status) == 0)
    let map = MemoryMap(entries: [
      MemoryMapEntry(
        start: 0x10000, end: 0x12000, isReadable: true, isWritable: true, isExecutable: false, isShared: true,
        offset: 0, deviceMajor: 0, deviceMinor: 0, inode: UInt64(status.st_ino), path: arena)
    ])
    let pages = try #require(ArenaPages(map, try LiveProcess(pid: getpid())))
    #expect(pages.pieces.map(\.count) == [8192])
    try #require(truncate(arena, 5000) == 0)
    let bytes = pages.bytes(at: 0, count: 8192)
    #expect(bytes == [UInt8](repeating: 7, count: 5000) + [UInt8](repeating: 0, count: 3192))
    #expect(pages.bytes(at: 8192, count: 64) == [UInt8](repeating: 0, count: 64))
  }

  @Test("Random bytes behind a signature are refused, and nothing else happens")
  func noise() throws {
    var random = SystemRandomNumberGenerator()
    for head in [[0x28, 0xB5, 0x2F, 0xFD], [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]] as [[UInt8]] {
      for length in [0, 1, 7, 64, 4096, 100_000] {
        let body = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
        let file = try write(head + body, "noise")
        do throws(InspectError) {
          _ = try CoreFile(path: file)
          Issue.record("noise was taken for a core")
        } catch {
          #expect(["not-unpacked", "not-core"].contains(error.code), "\(error)")
        }
      }
    }
  }

  @Test("Other formats are named, with the command that unpacks them")
  func foreignFormats() throws {
    for (bytes, command) in [([0x1F, 0x8B], "gzip -d"), ([0x42, 0x5A, 0x68], "bzip2 -d")] as [([UInt8], String)] {
      let file = try write(bytes + [UInt8](repeating: 0, count: 100), "foreign")
      #expect(reason { _ = try CoreFile(path: file) }.contains(command))
    }
  }

  @Test("A pipe in place of a file does not keep the reader waiting")
  func pipe() {
    #expect(mkfifo(path("pipe"), 0o600) == 0)
    #expect(!CoreFile.isCore(path: path("pipe")))
  }
}
