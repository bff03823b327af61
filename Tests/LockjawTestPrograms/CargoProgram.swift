extension Program {
  /// A Rust program with debug information that uses one of Debian's crates; no registry is asked.
  /// - Parameters:
  ///   - dependency: its line in the manifest.
  ///   - optimisation: rustc's `opt-level`.
  package init(cargo name: String, dependency: String, optimisation: Int, source: String) throws {
    let directory = try TemporaryDirectory()
    self.directory = directory
    self.source = source
    sourcePath = "\(directory.path)/main.rs"
    path = "\(directory.path)/target/release/\(name)"
    try Self.write(source, to: sourcePath)
    let manifest = "\(directory.path)/Cargo.toml"
    try Self.write(
      """
      [package]
      name = "\(name)"
      version = "0.0.0"
      edition = "2021"
      [[bin]]
      name = "\(name)"
      path = "\(sourcePath)"
      [dependencies]
      \(dependency)
      [profile.release]
      opt-level = \(optimisation)
      debug = true
      """, to: manifest)
    try Command.succeed([
      "cargo", "build", "--quiet", "--offline", "--release", "--manifest-path", manifest, "--target-dir",
      "\(directory.path)/target", "--config", "source.crates-io.replace-with=\"debian\"",
      "--config", "source.debian.directory=\"/usr/share/cargo/registry\"",
    ])
  }
}
