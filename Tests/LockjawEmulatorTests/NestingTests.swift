import Glibc
import LockjawNestings
import Testing

/// Random nestings of guards against the table that the program keeps. `LOCKJAW_HOLDER_SNAPSHOTS` makes it longer.
@Suite("Random nestings of guards", .serialized)
struct NestingTests {
  static var snapshots: Int { getenv("LOCKJAW_HOLDER_SNAPSHOTS").flatMap { Int(String(cString: $0)) } ?? 6 }

  @Test(
    "Of every lock of a random nesting the holders are found, and nobody else",
    arguments: NestingBuild.shortForm)
  func nestings(build: NestingBuild) throws {
    let score = try build.score(snapshots: Self.snapshots)
    print("\(build.name): \(score)")
    for note in score.notes { print("  \(note)") }
    #expect(score.holds > 0)
    #expect(score.wrong == 0, "\(build.name): \(score.notes)")
    #expect(score.missed == 0, "\(build.name): \(score.notes)")
  }
}
