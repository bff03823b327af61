import Foundation
import Testing

/// Where things are, seen from the test runner.
enum Checkout {
  /// The root of the repository.
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// Where this build put its products: the runner stands beside `lockjaw` and the preloaded library.
  static let products = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

  /// The preloaded library of this build.
  static let shim = products.appending(path: "liblockjaw_preload.so")

  /// The command under test: this build's, or an installed one that LOCKJAW_EXECUTABLE names.
  static let lockjaw =
    ProcessInfo.processInfo.environment["LOCKJAW_EXECUTABLE"].map { URL(filePath: $0) }
    ?? products.appending(path: "lockjaw")
}

/// A source file below Samples/ that states a verdict.
struct SampleSource: Sendable, Hashable, CustomTestStringConvertible {
  /// Language and name, as Tools/samples calls it: "c/abba".
  var key: String
  var file: URL

  var language: Substring { key.prefix { $0 != "/" } }
  var fileName: String { file.lastPathComponent }
  var testDescription: String { key }

  func truth() throws -> Truth {
    try Truth(parsing: String(contentsOf: file, encoding: .utf8))
  }
}

/// A built sample.
struct Sample: Sendable, Hashable, CustomTestStringConvertible {
  enum Level: String, Sendable, CaseIterable {
    case unoptimised = "O0"
    case optimised = "O2"
  }

  var source: SampleSource
  var level: Level

  var testDescription: String { "\(source.key) -\(level.rawValue)" }
  var executable: URL {
    Checkout.root.appending(path: ".build-samples/\(level.rawValue)/\(source.key)")
  }

  static let sources: [SampleSource] = {
    let root = Checkout.root.appending(path: "Samples")
    var found: [SampleSource] = []
    for (language, suffix) in [("c", "c"), ("cpp", "cpp"), ("python", "py"), ("rust", "rs"), ("swift", "swift")] {
      let files = (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: language).path)) ?? []
      for name in files.sorted() where name.hasSuffix("." + suffix) {
        let file = root.appending(path: "\(language)/\(name)")
        // Like Tools/samples: a file without a verdict is a part of samples, not one.
        guard let text = try? String(contentsOf: file, encoding: .utf8), text.contains("lockjaw: verdict=") else {
          continue
        }
        found.append(SampleSource(key: "\(language)/\(name.dropLast(suffix.count + 1))", file: file))
      }
    }
    return found
  }()

  /// Every sample at both levels; an interpreted one has only one.
  static let all = sources.flatMap { source in
    Level.allCases.filter { source.language != "python" || $0 == .unoptimised }.map {
      Sample(source: source, level: $0)
    }
  }

  static func all(where isWanted: (Truth) -> Bool) -> [Sample] {
    // A truth that cannot be read keeps its sample in, so that the test says so.
    all.filter { sample in (try? sample.source.truth()).map(isWanted) ?? true }
  }

  /// The truth, with the executable brought up to date. Ends the test as cancelled where the machine cannot build it.
  func prepared() throws -> Truth {
    try Self.build.get()
    if !FileManager.default.isExecutableFile(atPath: executable.path) {
      try Test.cancel("\(testDescription) is not built here; Tools/samples says why")
    }
    return try source.truth()
  }

  /// One run of Tools/samples for the whole test run: next to nothing when all are current.
  private static let build = Result {
    let tool = Process()
    tool.executableURL = Checkout.root.appending(path: "Tools/samples")
    tool.standardOutput = FileHandle.nullDevice
    try tool.run()
    tool.waitUntilExit()
    guard tool.terminationStatus == 0 else { throw SampleBuildError(status: tool.terminationStatus) }
  }
}

struct SampleBuildError: Error, CustomStringConvertible {
  var status: Int32
  var description: String { "Tools/samples failed with status \(status); its output is above" }
}
