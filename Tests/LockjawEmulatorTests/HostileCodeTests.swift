import LockjawInspect
import LockjawModel
import Testing

@testable import LockjawEmulator

@Suite("Hostile code and tables")
struct HostileCodeTests {
  /// Any address has a byte: half of them random, half of a kind that code likes.
  private struct Noise: MemoryReader {
    var seed: UInt64
    func read(_ address: Address, into buffer: UnsafeMutableRawBufferPointer) -> Int {
      for index in buffer.indices {
        let at = address.rawValue &+ UInt64(index)
        var value = (at ^ seed) &* 0x9E37_79B9_7F4A_7C15
        value ^= value >> 29
        buffer[index] = UInt8(truncatingIfNeeded: value >> 32)
      }
      return buffer.count
    }
  }

  @Test("Random bytes as code end within the limits, whatever they do", arguments: 0..<20)
  func randomCode(round: Int) {
    var random = SystemRandomNumberGenerator()
    let start: UInt64 = 0x40_0000
    for _ in 0..<100 {
      let bytes = (0..<8192).map { _ in UInt8.random(in: 0...255, using: &random) }
      let memory: any MemoryReader =
        Bool.random(using: &random)
        ? LayeredMemory([MemoryImage(base: Address(start), bytes: bytes), Noise(seed: random.next())])
        : MemoryImage(base: Address(start), bytes: bytes)
      var processor = Processor(memory: GuestMemory(memory), stubs: Stubs(code: [(start, start + 8192)]))
      processor.reset(watching: [LockSemantics(.rustMutex, at: Address(start + 4096))])
      for index in 0..<16 { processor.registers[index] = random.next() }
      processor.registers[4] = Bool.random(using: &random) ? start + 4096 : random.next()
      processor.rip = start + UInt64.random(in: 0..<8192, using: &random)
      processor.instructionLimit = 20_000
      var stops = 0
      while stops < 50 {
        let stop = processor.run()
        stops += 1
        if stop == .instructionLimit || stop == .unmappedMemory || stop == .leftCode { break }
        // Whatever else stopped it, go on behind: more of the bytes are tried.
        processor.rip = start + UInt64.random(in: 0..<8192, using: &random)
      }
      #expect(processor.executed < 60_000)
    }
  }

  @Test("An access at the end of the address space wraps, and counts as unmapped")
  func wraps() {
    let memory = GuestMemory(MemoryImage(base: Address(0x1000), bytes: [1, 2, 3]))
    #expect(memory.load(UInt64.max, as: UInt64.self) == 0)
    #expect(memory.load(UInt64.max &- 3, as: UInt64.self) == 0)
    memory.store(UInt64.max &- 1, UInt64(0x0102_0304_0506_0708))
    #expect(memory.load(UInt64.max &- 1, as: UInt64.self) == 0x0102_0304_0506_0708)
    #expect(memory.unmappedAccesses > 0)
  }

  @Test("What a run writes is gone in the next, and was never in the target")
  func copyOnWrite() {
    let image = MemoryImage(base: Address(0x1000), bytes: [UInt8](repeating: 7, count: 8192))
    let memory = GuestMemory(image)
    #expect(memory.load(0x1FFC, as: UInt64.self) == 0x0707_0707_0707_0707)
    memory.store(0x1FFC, UInt64(0))
    #expect(memory.load(0x1FFC, as: UInt64.self) == 0)
    #expect(memory.load(0x1FF8, as: UInt32.self) == 0x0707_0707)
    memory.beginRun()
    #expect(memory.load(0x1FFC, as: UInt64.self) == 0x0707_0707_0707_0707)
    #expect(image.load(UInt64.self, at: Address(0x1FFC)) == 0x0707_0707_0707_0707)
  }

  @Test("A page of which only the end is readable gives that end", arguments: [0, 1, 100, 2048, 4088])
  func partOfAPage(missing: Int) {
    let memory = GuestMemory(
      MemoryImage(base: Address(0x5000 + UInt64(missing)), bytes: [UInt8](repeating: 9, count: 4096 - missing)))
    #expect(memory.load(0x5000 + UInt64(missing), as: UInt8.self) == 9)
    #expect(memory.load(0x5FF8, as: UInt64.self) == 0x0909_0909_0909_0909)
    if missing > 0 { #expect(memory.load(0x5000 + UInt64(missing) - 1, as: UInt8.self) == 0) }
  }

  @Test("Exception tables of random bytes give an address or none, in bounded time", arguments: 0..<8)
  func randomTables(round: Int) {
    for seed in UInt64(0)..<400 {
      let noise = Noise(seed: seed &* 31 &+ UInt64(round))
      _ = FrameDescription(at: seed &* 4096, memory: noise)
      _ = CallSiteTable.landingPad(of: 0x1234, function: 0x1000, table: seed &* 64, memory: noise)
      var cursor = TableCursor(noise, at: .max - 8, count: 64)
      while cursor.at < cursor.bytes.count, cursor.encoded(UInt8(truncatingIfNeeded: seed)) != nil {}
    }
  }

  @Test("Dynamic symbols of random bytes never reach outside their tables")
  func randomSymbols() {
    let module = Module(
      path: "/x", start: Address(0x1000), end: Address(0x9000), textStart: Address(0x1000), textEnd: Address(0x9000),
      textOffset: 0, buildID: "", inode: 1)
    var random = SystemRandomNumberGenerator()
    for _ in 0..<300 {
      // A dynamic section with the right tags and wild values: tables of a page that lie anywhere around.
      var bytes = [UInt8]()
      for tag in [5, 6, 10, 23, 2, 7, 8] as [UInt64] {
        for word in [tag, UInt64.random(in: 0...0x3000, using: &random)] {
          for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * shift))) }
        }
      }
      bytes += (0..<8192).map { _ in UInt8.random(in: 0...255, using: &random) }
      let memory = MemoryImage(base: Address(0x1000), bytes: bytes)
      guard let table = DynamicSymbols(dynamic: 0x1000, size: 112, module: module, bias: 0x1000, memory: memory) else {
        continue
      }
      for symbol in table.symbols { _ = table.name(symbol) }
      #expect(table.slots.allSatisfy { $0.symbol < table.symbols.count })
    }
  }
}
