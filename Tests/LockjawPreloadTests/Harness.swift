import Glibc
import Testing

/// How a test program ended, and what it said.
struct Outcome: CustomStringConvertible {
  /// Exit status, or 128 + signal number as a shell has it.
  var status: Int32
  var output: String
  var errors: String
  /// It was still running when its time was up, and was killed.
  var timedOut: Bool

  var description: String {
    "status \(status)\(timedOut ? " (timed out)" : "")\n\(output)\(errors)"
  }
}

struct HarnessError: Error, CustomStringConvertible {
  var description: String
}

/// The built library: beside the test executable, as it is beside `lockjaw`.
let shimPath: String = {
  var buffer = [CChar](repeating: 0, count: 4096)
  let length = readlink("/proc/self/exe", &buffer, buffer.count - 1)
  let executable = String(decoding: buffer.prefix(max(length, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return executable.prefix(upTo: executable.lastIndex(of: "/") ?? executable.startIndex) + "/liblockjaw_preload.so"
}()

private let testsDirectory: String = String(#filePath.prefix(upTo: #filePath.lastIndex(of: "/")!))
let repositoryDirectory: String = {
  var path = Substring(testsDirectory)
  for _ in 0..<2 { path = path.prefix(upTo: path.lastIndex(of: "/")!) }
  return String(path)
}()

func readFile(_ path: String) throws -> [UInt8] {
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { throw HarnessError(description: "cannot open \(path): errno \(errno)") }
  defer { close(file) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65536)
  while true {
    let got = read(file, &chunk, chunk.count)
    if got < 0 && errno == EINTR { continue }
    guard got > 0 else { return bytes }
    bytes.append(contentsOf: chunk.prefix(got))
  }
}

/// A directory in memory that goes away with this value.
final class ScratchDirectory {
  let path: String
  init() throws {
    var template = Array("/dev/shm/lockjaw-tests-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw HarnessError(description: "mkdtemp failed: errno \(errno)") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
  deinit { _ = try? run("/bin/rm", ["-rf", path]) }

  /// Names of the entries, sorted.
  var entries: [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}

/// Runs a program to its end, or kills it when `seconds` are over. Its environment is `environment` and PATH.
func run(_ path: String, _ arguments: [String] = [], environment: [String: String] = [:], seconds: Int = 120) throws
  -> Outcome
{
  let scratch = tmpfile()
  let errorScratch = tmpfile()
  guard let scratch, let errorScratch else { throw HarnessError(description: "tmpfile failed: errno \(errno)") }
  defer {
    fclose(scratch)
    fclose(errorScratch)
  }
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_adddup2(&actions, fileno(scratch), 1)
  posix_spawn_file_actions_adddup2(&actions, fileno(errorScratch), 2)
  var everything = environment
  everything["PATH"] = everything["PATH"] ?? "/usr/bin:/bin:/usr/sbin:/sbin"
  // The thread this runs on may block signals; the program starts as from a shell.
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var none = sigset_t()
  var every = sigset_t()
  sigemptyset(&none)
  sigfillset(&every)
  posix_spawnattr_setsigmask(&attributes, &none)
  posix_spawnattr_setsigdefault(&attributes, &every)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
  let argv = ([path] + arguments).map { strdup($0) } + [nil]
  let envp = everything.map { strdup("\($0.key)=\($0.value)") } + [nil]
  defer { for string in argv + envp { free(string) } }
  var pid = pid_t()
  let error = posix_spawnp(&pid, path, &actions, &attributes, argv, envp)
  guard error == 0 else { throw HarnessError(description: "cannot start \(path): errno \(error)") }

  var status: Int32 = 0
  var timedOut = false
  let deadline = nanoseconds(CLOCK_MONOTONIC) + UInt64(seconds) * 1_000_000_000
  while waitpid(pid, &status, WNOHANG) == 0 {
    if nanoseconds(CLOCK_MONOTONIC) > deadline && !timedOut {
      timedOut = true
      kill(pid, SIGKILL)
    }
    usleep(2000)
  }
  func contents(_ file: UnsafeMutablePointer<FILE>) -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    var offset: off_t = 0
    while true {
      let got = pread(fileno(file), &chunk, chunk.count, offset)
      guard got > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(contentsOf: chunk.prefix(got))
      offset += off_t(got)
    }
  }
  let signal = status & 0x7f
  return Outcome(
    status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, output: contents(scratch),
    errors: contents(errorScratch),
    timedOut: timedOut)
}

private func nanoseconds(_ clock: clockid_t) -> UInt64 {
  var time = timespec()
  clock_gettime(clock, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Compiles test programs once each.
actor Compiler {
  static let shared = Compiler()
  private var built: [String: String] = [:]
  /// Beside the tests' own executable, and so in the build directory.
  private let directory = shimPath.prefix(upTo: shimPath.lastIndex(of: "/")!) + "/preload-test-programs"

  /// The executable of `Programs/<source>`, built with `flags`.
  func executable(_ source: String, flags: [String]) throws -> String {
    let key = ([source] + flags).joined(separator: " ")
    if let path = built[key] { return path }
    mkdir(String(directory), 0o755)
    let output = "\(directory)/\(built.count)-\(source.prefix { $0 != "." })"
    let compiler = source.hasSuffix(".cpp") ? "g++" : "gcc"
    let outcome = try run(
      compiler,
      ["-g", "-Wall", "-Wextra", "-Werror", "-I", "\(repositoryDirectory)/Sources/CLockjawABI/include"]
        + ["-I", "\(repositoryDirectory)/Sources/CLockjawPreload/include"]
        + ["\(testsDirectory)/Programs/\(source)", "-o", output, "-pthread"] + flags)
    guard outcome.status == 0 else { throw HarnessError(description: "\(source) does not compile: \(outcome)") }
    built[key] = output
    return output
  }
}

/// Runs `Programs/<source>` with the shim preloaded and an arena directory of its own.
func runPreloaded(
  _ source: String, _ arguments: [String] = [], flags: [String] = ["-O0"], environment: [String: String] = [:],
  directory: ScratchDirectory? = nil, preload: String = shimPath, seconds: Int = 120
) async throws -> Outcome {
  let program = try await Compiler.shared.executable(source, flags: flags)
  let directory = try directory ?? ScratchDirectory()
  let settings = ["LD_PRELOAD": preload, "LOCKJAW_DIR": directory.path, "LOCKJAW_LOG": "1"]
  return try withExtendedLifetime(directory) {
    try run(program, arguments, environment: settings.merging(environment) { $1 }, seconds: seconds)
  }
}

/// The first bytes of a file that may be large and sparse.
func readPrefix(_ path: String, count: Int) throws -> [UInt8] {
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { throw HarnessError(description: "cannot open \(path): errno \(errno)") }
  defer { close(file) }
  var bytes = [UInt8](repeating: 0, count: count)
  let got = bytes.withUnsafeMutableBytes { pread(file, $0.baseAddress, count, 0) }
  guard got > 0 else { throw HarnessError(description: "cannot read \(path): errno \(errno)") }
  return Array(bytes.prefix(got))
}
