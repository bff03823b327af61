import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms
import Testing

@Suite("Missing symbols")
struct MissingSymbolsTests {
  private static let source = """
    #include <pthread.h>
    #include <stdio.h>
    #include <unistd.h>
    static __attribute__((noinline)) int settle(int amount) { return pause() + amount; } // LINE: settle
    int main(void) {
      puts("ready");
      fflush(stdout);
      return settle(1) + 1; // LINE: main
    }
    """

  private func program(_ name: String, flags: [String] = ["-g", "-O0"]) throws -> Program {
    try Program(.c, name: name, flags: flags, source: Self.source)
  }

  @Test("Without debug information a module gives function names, and says what would give lines")
  func stripDebug() throws {
    let program = try program("bare")
    try Command.succeed(["strip", "-g", program.path])
    let target = try Target(program, sleepers: 1)
    #expect(try target.frames(ofThread: "bare").outline == ["settle", "main"])
    let diagnostics = target.symbolizer.diagnostics
    try #require(diagnostics.count == 2)
    #expect(diagnostics[0].hasPrefix("bare: no debug information (build-id "))
    #expect(diagnostics[0].hasSuffix("2 of 2 addresses named, 0 with a line."))
    #expect(diagnostics[1].contains("-dbgsym"))
    let coverage = target.symbolizer.coverage
    let own = try #require(coverage.first { $0.module == "bare" })
    // settle, main, and the start-up code that every program has.
    #expect(own.addresses == 3 && own.functionOnly == 3 && own.withLine == 0 && own.unnamed == 0)
    #expect(own.shortage == .noDebugInformation && own.path == program.path && own.buildID.count == 40)
    // The C library's lines are not looked for, and nobody is told to install them.
    #expect(coverage.first { $0.module.hasPrefix("libc.so") }?.shortage == .linesNotLookedFor)
  }

  @Test("A stripped module gives module and offset, and says what would give names")
  func stripAll() throws {
    let program = try program("naked")
    let unstripped = try Program(copying: program, name: "full")
    try Command.succeed(["strip", program.path])
    let target = try Target(program, sleepers: 1)
    let frames = try target.frames(ofThread: "naked").filter { !$0.isPlumbing }
    #expect(frames.prefix(2).map(\.function) == [nil, nil])
    #expect(frames.allSatisfy { $0.module == "naked" })
    // The offset is what addr2line takes.
    let named = try Command.succeed([
      "addr2line", "-e", unstripped.path, "-f", "0x" + String(frames[0].offset, radix: 16),
    ])
    #expect(named.hasPrefix("settle\n"))
    #expect(named.contains("program.c:\(program.line("settle") ?? -1)"))
    try #require(target.symbolizer.diagnostics.count == 2)
    #expect(target.symbolizer.diagnostics[0].hasPrefix("naked: stripped (build-id "))
    let own = try #require(target.symbolizer.coverage.first { $0.module == "naked" })
    #expect(own.unnamed >= 2 && own.withLine == 0 && own.shortage == .stripped)
  }

  @Test(
    "Separate debug files are found in debuginfod's cache and beside the module", arguments: ["cache", "debuglink"])
  func separateDebugFile(place: String) throws {
    let program = try program("split")
    let directory = program.directory.path
    let debug = "\(directory)/split.debug"
    try Command.succeed(["objcopy", "--only-keep-debug", program.path, debug])
    let buildID = try ELFFile(path: program.path).buildID
    #expect(buildID.count == 40)
    if place == "cache" {
      try Command.succeed(["strip", program.path])
      try Command.succeed(["mkdir", "-p", "\(directory)/cache/\(buildID)"])
      try Command.succeed(["mv", debug, "\(directory)/cache/\(buildID)/debuginfo"])
    } else {
      try Command.succeed(["strip", program.path])
      try Command.succeed(["objcopy", "--add-gnu-debuglink=\(debug)", program.path])
      try Command.succeed(["mkdir", "\(directory)/.debug"])
      try Command.succeed(["mv", debug, "\(directory)/.debug/split.debug"])
    }
    let target = try Target(program, sleepers: 1, debugInfoCache: "\(directory)/cache")
    #expect(
      try target.frames(ofThread: "split").outline == [
        "settle:\(program.line("settle") ?? -1)", "main:\(program.line("main") ?? -1)",
      ])
    #expect(target.symbolizer.diagnostics == [])
  }

  @Test("A debug file of another build is not believed")
  func foreignDebugFile() throws {
    let program = try program("split")
    let other = try self.program("other", flags: ["-g", "-O1"])
    let buildID = try ELFFile(path: program.path).buildID
    let cache = "\(program.directory.path)/cache"
    try Command.succeed(["mkdir", "-p", "\(cache)/\(buildID)"])
    try Command.succeed(["objcopy", "--only-keep-debug", other.path, "\(cache)/\(buildID)/debuginfo"])
    try Command.succeed(["strip", program.path])
    let target = try Target(program, sleepers: 1, debugInfoCache: cache)
    #expect(try target.frames(ofThread: "split").first { !$0.isPlumbing }?.function == nil)
  }

  @Test("A file that was replaced after the start is not used, and the report says so; the stack is still whole")
  func replacedFile() throws {
    let program = try program("renewed")
    let other = try self.program("other", flags: ["-g", "-O2"])
    let target = try Target(program, sleepers: 1) { _ in
      try Command.succeed(["mv", other.path, program.path])
    }
    // As for a dead process: /proc/PID/exe would still lead to the old file.
    let files = ModuleFiles(root: .host)
    let unwinder = StackUnwinder(modules: target.snapshot.modules, files: files)
    let symbolizer = Symbolizer(modules: target.snapshot.modules, files: files, debugInfoCache: nil)
    let registers = try #require(target.snapshot.threads[0].registers)
    let unwinding = unwinder.unwind(
      registers, memory: LayeredMemory([target.snapshot.memory, ProcessMemory(target.process)]))
    #expect(unwinding.end == .reachedOutermost)
    #expect(symbolizer.frames(of: unwinding).contains { $0.module == "renewed" && $0.function == nil })
    let said = symbolizer.diagnostics.filter { $0.contains("renewed") && $0.contains("replaced after the start") }
    #expect(said.count == 1)
    #expect(said.first?.contains("0 of 3 addresses named") ?? false, "\(said)")
    #expect(symbolizer.coverage.first { $0.module == "renewed" }?.shortage == .replaced)
  }

  @Test("A deleted executable is still read while its process lives")
  func deletedExecutable() throws {
    let program = try program("gone")
    let target = try Target(program, sleepers: 1) { _ in
      try Command.succeed(["rm", program.path])
    }
    #expect(target.process.executablePath.hasSuffix("/gone (deleted)"))
    #expect(
      try target.frames(ofThread: "gone").outline == [
        "settle:\(program.line("settle") ?? -1)", "main:\(program.line("main") ?? -1)",
      ])
  }

  @Test("An address outside every module is a frame without a name")
  func wildAddress() throws {
    let symbolizer = Symbolizer(modules: [], files: ModuleFiles())
    #expect(
      symbolizer.frames(at: Address(0x1234), isReturnAddress: true) == [
        Frame(function: nil, module: "?", offset: 0x1233)
      ])
    #expect(symbolizer.frames(at: Address(0), isReturnAddress: true).count == 1)
    #expect(symbolizer.diagnostics == [])
  }
}
