import LockjawNestings
import Testing

/// Guards kept in every way that programs keep them; a thread each, asleep for good.
@Suite("Guard patterns", .serialized)
struct PatternTests {
  @Test("No pattern's lock is given to a thread that does not hold it", arguments: NestingBuild.patternsInShort)
  func patterns(build: NestingBuild) throws {
    let table = try build.patternTable()
    print("\(build.name): \(table)")
    #expect(table.wrong.isEmpty, "\(table)")
    // The loop that never ends has no release in the program where nothing can unwind; all others are found.
    #expect(table.short.allSatisfy { $0 == "loop_ever" }, "\(table)")
  }
}
