import LockjawTestPrograms

extension NestingBuild {
  /// The programs of patterns, in every build whose frames differ.
  package static let patterns = rustPatterns + otherRustPatterns + cppPatterns + abseilPatterns + swiftPatterns

  /// Those that a test has time for: each language, and each of the ways a hold is found.
  package static let patternsInShort =
    [
      rustPatterns[0], rustPatterns[3], rustPatterns[6], cppPatterns[0], cppPatterns[1], abseilPatterns[1],
      swiftPatterns[0],
    ] + otherRustPatterns

  private static let otherRustPatterns = otherRelease(source: "patterns.rs")

  private static let rustPatterns =
    [
      NestingBuild(name: "std release", source: "patterns.rs", flags: ["-O"]),
      NestingBuild(name: "std release -g", source: "patterns.rs", flags: ["-O", "-g"]),
      NestingBuild(name: "std debug", source: "patterns.rs", flags: []),
      NestingBuild(name: "std panic=abort", source: "patterns.rs", flags: ["-O", "-C", "panic=abort"]),
      NestingBuild(
        name: "std fat LTO", source: "patterns.rs",
        flags: ["-C", "opt-level=3", "-C", "lto=fat", "-C", "codegen-units=1"]),
      NestingBuild(name: "std release, stripped", source: "patterns.rs", flags: ["-O", "-C", "strip=symbols"]),
    ]
    + [
      ("release", ["opt-level=3"]), ("release -g", ["opt-level=3", "debug=2"]), ("debug", ["opt-level=0"]),
      ("panic=abort", ["opt-level=3", "panic=\"abort\""]),
      ("fat LTO", ["opt-level=3", "lto=\"fat\"", "codegen-units=1"]),
      ("release, stripped", ["opt-level=3", "strip=\"symbols\""]),
    ].map { NestingBuild(name: "parking_lot \($0.0)", source: "patterns.rs", flags: $0.1) }
    // Tasks of a real scheduler, one that runs and one that waits.
    + [NestingBuild(name: "tokio release", source: "patterns.rs", flags: ["opt-level=3"])]

  private static let cppPatterns = [
    ["g++", "-O2"], ["g++", "-O0"], ["g++", "-O2", "-fno-exceptions"], ["g++", "-O2", "-s"], ["clang++", "-O2"],
  ].map { NestingBuild(name: $0.joined(separator: " "), source: "patterns.cpp", flags: $0) }

  /// abseil in libraries of its own, as Debian links it; and inside the program, without a name.
  private static let abseilPatterns = [
    NestingBuild(name: "abseil g++ -O2", source: "patterns.cpp", flags: ["g++", "-O2", "-DABSEIL"]),
    NestingBuild(
      name: "abseil g++ -O2, static, stripped", source: "patterns.cpp",
      flags: ["g++", "-O2", "-DABSEIL", "-DSTATIC", "-s"]),
    NestingBuild(name: "abseil g++ -O0", source: "patterns.cpp", flags: ["g++", "-O0", "-DABSEIL"]),
    NestingBuild(
      name: "abseil g++ -O2 -fno-exceptions", source: "patterns.cpp",
      flags: ["g++", "-O2", "-DABSEIL", "-fno-exceptions"]),
  ]

  private static let swiftPatterns = ["-O", "-Onone"].map {
    NestingBuild(name: "swift \($0)", source: "patterns.swift", flags: [$0])
  }

  /// The program of nestings in the same build, where there is one.
  package var nestings: NestingBuild? {
    guard source != "patterns.swift", !flags.contains("-DABSEIL"), !name.hasPrefix("tokio") else { return nil }
    var build = self
    build.source = source == "patterns.rs" ? "nestings.rs" : "nestings.cpp"
    return build
  }

  /// Builds the program of patterns and compares.
  package func patternTable() throws -> PatternProgram.Table {
    let directory = try TemporaryDirectory()
    // A stripped program has no functions to compare.
    let isStripped = name.hasSuffix("stripped") || flags.contains("-s")
    return try PatternProgram.table(path: compile(into: directory), comparesFunctions: !isStripped)
  }
}
