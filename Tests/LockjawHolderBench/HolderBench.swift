import Glibc
import LockjawNestings

/// The long form of the emulator's tests, for an optimised build; see Tools/bench-holders.
///
///     holder-bench nestings|patterns|rungs|speed SNAPSHOTS [PART-OF-A-BUILD'S-NAME…]
@main
struct HolderBench {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard arguments.count >= 2, let snapshots = Int(arguments[1]) else {
      print("usage: holder-bench nestings|patterns|rungs|speed SNAPSHOTS [BUILD…]")
      exit(2)
    }
    let bench = HolderBench(snapshots: snapshots, wanted: Array(arguments.dropFirst(2)))
    let isRight: Bool
    switch arguments[0] {
    case "nestings": isRight = bench.nestings()
    case "patterns": isRight = bench.patterns()
    case "rungs": isRight = bench.rungs()
    default: isRight = bench.speed()
    }
    exit(isRight ? 0 : 1)
  }

  var snapshots: Int
  var wanted: [String]

  private func each(_ builds: [NestingBuild], _ body: (NestingBuild) throws -> Bool) -> Bool {
    var isRight = true
    for build in builds where wanted.isEmpty || wanted.contains(where: { build.name.hasPrefix($0) }) {
      do {
        if try !body(build) { isRight = false }
      } catch {
        print("\(build.name): \(error)")
        isRight = false
      }
      fflush(nil)
    }
    return isRight
  }

  private func nestings() -> Bool {
    each(NestingBuild.all) { build in
      let score = try build.score(snapshots: snapshots)
      print("\(build.name): \(score)\n  \(score.speed)")
      for (strength, count) in score.strengths.sorted(by: { $0.key < $1.key }) {
        print("  \(strength): \(count.right) right, \(count.wrong) not, \(count.claimedWrong) of those claimed")
      }
      for note in score.notes { print("  \(note)") }
      return score.wrong == 0 && score.missed == 0
    }
  }

  private func patterns() -> Bool {
    each(NestingBuild.patterns) { build in
      let table = try build.patternTable()
      print("\(build.name): \(table)")
      return table.wrong.isEmpty
    }
  }

  /// Every answer of patterns and nestings by the way it was found, a row for each build, as Markdown.
  private func rungs() -> Bool {
    print(RungTally.header)
    return each(NestingBuild.patterns) { build in
      var tally = try build.patternTable().tally
      if let nestings = build.nestings { tally = try tally + nestings.score(snapshots: snapshots).tally }
      print(tally.row(build.name))
      return tally.wrong.values.allSatisfy { $0 == 0 }
    }
  }

  /// What a run and a whole search cost, with few threads and with a hundred, as Markdown.
  private func speed() -> Bool {
    print(
      "| build | threads | runs | instructions | median µs | p90 µs | mean µs | longest µs "
        + "| whole search, median ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    let builds = wanted.isEmpty ? ["std release", "std panic=abort", "g++ -O2"] : wanted
    return each(NestingBuild.all.filter { builds.contains($0.name) }) { build in
      for (threads, snapshots) in [(8, snapshots), (100, max(snapshots / 8, 2))] {
        print("| \(build.name) | \(try build.score(snapshots: snapshots, threads: threads).speedColumns) |")
      }
      return true
    }
  }
}
