import Glibc
import LockjawNestings

/// The long form of the nesting tests, for an optimised build: prints a line for each way to compile the programs.
///
///     holder-bench SNAPSHOTS [PART-OF-A-BUILD'S-NAME…]
@main
struct HolderBench {
  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    let snapshots = arguments.first.flatMap { Int($0) } ?? 100
    let wanted = arguments.dropFirst()
    var isRight = true
    for build in NestingBuild.patterns where wanted.isEmpty || wanted.contains(where: { build.name.hasPrefix($0) }) {
      do {
        let table = try build.patternTable()
        print("patterns, \(build.name): \(table)")
        if !table.wrong.isEmpty { isRight = false }
      } catch {
        print("patterns, \(build.name): \(error)")
        isRight = false
      }
      fflush(nil)
    }
    for build in NestingBuild.all where wanted.isEmpty || wanted.contains(where: { build.name.hasPrefix($0) }) {
      do {
        let score = try build.score(snapshots: snapshots)
        print("\(build.name): \(score)\n  \(score.speed)")
        for note in score.notes { print("  \(note)") }
        if score.wrong > 0 { isRight = false }
      } catch {
        print("\(build.name): \(error)")
        isRight = false
      }
      fflush(nil)
    }
    exit(isRight ? 0 : 1)
  }
}
