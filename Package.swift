// swift-tools-version: 6.3
// The rooms, in the order the data walks through them; a target may depend on rooms above it only.
import PackageDescription

/// Flags of the preloaded library: optimised in every configuration, nothing exported but the interposed symbols,
/// thread-local state reachable without a call. See Docs/shim.md for each one's reason.
let shimCFlags: [CSetting] = [
  .unsafeFlags([
    "-std=gnu11", "-O2", "-gdwarf-4", "-fvisibility=hidden", "-ftls-model=initial-exec", "-fno-stack-protector",
    "-fno-omit-frame-pointer", "-fasynchronous-unwind-tables", "-Wall", "-Wextra", "-Werror",
  ])
]
let shimLinkerFlags: [LinkerSetting] = [
  .unsafeFlags([
    "-nostartfiles",
    "-Xlinker", "-soname=liblockjaw.so",
    "-Xlinker", "-z", "-Xlinker", "nodelete",
    "-Xlinker", "-z", "-Xlinker", "now",
    "-Xlinker", "--build-id",
    "-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/CLockjawPreload/exports.map",
  ])
]

let package = Package(
  name: "lockjaw",
  products: [
    .executable(name: "lockjaw", targets: ["lockjaw"]),
    // Lands as liblockjaw_preload.so: SwiftPM drops a library product that shares its name with an executable.
    .library(name: "lockjaw_preload", type: .dynamic, targets: ["CLockjawPreload"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    .target(name: "CLockjawABI"),
    .target(
      name: "CLockjawPreload", dependencies: ["CLockjawABI"], exclude: ["exports.map", "interposed.def"],
      cSettings: shimCFlags,
      linkerSettings: shimLinkerFlags),
    .target(
      name: "CLockjawNative", dependencies: ["CLockjawABI"],
      cSettings: [.unsafeFlags(["-std=gnu11", "-Wall", "-Wextra", "-Werror"])],
      linkerSettings: [
        .linkedLibrary("unwind-x86_64"), .linkedLibrary("unwind"), .linkedLibrary("dw"), .linkedLibrary("elf"),
        .linkedLibrary("iberty"), .linkedLibrary("zstd"), .linkedLibrary("lzma"),
      ]),
    .target(name: "LockjawModel"),
    .target(name: "LockjawArena", dependencies: ["CLockjawABI", "CLockjawNative", "LockjawModel"]),
    .target(name: "LockjawGraph", dependencies: ["LockjawModel"]),
    .target(name: "LockjawHistory", dependencies: ["LockjawModel"]),
    .target(name: "LockjawInspect", dependencies: ["CLockjawNative", "LockjawModel"]),
    .target(name: "LockjawSymbols", dependencies: ["CLockjawNative", "LockjawModel", "LockjawInspect"]),
    .target(name: "LockjawEmulator", dependencies: ["LockjawModel", "LockjawInspect", "LockjawSymbols"]),
    .target(
      name: "LockjawDiagnosis",
      dependencies: [
        "LockjawModel", "LockjawArena", "LockjawGraph", "LockjawHistory", "LockjawInspect", "LockjawSymbols",
        "LockjawEmulator",
      ]),
    .target(name: "LockjawReport", dependencies: ["LockjawModel"]),
    .target(
      name: "LockjawWatch",
      dependencies: [
        "CLockjawABI", "CLockjawNative", "LockjawModel", "LockjawArena", "LockjawGraph", "LockjawInspect",
        "LockjawDiagnosis", "LockjawReport",
      ]),
    .executableTarget(
      name: "lockjaw",
      dependencies: [
        "LockjawModel", "LockjawArena", "LockjawInspect", "LockjawReport", "LockjawWatch",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // Compiles small programs when a test runs, starts them and stops them again.
    .target(name: "LockjawTestPrograms", path: "Tests/LockjawTestPrograms"),
    // Programs that nest guards at random and know who holds what; shared by a test and by Tools/bench-holders.
    .target(
      name: "LockjawNestings",
      dependencies: ["LockjawEmulator", "LockjawInspect", "LockjawSymbols", "LockjawModel", "LockjawTestPrograms"],
      path: "Tests/LockjawNestings", exclude: ["Programs"]),
    .executableTarget(name: "holder-bench", dependencies: ["LockjawNestings"], path: "Tests/LockjawHolderBench"),
    .testTarget(name: "LockjawArenaTests", dependencies: ["CLockjawABI", "LockjawArena"]),
    .testTarget(name: "LockjawGraphTests", dependencies: ["LockjawGraph", "LockjawModel", "LockjawTestPrograms"]),
    .testTarget(name: "LockjawHistoryTests", dependencies: ["LockjawHistory", "LockjawModel", "LockjawTestPrograms"]),
    .testTarget(
      name: "LockjawInspectTests", dependencies: ["CLockjawNative", "LockjawInspect", "LockjawTestPrograms"]),
    .testTarget(
      name: "LockjawSymbolsTests",
      dependencies: ["CLockjawNative", "LockjawSymbols", "LockjawInspect", "LockjawTestPrograms"]),
    .testTarget(
      name: "LockjawDiagnosisTests",
      dependencies: [
        "LockjawDiagnosis", "LockjawArena", "LockjawInspect", "LockjawSymbols", "LockjawTestPrograms",
      ]),
    .testTarget(
      name: "LockjawWatchTests",
      dependencies: [
        "CLockjawABI", "LockjawWatch", "LockjawDiagnosis", "LockjawArena", "LockjawModel", "LockjawInspect",
        "LockjawReport", "LockjawTestPrograms",
      ]),
    .testTarget(
      name: "LockjawEmulatorTests",
      dependencies: [
        "LockjawEmulator", "LockjawInspect", "LockjawSymbols", "LockjawModel", "LockjawTestPrograms", "LockjawNestings",
      ], exclude: ["Oracle"]),
    .testTarget(
      name: "LockjawReportTests", dependencies: ["LockjawReport", "LockjawTestPrograms"], exclude: ["Golden"]),
    .testTarget(
      name: "LockjawPreloadTests", dependencies: ["CLockjawABI", "CLockjawNative", "LockjawArena", "LockjawModel"],
      exclude: ["Programs"]),
    .testTarget(name: "LockjawEndToEndTests", dependencies: ["LockjawModel"]),
  ]
)
