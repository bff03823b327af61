import Glibc
import LockjawTestPrograms

/// One way to compile a program of nestings.
package struct NestingBuild: CustomStringConvertible, Sendable {
  package var name: String
  var source: String
  var flags: [String]

  package var description: String { name }

  package static let rustStd: [NestingBuild] = [
    NestingBuild(name: "std release", source: "nestings.rs", flags: ["-O"]),
    NestingBuild(name: "std debug", source: "nestings.rs", flags: []),
    NestingBuild(name: "std panic=abort", source: "nestings.rs", flags: ["-O", "-C", "panic=abort"]),
    NestingBuild(
      name: "std fat LTO", source: "nestings.rs",
      flags: ["-C", "opt-level=3", "-C", "lto=fat", "-C", "codegen-units=1"]),
    NestingBuild(name: "std release, stripped", source: "nestings.rs", flags: ["-O", "-C", "strip=symbols"]),
  ]

  package static let all = rustStd

  /// Sources stand beside this file.
  static let sources =
    String(#filePath.prefix(upTo: #filePath.lastIndex(of: "/") ?? #filePath.startIndex)) + "/Programs"

  func compile(into directory: TemporaryDirectory) throws -> String {
    let path = "\(directory.path)/nestings"
    try Command.succeed(["rustc", "--edition", "2021", "-o", path, "\(Self.sources)/\(source)"] + flags)
    return path
  }

  /// Two programs with fresh seeds, half the snapshots each.
  package func score(snapshots: Int) throws -> NestingProgram.Score {
    let directory = try TemporaryDirectory()
    let path = try compile(into: directory)
    var score = NestingProgram.Score()
    for _ in 0..<2 {
      let program = try NestingProgram(path: path, seed: UInt64.random(in: 1...1 << 30))
      for _ in 0..<(snapshots + 1) / 2 {
        // Between two looks the threads move on: by how much is chance.
        usleep(UInt32.random(in: 2_000...20_000))
        try program.score(into: &score)
      }
    }
    return score
  }
}
