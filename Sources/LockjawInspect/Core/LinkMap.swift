import LockjawModel

/// Where the dynamic loader keeps its list of libraries (`struct r_debug` of `link.h`): a debugger follows it in a core to
/// find the files.
struct LinkMap {
  /// Everything a reader of the list touches.
  private(set) var ranges: [(address: Address, count: UInt64)] = []

  private static let mostLibraries = 4096
  private static let mostDynamicEntries: UInt64 = 512
  private static let longestName: UInt64 = 4096
  private static let debugTag: UInt64 = 21  // DT_DEBUG
  private static let programHeaderType: UInt32 = 6  // PT_PHDR

  /// Empty for a program without a loader. Follows the target's pointers, which may lead anywhere: bounded.
  init(_ auxiliary: CoreAuxiliaryVector, memory: any MemoryReader) {
    guard let headers = auxiliary.values[CoreAuxiliaryVector.programHeaders],
      let count = auxiliary.values[CoreAuxiliaryVector.programHeaderCount], count > 0, count <= 256
    else { return }
    add(headers, count * 56)
    var bias: UInt64?
    var dynamic: UInt64?
    for index in 0..<count {
      let at = headers &+ index * 56
      guard let type = memory.load(UInt32.self, at: Address(at)),
        let address = memory.load(UInt64.self, at: Address(at &+ 16))
      else { return }
      if type == Self.programHeaderType { bias = headers &- address }
      if type == ELFSegment.dynamic { dynamic = address }
    }
    guard let dynamic else { return }
    // A program linked to a fixed address may have no PT_PHDR.
    let start = dynamic &+ (bias ?? 0)
    guard let list = debugPointer(start, memory) else { return }
    add(list, 40)
    follow(memory.load(UInt64.self, at: Address(list &+ 8)) ?? 0, memory)
  }

  private mutating func debugPointer(_ dynamic: UInt64, _ memory: any MemoryReader) -> UInt64? {
    for index in 0..<Self.mostDynamicEntries {
      let at = dynamic &+ index * 16
      guard let tag = memory.load(UInt64.self, at: Address(at)), tag != 0 else { return nil }
      if tag == Self.debugTag {
        add(dynamic, (index + 1) * 16)
        return memory.load(UInt64.self, at: Address(at &+ 8))
      }
    }
    return nil
  }

  private mutating func follow(_ first: UInt64, _ memory: any MemoryReader) {
    var seen: Set<UInt64> = []
    var entry = first
    while entry != 0, seen.count < Self.mostLibraries, seen.insert(entry).inserted {
      add(entry, 40)
      guard let name = memory.load(UInt64.self, at: Address(entry &+ 8)),
        let dynamic = memory.load(UInt64.self, at: Address(entry &+ 16)),
        let next = memory.load(UInt64.self, at: Address(entry &+ 24))
      else { return }
      add(name, length(of: name, memory) + 1)
      add(dynamic, 1024)
      entry = next
    }
  }

  private func length(of name: UInt64, _ memory: any MemoryReader) -> UInt64 {
    var at: UInt64 = 0
    while at < Self.longestName {
      guard let byte = memory.load(UInt8.self, at: Address(name &+ at)), byte != 0 else { break }
      at += 1
    }
    return at
  }

  private mutating func add(_ address: UInt64, _ count: UInt64) {
    guard address != 0 else { return }
    ranges.append((Address(address), count))
  }
}
