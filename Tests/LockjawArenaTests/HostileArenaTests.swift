import CLockjawABI
import Glibc
import LockjawModel
import Testing

@testable import LockjawArena

@Suite("A damaged or hostile arena is an error or a short answer, never a crash")
struct HostileArenaTests {
  @Test("What is not an arena says so")
  func notAnArena() {
    let file = ArenaFile()
    file.setHeader(\.magic, 1)
    file.write()
    #expect(throws: ArenaError.notAnArena(path: file.path)) { try ArenaReader(path: file.path) }
    #expect(throws: ArenaError.notAnArena(path: "/dev/null")) { try ArenaReader(path: "/dev/null") }
    #expect(throws: ArenaError.cannotOpen(path: "/nowhere/x", errno: ENOENT)) { try ArenaReader(path: "/nowhere/x") }
  }

  @Test("Another version is refused by number")
  func otherVersion() {
    let file = ArenaFile()
    file.setHeader(\.version, 9)
    file.write()
    #expect(throws: ArenaError.otherVersion(path: file.path, found: 9, expected: UInt32(LJ_ABI_VERSION))) {
      try ArenaReader(path: file.path)
    }
  }

  @Test("A symbolic link in the arena's place is not followed")
  func symbolicLink() {
    let file = ArenaFile()
    file.write()
    let link = file.path + ".link"
    symlink(file.path, link)
    defer { unlink(link) }
    #expect(throws: ArenaError.cannotOpen(path: link, errno: ELOOP)) { try ArenaReader(path: link) }
  }

  @Test("An arena cut anywhere is refused or read short")
  func truncated() {
    let file = ArenaFile()
    populate(file)
    for length in stride(from: 0, to: file.bytes.count, by: 509) {
      file.write(length: length)
      if let arena = try? ArenaReader(path: file.path) { readAll(arena) }
      // Nothing short of the last region may pass as whole.
      #expect(throws: ArenaError.self) { try ArenaReader(path: file.path) }
    }
  }

  @Test("A file that shrinks while it is mapped reads as zeros and is counted")
  func shrinking() throws {
    let file = ArenaFile()
    populate(file)
    file.write()
    let arena = try ArenaReader(path: file.path)
    #expect(!arena.threads().isEmpty)
    file.truncate(4096)
    readAll(arena)
    #expect(arena.vanishedPages > 0)
    #expect(arena.threads().isEmpty)
  }

  @Test("Every byte of the header, flipped in every bit, is survived")
  func flippedHeader() {
    let file = ArenaFile()
    populate(file)
    let texts =
      MemoryLayout<lj_arena_header>.offset(of: \lj_arena_header.session)!..<MemoryLayout<lj_arena_header>.offset(
        of: \lj_arena_header.quiet_reason)!
    for offset in 0..<MemoryLayout<lj_arena_header>.size where !texts.contains(offset) {
      for bit in 0..<8 {
        file.corrupt(offset) { $0 ^= 1 << UInt8(bit) }
        file.write()
        if let arena = try? ArenaReader(path: file.path) { readAll(arena) }
        file.corrupt(offset) { $0 ^= 1 << UInt8(bit) }
      }
    }
  }

  @Test("Regions of no length are survived wherever they are said to begin, one by one and all at once")
  func regionsOfNoLength() throws {
    let regions:
      [(offset: WritableKeyPath<lj_arena_header, UInt64>, capacity: WritableKeyPath<lj_arena_header, UInt32>)] =
        [
          (\.modules_offset, \.module_capacity), (\.slots_offset, \.slot_capacity),
          (\.extents_offset, \.extent_capacity), (\.history_offset, \.history_capacity),
        ]
    for chosen in [[0], [1], [2], [3], [0, 1, 2, 3]] {
      for beginning in [0, 1, 1 << 40, UInt64(Int64.max), 1 << 63, .max] {
        let file = ArenaFile()
        populate(file)
        for region in chosen {
          file.setHeader(regions[region].capacity, 0)
          file.setHeader(regions[region].offset, beginning)
        }
        file.write()
        let arena = try ArenaReader(path: file.path)
        readAll(arena)
        #expect(!chosen.contains(1) || arena.threads(includingIdle: true).isEmpty)
        #expect(!chosen.contains(0) || arena.modules().isEmpty)
        #expect(!chosen.contains(3) || arena.lockNames().isEmpty)
      }
    }
  }

  @Test("Every field of slots, extents and modules, set to extremes, is survived")
  func extremeFields() {
    let file = ArenaFile()
    populate(file)
    let regions = [
      (file.slot(0), 4096), (file.extent(0), 128), (LJ_MODULES_OFFSET, 512), (file.unit(0), 128), (file.unit(1), 256),
      (file.unit(2), 192), (file.slot(0) + MemoryLayout<lj_slot>.offset(of: \lj_slot.breadcrumb)!, 128),
    ]
    for (base, length) in regions {
      for offset in stride(from: base, to: base + length, by: 8) {
        let before = Array(file.bytes[offset..<offset + 8])
        for value in [UInt64.max, 1 << 63, 0x7fff_ffff, 0xffff_ffff_0000_0001] {
          file.store(value, at: offset)
          file.write()
          if let arena = try? ArenaReader(path: file.path) { readAll(arena) }
        }
        for (index, byte) in before.enumerated() { file.corrupt(offset + index) { $0 = byte } }
      }
    }
  }

  @Test("Random bytes behind a valid header are survived", arguments: 0..<40)
  func randomBytes(seed: UInt64) {
    let file = ArenaFile()
    populate(file)
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    for offset in 8192..<file.bytes.count {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      // Sparse and dense damage find different paths.
      if seed % 2 == 0 || state % 64 == 0 { file.corrupt(offset) { $0 = UInt8(truncatingIfNeeded: state >> 32) } }
    }
    for index in 0..<ArenaFile.slots { file.set(\.phase, UInt32(LJ_PHASE_LIVE), slot: index) }
    file.write()
    if let arena = try? ArenaReader(path: file.path) { readAll(arena) }
  }

  private func populate(_ file: ArenaFile) {
    for index in 0..<3 {
      file.thread(index, tid: UInt32(100 + index), name: "thread \(index)")
      file.hold(index, place: 0, object: UInt64(0xa0 + index), kind: LJ_KIND_MUTEX, mode: LJ_MODE_EXCLUSIVE)
      file.set(\.held_count, 60, slot: index)
      file.set(\.held_extent, UInt32(index + 1), slot: index)
      file.chain(index, ofSlot: index, next: 0, from: UInt64(0xc0 * (index + 1)), count: 12)
      file.wait(index, sequence: 3, object: 0xb0, kind: LJ_KIND_MUTEX, mode: LJ_MODE_EXCLUSIVE, stack: [9, 9])
      file.event(index, place: 0, begin: 5, outcome: LJ_OUTCOME_ACQUIRED)
      file.ring(index, head: 1)
      file.operationRing(index, unit: 0, head: 300)
      file.siteTable(index, unit: 1)
    }
    for number in UInt64(100)..<300 {
      file.operation(unit: 0, number: number, Int(number) % LJ_OP_COUNT, object: 0xa0, ticks: number)
    }
    file.siteRow(unit: 1, row: 3, object: 0xa0, site: 0x1000, operations: 3)
    file.name(0, unit: 2, place: 0, object: 0xa0, "accounts")
    file.name(0, unit: 2, place: 1, object: 0xa1, "ledger")
    file.breadcrumb(0, "record 4711")
    file.heartbeat(0, name: "loop", withinMilliseconds: 100)
  }

  @Test("What the program said itself is read")
  func annotations() throws {
    let file = ArenaFile()
    populate(file)
    file.write()
    let arena = try ArenaReader(path: file.path)
    #expect(arena.lockNames() == [Address(0xa0): "accounts", Address(0xa1): "ledger"])
    #expect(arena.breadcrumb(inSlot: 0)?.text == "record 4711")
    #expect(arena.heartbeats().map(\.name) == ["loop"])
  }

  /// Everything a reader offers.
  private func readAll(_ arena: ArenaReader) {
    for thread in arena.threads(includingIdle: true) {
      _ = arena.stackTop(inSlot: thread.slot)
      _ = arena.thread(inSlot: thread.slot)
    }
    _ = arena.modules()
    _ = arena.history(limit: 50)
    _ = arena.losses()
    for count in arena.siteCounts() { _ = count.estimatedHoldNanoseconds }
    _ = arena.siteCounts(limit: 1)
    _ = arena.operations(inSlots: [2, -1, 0, .max, .min, 0])
    let (histories, clock) = arena.operations()
    for operation in histories.flatMap(\.operations) { _ = clock?.instant(ofTicks: operation.ticks) }
    for slot in -1...ArenaFile.slots {
      _ = arena.operations(inSlot: slot)
      _ = arena.siteCounts(inSlot: slot)
      _ = arena.breadcrumb(inSlot: slot)
    }
    _ = arena.lockNames()
    _ = arena.heartbeats()
    _ = arena.level
    _ = arena.imageState
    _ = arena.vanishedPages
  }
}
