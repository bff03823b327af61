import CLockjawABI
import LockjawModel
import Testing

@testable import LockjawArena

@Suite("Counts and operations are read as the format says") struct RecordingTests {
  @Test("Rows of different threads for one lock and site are one count")
  func mergedRows() throws {
    let file = ArenaFile()
    file.thread(0, tid: 11, name: "alice")
    for (slot, unit) in [(0, 0), (1, 1)] { file.siteTable(slot, unit: unit) }
    file.siteRow(unit: 0, row: 5, object: 0xa0, site: 0x1000, operations: 3, ticks: 20)
    file.siteRow(unit: 1, row: 9, object: 0xa0, site: 0x1000, operations: 4, ticks: 10)
    file.siteRow(unit: 1, row: 10, object: 0xa0, site: 0x2000, operations: 1)
    file.siteRow(unit: 1, row: 11, object: 0xa0, site: 0x1000, operations: 2, counts: LJ_COUNT_INIT)
    file.siteRow(unit: 1, row: 12, object: UInt64(LJ_ANY_OBJECT), site: 0x1000, operations: 8)
    file.siteRow(unit: 1, row: 13, object: 0xc0, site: 0, operations: 8)  // not complete
    file.write()
    let counts = try ArenaReader(path: file.path).siteCounts()
    #expect(counts.count == 4)
    let merged = try #require(
      counts.first { $0.object == Address(0xa0) && $0.site.address == Address(0x1000) && $0.purpose == .use })
    #expect(merged.operations == 7 && merged.longestWaitNanoseconds == 4 && merged.seenTicks == 10)
    #expect(counts.first { $0.purpose == .initialisation }?.operations == 2)
    #expect(counts.first { $0.object == nil }?.operations == 8)
  }

  @Test("Beyond the limit, pairs are counted by their site alone")
  func limitedPairs() throws {
    let file = ArenaFile()
    file.thread(0, tid: 11, name: "alice")
    file.siteTable(0, unit: 0)
    for row in 0..<8 {
      file.siteRow(unit: 0, row: row, object: UInt64(0xa0 + row), site: 0x1000, operations: UInt64(row + 1))
    }
    file.write()
    let counts = try ArenaReader(path: file.path).siteCounts(limit: 3)
    #expect(counts.filter { $0.object != nil }.count == 3)
    #expect(counts.filter { $0.object == nil }.count == 1)
    #expect(counts.map(\.operations).reduce(0, +) == 36)
  }

  @Test("A ring gives what its stamps vouch for, dated by its own readings of the clock")
  func ring() throws {
    let file = ArenaFile()
    file.thread(0, tid: 11, name: "alice")
    file.operationRing(0, unit: 0, head: 261)
    for number in UInt64(5)..<261 {
      file.operation(
        unit: 0, number: number, number % 2 == 0 ? LJ_OP_ACQUIRE : LJ_OP_RELEASE, object: 0xa0, ticks: 1000 + number)
    }
    // Ticks of 4 ns: 1000 was 5000 ns, so 1240 is 5960 ns.
    file.operation(unit: 0, number: 240, LJ_OP_CLOCK, object: 5960, ticks: 1240)
    file.operation(unit: 0, number: 50, LJ_OP_ACQUIRE, object: 0xa0, ticks: 1)
    file.corrupt(file.unit(0) + 50 * 32 + 24) { $0 ^= 1 }  // its stamp: never finished
    file.write()
    let (histories, clock) = try ArenaReader(path: file.path).operations()
    let history = try #require(histories.first)
    #expect(history.lost == 5 && history.unfinished == 1)
    #expect(history.operations.map(\.number) == (5..<261).filter { $0 != 240 && $0 != 50 })
    #expect(try #require(clock).instant(ofTicks: 1100) == Instant(nanoseconds: 5400))
    #expect(try #require(clock).instant(ofTicks: 900) == Instant(nanoseconds: 4600))
  }

  @Test("Operations are each thread's that had the slot")
  func threads() throws {
    let file = ArenaFile()
    file.thread(0, tid: 13, name: "third")
    file.operationRing(0, unit: 0, head: 6)
    file.operation(unit: 0, number: 0, LJ_OP_ACQUIRE, object: 0xa0, ticks: 1)
    file.operation(unit: 0, number: 1, LJ_OP_THREAD_END, object: 11, ticks: 2)
    file.operation(unit: 0, number: 2, LJ_OP_THREAD_BEGIN, object: 12, ticks: 3, site: 11)
    file.operation(unit: 0, number: 3, LJ_OP_ACQUIRE, object: 0xa0, ticks: 4, detail: LJ_HELD_CONTENDED)
    file.operation(unit: 0, number: 4, LJ_OP_THREAD_BEGIN, object: 13, ticks: 5, site: 12)
    file.operation(unit: 0, number: 5, LJ_OP_WAIT_END, object: 0xa0, ticks: 6, detail: LJ_OUTCOME_TIMEOUT)
    file.write()
    let operations = try #require(try ArenaReader(path: file.path).operations(inSlot: 0)).operations
    #expect(operations.map(\.tid) == [11, 12, 13].map { ThreadID($0) })
    #expect(operations.map(\.isContended) == [false, true, false])
    #expect(operations.map(\.outcome) == [nil, nil, .timeout])
    // The mark of the first thread's end overwritten: its successor's beginning still says whose it was.
    file.operation(unit: 0, number: 1, LJ_OP_RELEASE, object: 0xa0, ticks: 2)
    file.write()
    let others = try #require(try ArenaReader(path: file.path).operations(inSlot: 0)).operations
    #expect(others.map(\.tid) == [11, 11, 12, 13].map { ThreadID($0) })
  }

  @Test("Rings beyond the limit are not read, and counted")
  func limit() throws {
    let file = ArenaFile()
    for slot in 0..<2 {
      file.thread(slot, tid: UInt32(11 + slot), name: "t")
      file.operationRing(slot, unit: slot, head: 1)
      file.operation(unit: slot, number: 0, LJ_OP_ACQUIRE, object: 0xa0, ticks: 1)
    }
    file.write()
    #expect(try ArenaReader(path: file.path).operations(inSlots: [1]).histories.map(\.slot) == [1])
    let histories = try ArenaReader(path: file.path).operations(byteLimit: 8192).histories
    #expect(histories.map(\.lost) == [0, 1] && histories.map(\.operations.count) == [1, 0])
  }

  @Test("The level is one word that a collector may set")
  func level() throws {
    let file = ArenaFile()
    file.write()
    let collector = try ArenaReader(path: file.path, forCollecting: true)
    let other = try ArenaReader(path: file.path)
    #expect(collector.level == .state)
    #expect(collector.record(.all) && other.level == .all)
    #expect(!other.record(.state) && other.levelIsFixed != nil, "a reader that may not write")
    file.setHeader(\.history_capacity, 0)
    file.write()
    let small = try ArenaReader(path: file.path, forCollecting: true)
    #expect(!small.record(.all) && small.levelIsFixed?.contains("5.14") == true)
    #expect(small.record(.state))
  }
}
