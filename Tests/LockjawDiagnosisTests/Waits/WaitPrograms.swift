import Glibc
import LockjawTestPrograms

/// Programs whose threads wait for locks of every library, built once a test run in each way that matters.
enum WaitPrograms {
  /// How a program is built. Stripped ones are release builds without any name of their own.
  enum Build: String, CaseIterable, Sendable {
    case release, debug, stripped
  }

  static let directory = Result { try TemporaryDirectory() }

  /// - Parameter compiler: another one than PATH's.
  static func rust(_ build: Build, compiler: String? = nil) throws -> String {
    let path = try directory.get().path
    let name = "\(path)/std-\(build.rawValue)" + (compiler == nil ? "" : "-other")
    try Program.write(rustStdSource, to: "\(name).rs")
    let flags = build == .debug ? ["-g"] : ["-O"]
    try Command.succeed(
      [compiler ?? "rustc", "--edition", "2021", "--crate-name", "waits", "-o", name, "\(name).rs"] + flags)
    if build == .stripped { try Command.succeed(["strip", name]) }
    return name
  }

  /// With the sources that Debian's librust-parking-lot-dev installs; no registry is asked.
  static func parkingLot(_ build: Build) throws -> String {
    let path = try directory.get().path + "/pl-" + (build == .debug ? "debug" : "release")
    try Command.succeed(["mkdir", "-p", "\(path)/src"])
    try Program.write(parkingLotSource, to: "\(path)/src/main.rs")
    try Program.write(
      """
      [package]
      name = "waits"
      version = "0.0.0"
      edition = "2021"
      [dependencies]
      parking_lot = "0.12"
      """, to: "\(path)/Cargo.toml")
    try Command.succeed(
      [
        "cargo", "build", "--quiet", "--offline", "--manifest-path", "\(path)/Cargo.toml", "--target-dir",
        "\(path)/target",
      ]
        + ["--config", "source.crates-io.replace-with=\"debian\""]
        + ["--config", "source.debian.directory=\"/usr/share/cargo/registry\""]
        + (build == .debug ? [] : ["--release"]))
    let program = "\(path)/target/\(build == .debug ? "debug" : "release")/waits"
    guard build == .stripped else { return program }
    try Command.succeed(["strip", "-o", "\(path)/stripped", program])
    return "\(path)/stripped"
  }

  static func c(
    _ name: String, compiler: [String], source: String, file: String, libraries: [String] = [], strip: Bool = false
  ) throws -> String {
    let path = try directory.get().path + "/" + name
    try Program.write(source, to: "\(path).\(file)")
    try Command.succeed(compiler + ["\(path).\(file)", "-o", path] + libraries)
    if strip { try Command.succeed(["strip", path]) }
    return path
  }

  /// Where Tools/install-packages unpacks them.
  static let libcxxHeaders =
    "/usr/local/lib/lockjaw-headers/libc++-14-dev/usr/lib/llvm-14/include/c++/v1"
  static let hasLibcxx =
    has("clang++") && exists(libcxxHeaders) && exists("/usr/lib/x86_64-linux-gnu/libc++.so.1")

  /// Whether a tool or file a test needs is there; where it is not, the test is skipped with the reason it states.
  static func has(_ command: String) -> Bool { (try? Command.run(["which", command]).status == 0) ?? false }
  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
