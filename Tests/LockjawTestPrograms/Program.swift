import Glibc

/// A small program, compiled when a test needs it. The source says with `LINE: name` in a comment which line is which.
package struct Program {
  package enum Language: String {
    case c, cpp, rust, swift
    case assembly = "S"
    var fileName: String { self == .rust ? "program.rs" : self == .swift ? "main.swift" : "program.\(rawValue)" }
  }
  package var source: String
  package var sourcePath: String
  package var path: String
  /// Lives as long as any copy of the program.
  package let directory: TemporaryDirectory

  /// - Parameters:
  ///   - name: of the executable; each program has a directory of its own.
  ///   - flags: further arguments of the compiler.
  ///   - compiler: of a C program, gcc where none is named.
  ///   - environment: of the compiler, as `NAME=value`.
  package init(
    _ language: Language, name: String, flags: [String] = ["-g", "-O0"], compiler: String = "gcc",
    environment: [String] = [],
    source: String
  ) throws {
    let directory = try TemporaryDirectory()
    self.directory = directory
    self.source = source
    sourcePath = "\(directory.path)/\(language.fileName)"
    path = "\(directory.path)/\(name)"
    try Self.write(source, to: sourcePath)
    let env = environment.isEmpty ? [] : ["env"] + environment
    switch language {
    case .c, .assembly: try Command.succeed([compiler, "-pthread", "-o", path, sourcePath] + flags)
    case .cpp: try Command.succeed(["g++", "-std=c++20", "-pthread", "-o", path, sourcePath] + flags)
    case .swift: try Command.succeed(["swiftc", "-o", path, sourcePath] + flags)
    case .rust: try Command.succeed(env + ["rustc", "--edition", "2021", "-o", path, sourcePath] + flags)
    }
  }

  /// A copy of another program's file, changed by whoever asks for it.
  package init(copying other: Program, name: String) throws {
    self = other
    path = "\(other.path).\(name)"
    try Command.succeed(["cp", other.path, path])
  }

  /// The line that carries `LINE: marker`.
  package func line(_ marker: String) -> Int? {
    source.split(separator: "\n", omittingEmptySubsequences: false).firstIndex { line in
      guard let range = line.range(of: "LINE: ") else { return false }
      return line[range.upperBound...].split(separator: " ").contains { $0 == marker }
    }.map { $0 + 1 }
  }

  package static func write(_ text: String, to path: String) throws {
    guard let file = fopen(path, "w") else { throw CommandFailure(description: "cannot write \(path)") }
    fputs(text, file)
    fclose(file)
  }
}

extension Substring {
  /// Where `text` begins and ends; the standard library has it behind a regular expression only.
  func range(of text: String) -> Range<Index>? {
    var at = startIndex
    while at < endIndex {
      if self[at...].hasPrefix(text) { return at..<index(at, offsetBy: text.count) }
      at = index(after: at)
    }
    return nil
  }
}
