import Glibc
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@Suite("Memory")
struct MemoryTests {
  private let image = MemoryImage(base: Address(0x1000), bytes: Array(0..<16))

  @Test("An image gives what it holds, a prefix at its end, nothing outside")
  func images() {
    #expect(image.bytes(at: Address(0x1004), count: 4) == [4, 5, 6, 7])
    #expect(image.bytes(at: Address(0x100E), count: 4) == nil)
    #expect(prefix(image, Address(0x100E), 4) == [14, 15])
    #expect(prefix(image, Address(0xFFF), 4) == [])
    #expect(prefix(image, Address(0x1010), 4) == [])
    #expect(prefix(image, Address(UInt64.max), 4) == [])
    #expect(image.load(UInt32.self, at: Address(0x1001)) == 0x0403_0201)
    #expect(image.bytes(at: Address(0x1000), count: 0) == [])
    #expect(image.bytes(at: Address(0x1000), count: -1) == nil)
  }

  @Test("An image at the top of the address space does not wrap around")
  func top() {
    let top = MemoryImage(base: Address(UInt64.max - 3), bytes: [1, 2, 3, 4])
    #expect(prefix(top, Address(UInt64.max), 8) == [4])
    #expect(prefix(LayeredMemory([top, image]), Address(UInt64.max - 1), 8) == [3, 4])
  }

  @Test("Layers: the first that has a byte gives it, and a range may cross from one to the next")
  func layers() {
    let above = MemoryImage(base: Address(0x1008), bytes: [100, 101, 102, 103])
    let beyond = MemoryImage(base: Address(0x1010), bytes: [200, 201])
    let memory = LayeredMemory([above, image, beyond])
    #expect(memory.bytes(at: Address(0x1008), count: 4) == [100, 101, 102, 103])
    #expect(memory.bytes(at: Address(0x100A), count: 8) == [102, 103, 12, 13, 14, 15, 200, 201])
    #expect(prefix(memory, Address(0x100A), 20) == [102, 103, 12, 13, 14, 15, 200, 201])
    // Below where the first layer begins the second answers, and no further.
    #expect(memory.bytes(at: Address(0x1004), count: 10) == [4, 5, 6, 7, 100, 101, 102, 103, 12, 13])
    let nested = LayeredMemory([LayeredMemory([MemoryImages([above])]), image])
    #expect(nested.bytes(at: Address(0x1004), count: 10) == [4, 5, 6, 7, 100, 101, 102, 103, 12, 13])
    #expect(prefix(LayeredMemory([]), Address(0x1000), 4) == [])
  }

  @Test("Many images answer like the one that holds the address", arguments: 0..<20)
  func manyImages(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var at: UInt64 = 0x10000
    var images = [MemoryImage]()
    for _ in 0..<50 {
      at += UInt64.random(in: 0..<100, using: &random)
      let bytes = (0..<Int.random(in: 1..<64, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      images.append(MemoryImage(base: Address(at), bytes: bytes))
      at += UInt64(bytes.count)
    }
    let memory = MemoryImages(images.shuffled(using: &random))
    for _ in 0..<200 {
      let address = Address(UInt64.random(in: 0xFF00..<at + 100, using: &random))
      let expected = images.first { $0.base <= address && address < $0.end }.map { prefix($0, address, 32) } ?? []
      #expect(prefix(memory, address, 32) == expected, "seed \(seed), address \(address)")
    }
  }

  @Test("A process' memory is read without it being stopped, and unmapped addresses are short")
  func process() throws {
    let own = ProcessMemory(task: getpid())
    let value: [UInt64] = [0xDEAD_BEEF_0000_0001, 2]
    value.withUnsafeBytes { raw in
      let address = Address(UInt64(UInt(bitPattern: raw.baseAddress)))
      #expect(own.load(UInt64.self, at: address) == value[0])
      #expect(own.bytes(at: address, count: 16) == Array(raw))
    }
    #expect(own.load(UInt64.self, at: Address(8)) == nil)
    #expect(own.load(UInt64.self, at: Address(UInt64.max - 4)) == nil)
    #expect(ProcessMemory(task: Int32.max).load(UInt8.self, at: Address(0x1000)) == nil)
    // A read that runs into a hole yields what lies before it.
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let two = try #require(mmap(nil, page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    munmap(two + page, page)
    defer { munmap(two, page) }
    #expect(prefix(own, Address(UInt64(UInt(bitPattern: two))), page * 2).count == page)
  }

  @Test("A wait's own stack copy is memory from its stack pointer upwards")
  func waitStack() {
    var wait = Wait(
      sequence: 1, type: .mutex, mode: .exclusive, object: Address(1), site: CallSite(address: Address(2)),
      since: Instant(nanoseconds: 3))
    wait.context.sp = 0x7000
    wait.context.ip = 0x40
    wait.stackTop = [9, 8, 7]
    #expect(MemoryImage(wait).bytes(at: Address(0x7001), count: 2) == [8, 7])
    #expect(Registers(wait.context).stackPointer == Address(0x7000))
    #expect(Registers(wait.context).instruction == Address(0x40))
  }

  private func prefix(_ memory: any MemoryReader, _ address: Address, _ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xEE, count: count)
    let got = bytes.withUnsafeMutableBytes { memory.read(address, into: $0) }
    #expect(bytes[got...].allSatisfy { $0 == 0xEE }, "more was written than was reported")
    return Array(bytes[..<got])
  }
}
