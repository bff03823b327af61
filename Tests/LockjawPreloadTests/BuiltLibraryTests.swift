import Testing

@Suite("The built library") struct BuiltLibraryTests {
  @Test("It needs libc and nothing else, and its thread-local storage is reached without a call")
  func neededLibraries() throws {
    let dynamic = try run("readelf", ["-dW", shimPath]).output.split(separator: "\n")
    #expect(dynamic.filter { $0.contains("(NEEDED)") }.map { $0.suffix(11) } == ["[libc.so.6]"])
    #expect(dynamic.contains { $0.contains("(SONAME)") && $0.contains("[liblockjaw.so]") })
    #expect(dynamic.contains { $0.contains("(FLAGS)") && $0.contains("STATIC_TLS") })
    #expect(dynamic.contains { $0.contains("(FLAGS_1)") && $0.contains("NODELETE") })
    // Static thread-local storage is taken from every thread's stack, and scarce for libraries that are loaded late.
    let segments = try run("readelf", ["-lW", shimPath]).output.split(separator: "\n")
    let storage = try #require(segments.first { $0.contains(" TLS ") }).split(separator: " ")
    #expect(try #require(storage.count > 5 ? Int(storage[5].dropFirst(2), radix: 16) : nil) <= 32)
  }

  /// Names in the table of interposed symbols.
  private func table() throws -> Set<String> {
    let text = String(
      decoding: try readFile("\(repositoryDirectory)/Sources/CLockjawPreload/interposed.def"), as: UTF8.self)
    var names: Set<String> = []
    for line in text.split(separator: "\n") {
      for entry in ["LJ_REAL(", "LJ_OWN("] where line.hasPrefix(entry) {
        names.insert(String(line.dropFirst(entry.count).prefix { $0 != "," && $0 != ")" }))
      }
    }
    return names
  }

  @Test("It exports exactly what its table says is interposed")
  func exports() throws {
    let lines = try run("nm", ["-D", "--defined-only", shimPath]).output.split(separator: "\n")
    let exported = lines.compactMap { line -> String? in
      let fields = line.split(separator: " ")
      // "A": the name of a version; "d": the linker's own idea of thread-local storage.
      guard fields.count == 3 && fields[1] != "b" && fields[1] != "d" && fields[1] != "A" else { return nil }
      return String(fields[2].prefix { $0 != "@" })
    }
    let versioned = lines.filter { $0.contains("@") }.map { $0.drop { $0 != "T" }.dropFirst(2) }
    #expect(
      versioned.sorted()
        == ["broadcast", "signal", "timedwait", "wait"].map { "pthread_cond_\($0)@@GLIBC_2.3.2" },
      "older ones are another object's")
    let names = try table()
    #expect(names.count > 40)
    #expect(Set(exported) == names)
    #expect(exported.count == names.count)
  }

  @Test("Exported functions were not split: a part on its own would take the shim for its caller")
  func exportedFunctionsAreWhole() throws {
    let symbols = try run("nm", [shimPath]).output
    for name in try table() { #expect(!symbols.contains("\(name).cold."), "\(name)") }
  }

  @Test("Every symbol it takes from libc is one of an old, stable version")
  func imports() throws {
    // A version newer than 2.34 would shut out the systems the documentation promises.
    let symbols = try run("nm", ["-D", "--undefined-only", shimPath]).output
    for line in symbols.split(separator: "\n") {
      guard let version = line.split(separator: "@").last, version.hasPrefix("GLIBC_2.") else { continue }
      let minor = Int(version.dropFirst("GLIBC_2.".count).prefix { $0 != "." }) ?? 99
      #expect(minor <= 34, "\(line)")
    }
    #expect(!symbols.contains("malloc") && !symbols.contains("gcc_personality"))
    // A sanitizer's, in front of libc's, would find races in the shim's slots and blame the program.
    for name in ["memset", "memcpy", "memmove", "strlen"] { #expect(!symbols.contains(" \(name)@"), "\(name)") }
  }

  @Test("It compiles without a warning under gcc and clang", arguments: ["gcc", "clang"])
  func compilesClean(compiler: String) throws {
    guard try run("/bin/sh", ["-c", "command -v \(compiler)"]).status == 0 else { return }
    let scratch = try ScratchDirectory()
    let sources = "\(repositoryDirectory)/Sources"
    let outcome = try run(
      "/bin/sh",
      [
        "-c",
        """
        cd \(scratch.path) && \(compiler) -c -fPIC -std=gnu11 -O2 -fvisibility=hidden -ftls-model=initial-exec \
        -fno-omit-frame-pointer -Wall -Wextra -Werror -I \(sources)/CLockjawABI/include \
        -I \(sources)/CLockjawPreload/include \(sources)/CLockjawPreload/*.c
        """,
      ])
    #expect(outcome.status == 0 && outcome.errors == "", "\(outcome)")
  }
}
