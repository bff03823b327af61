import Glibc
import LockjawTestPrograms

/// One way to compile a program of nestings.
package struct NestingBuild: CustomStringConvertible, Sendable {
  package var name: String
  var source: String
  var flags: [String]
  /// Of a Rust program without crates, where it is not PATH's.
  var rustCompiler: String?

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

  /// The standard library of another release of Rust, where this machine has one.
  package static let otherRust = otherRelease(source: "nestings.rs")

  static func otherRelease(source: String) -> [NestingBuild] {
    guard let compiler = OtherRust.compiler else { return [] }
    return [("std release", ["-O"]), ("std panic=abort", ["-O", "-C", "panic=abort"])].map {
      NestingBuild(name: "\($0.0), other rustc", source: source, flags: $0.1, rustCompiler: compiler)
    }
  }

  /// parking_lot 0.12.1 as Debian packages its source.
  package static let parkingLot: [NestingBuild] = [
    NestingBuild(name: "parking_lot release", source: "nestings.rs", flags: ["opt-level=3"]),
    NestingBuild(name: "parking_lot debug", source: "nestings.rs", flags: ["opt-level=0"]),
    NestingBuild(name: "parking_lot panic=abort", source: "nestings.rs", flags: ["opt-level=3", "panic=\"abort\""]),
    NestingBuild(
      name: "parking_lot fat LTO", source: "nestings.rs", flags: ["opt-level=3", "lto=\"fat\"", "codegen-units=1"]),
    NestingBuild(
      name: "parking_lot release, stripped", source: "nestings.rs", flags: ["opt-level=3", "strip=\"symbols\""]),
  ]

  package static let cpp: [NestingBuild] = [
    NestingBuild(name: "g++ -O2", source: "nestings.cpp", flags: ["g++", "-O2"]),
    NestingBuild(name: "g++ -O0", source: "nestings.cpp", flags: ["g++", "-O0"]),
    NestingBuild(name: "g++ -O2 -fno-exceptions", source: "nestings.cpp", flags: ["g++", "-O2", "-fno-exceptions"]),
    NestingBuild(name: "g++ -O2 -flto", source: "nestings.cpp", flags: ["g++", "-O2", "-flto"]),
    NestingBuild(name: "g++ -O2, stripped", source: "nestings.cpp", flags: ["g++", "-O2", "-s"]),
    NestingBuild(name: "clang++ -O2", source: "nestings.cpp", flags: ["clang++", "-O2"]),
  ]

  /// One of each family, and each of the ways a hold is found. The other Rust's `panic=abort` leaves some functions without
  /// unwind tables.
  package static let shortForm =
    [rustStd[0], rustStd[1], rustStd[2], parkingLot[0], cpp[0], cpp[2]] + otherRust

  package static let all = rustStd + otherRust + parkingLot + cpp

  /// Sources stand beside this file.
  static let sources = directory(of: #filePath) + "/Programs"

  package static func directory(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
  }

  /// What a program needs of Debian's crates: the word that turns it on in the source, the line for the manifest.
  private var crate: (cfg: String, dependency: String)? {
    if name.hasPrefix("parking_lot") { return ("pl", "parking_lot = \"=0.12.1\"") }
    return name.hasPrefix("tokio") ? ("tokio", "tokio = { version = \"1\", features = [\"rt\"] }") : nil
  }

  func compile(into directory: TemporaryDirectory) throws -> String {
    let path = "\(directory.path)/nestings"
    let file = "\(Self.sources)/\(source)"
    if source.hasSuffix(".cpp") {
      try Command.succeed([flags[0], "-std=c++20", "-pthread", "-o", path, file] + flags.dropFirst() + libraries())
    } else if source.hasSuffix(".swift") {
      try Command.succeed(["swiftc", "-parse-as-library", "-o", path, file] + flags)
    } else if let (cfg, dependency) = crate {
      let manifest = "\(directory.path)/Cargo.toml"
      try Program.write(
        """
        [package]
        name = "nestings"
        version = "0.1.0"
        edition = "2021"
        [[bin]]
        name = "nestings"
        path = "\(file)"
        [dependencies]
        \(dependency)
        [profile.release]
        \(flags.joined(separator: "\n"))
        """, to: manifest)
      try Command.succeed([
        "env", "RUSTFLAGS=--cfg \(cfg)", "cargo", "build", "--quiet", "--offline", "--release", "--manifest-path",
        manifest,
        "--target-dir", "\(directory.path)/target", "--config", "source.crates-io.replace-with=\"debian\"",
        "--config", "source.debian.directory=\"/usr/share/cargo/registry\"",
      ])
      return "\(directory.path)/target/release/nestings"
    } else {
      try Command.succeed([rustCompiler ?? "rustc", "--edition", "2021", "-o", path, file] + flags)
    }
    return path
  }

  /// abseil's, where it is used: shared, or all of them inside the program.
  private func libraries() throws -> [String] {
    guard flags.contains("-DABSEIL") else { return [] }
    let isStatic = flags.contains("-DSTATIC")
    let flags = try Command.succeed(["pkg-config", "--libs", "absl_synchronization"]).split { $0.isWhitespace }
    return flags.map { flag in
      isStatic && flag.hasPrefix("-labsl_") ? "-l:lib\(flag.dropFirst(2)).a" : String(flag)
    }
  }

  /// Two programs with fresh seeds, half the snapshots each.
  package func score(snapshots: Int, threads: Int = 8) throws -> NestingProgram.Score {
    let directory = try TemporaryDirectory()
    let path = try compile(into: directory)
    var score = NestingProgram.Score()
    for _ in 0..<2 {
      let program = try NestingProgram(path: path, seed: UInt64.random(in: 1...1 << 30), threads: threads)
      for _ in 0..<(snapshots + 1) / 2 {
        // Between two looks the threads move on: by how much is chance.
        usleep(UInt32.random(in: 2_000...20_000))
        try program.score(into: &score)
      }
    }
    return score
  }
}
