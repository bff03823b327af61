import Foundation

/// gdb, asked where each thread of a process is: a second opinion that shares no code with lockjaw.
struct Debugger {
  struct Place: Hashable, CustomStringConvertible {
    var fileName: String
    var line: Int
    var description: String { "\(fileName):\(line)" }
  }

  static let executable = ["/usr/bin/gdb", "/usr/local/bin/gdb"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// Debian's, or the one that Swift toolchains bring.
  static let lldb: String? = {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let beside = path.split(separator: ":").map { directory in
      URL(filePath: "\(directory)/swiftc").resolvingSymlinksInPath().deletingLastPathComponent().path
    }
    let directories = ["/usr/bin"] + path.split(separator: ":").map(String.init) + beside
    return directories.lazy.flatMap { directory in ["lldb", "lldb-14", "lldb-16"].map { "\(directory)/\($0)" } }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }()

  /// The source lines on each thread's stack.
  static func stacks(of pid: pid_t, symbols: URL) async throws -> [pid_t: Set<Place>] {
    let gdb = try ChildProcess([
      executable ?? "gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "set width 0",
      "-ex", "thread apply all bt 40", "-p", "\(pid)", symbols.path,
    ])
    _ = try await gdb.ending(within: .seconds(60))
    return places(in: gdb.output)
  }

  /// Reads "Thread 2 (Thread 0x7f… (LWP 4243) "alice"):" and "#4  0x… in f (…) at Samples/c/abba.c:24".
  static func places(in output: String) -> [pid_t: Set<Place>] {
    var found: [pid_t: Set<Place>] = [:]
    var thread: pid_t?
    for line in output.split(separator: "\n") {
      if line.hasPrefix("Thread "), let range = line.firstRange(of: "(LWP ") {
        thread = pid_t(line[range.upperBound...].prefix { $0.isNumber })
      } else if line.hasPrefix("#"), let thread, let at = line.ranges(of: " at ").last {
        let place = line[at.upperBound...]
        guard let colon = place.lastIndex(of: ":"), let number = Int(place[place.index(after: colon)...]) else {
          continue
        }
        let fileName = place[..<colon].split(separator: "/").last.map(String.init) ?? ""
        found[thread, default: []].insert(Place(fileName: fileName, line: number))
      }
    }
    return found
  }

  /// A file with the symbols of `executable` that gdb can read. gdb 13 believes the incomplete `.debug_names` that Swift
  /// programs carry, and then finds no line of theirs; without that section it reads everything itself.
  static func readableSymbols(of executable: URL, in directory: URL) async throws -> URL {
    let copy = directory.appending(path: "symbols")
    let objcopy = try ChildProcess(
      ["/usr/bin/objcopy", "--remove-section", ".debug_names", executable.path, copy.path])
    _ = try await objcopy.ending(within: .seconds(20))
    return copy
  }
}
