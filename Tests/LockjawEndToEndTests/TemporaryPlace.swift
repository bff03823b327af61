import Foundation

/// A test's own arenas and files; both go with the value.
final class TemporaryPlace {
  private let arenaDirectory: ScratchDirectory
  private let results: ScratchDirectory

  init() {
    guard let arenas = try? ScratchDirectory(in: "/dev/shm"), let results = try? ScratchDirectory() else {
      fatalError("no temporary directory can be made")
    }
    arenaDirectory = arenas
    self.results = results
  }

  /// For everything that is started here: nobody else's arenas are seen.
  var environment: [String: String] { ["LOCKJAW_DIR": arenaDirectory.url.path, "SWIFT_BACKTRACE": "enable=no"] }
  var arenaPath: String { arenaDirectory.url.path }

  func path(_ name: String) -> String { results.url.appending(path: name).path }

  /// Arenas that are there now.
  var arenas: [String] { files(suffix: ".arena").filter { !$0.contains("/.") } }

  func files(suffix: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: arenaPath)) ?? []
    return names.filter { $0.hasSuffix(suffix) }.sorted().map { "\(arenaPath)/\($0)" }
  }
}
