import Glibc
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawSymbols

/// The forms debug information comes in. What a form leaves out is missing from the frames, and never made up.
@Suite("Forms of debug information")
struct DebugInformationTests {
  private static let source = """
    #include <stdio.h>
    #include <unistd.h>
    static volatile int counter;
    static inline __attribute__((always_inline)) void take(void) {
      pause(); // LINE: take
      counter++;
    }
    static inline __attribute__((always_inline)) void audit(int depth) {
      counter += depth;
      take(); // LINE: audit
      counter -= depth;
    }
    __attribute__((noinline)) int settle(int amount) {
      counter += amount;
      audit(amount); // LINE: settle
      return counter++;
    }
    int main(void) {
      puts("ready");
      fflush(stdout);
      return settle(1) + 1; // LINE: main
    }
    """

  /// Every frame of the program, where all is known.
  private func whole(_ program: Program) -> [String] {
    ["take inlined", "audit inlined", "settle", "main"].map { text in
      let words = text.split(separator: " ")
      let line = program.line(String(words[0])) ?? -1
      return "\(words[0]):\(line)" + (words.count > 1 ? " inlined" : "")
    }
  }

  private static func isThere(_ tool: String) -> Bool {
    (try? Command.run(["sh", "-c", "command -v \(tool)"]).status) == 0
  }

  @Test(
    "Line tables, with or without types and variables, compressed or split, have functions, lines and inlined calls",
    arguments: [
      ["gcc", "-g1"], ["gcc", "-g", "-gdwarf-4"], ["gcc", "-g", "-gz"], ["gcc", "-g", "-gsplit-dwarf"],
      ["gcc", "-g", "-gdwarf-4", "-gsplit-dwarf"], ["clang", "-gline-tables-only"], ["clang", "-g1"],
      ["clang", "-g", "-gsplit-dwarf"], ["clang", "-g", "-fdebug-types-section"],
    ])
  func forms(command: [String]) throws {
    guard Self.isThere(command[0]) else { try Test.cancel("\(command[0]) is not installed") }
    let program = try Program(
      .c, name: "forms", flags: ["-O2"] + command.dropFirst(), compiler: command[0],
      source: Self.source)
    let target = try Target(program, sleepers: 1)
    #expect(try target.frames(ofThread: "forms").outline == whole(program))
    #expect(target.symbolizer.diagnostics == [])
    let own = try #require(target.symbolizer.coverage.first { $0.module == "forms" })
    #expect(own.withLine == own.addresses - 1 && own.functionOnly == 1 && own.shortage == nil, "\(own)")
  }

  @Test(
    "Where the other half of split debug information is gone, names and lines stay, nothing is made up, and it is said",
    arguments: [["gcc", "-gsplit-dwarf"], ["gcc", "-gdwarf-4", "-gsplit-dwarf"], ["clang", "-gsplit-dwarf"]])
  func splitHalfMissing(command: [String]) throws {
    guard Self.isThere(command[0]) else { try Test.cancel("\(command[0]) is not installed") }
    let program = try Program(
      .c, name: "half", flags: ["-O2", "-g"] + command.dropFirst(), compiler: command[0], source: Self.source)
    try Command.succeed(["sh", "-c", "rm '\(program.directory.path)'/*.dwo"])
    let target = try Target(program, sleepers: 1)
    let outline = try target.frames(ofThread: "half").outline
    // The line is take()'s, which stands above settle(): so it is not shown as settle()'s.
    #expect(
      outline == ["?:\(program.line("take") ?? -1) inlined", "settle", "main:\(program.line("main") ?? -1)"])
    #expect(
      target.symbolizer.diagnostics.first?.hasPrefix(
        "half: its debug information refers to files that are not there (.dwo")
        ?? false, "\(target.symbolizer.diagnostics)")
    #expect(
      target.symbolizer.coverage.first { $0.module == "half" }?.shortage == .splitDebugInformationMissing)
  }

  @Test("A package of split halves is not read, and the report says which one and why lines lack their calls")
  func splitPackage() throws {
    guard Self.isThere("dwp") else { try Test.cancel("dwp is not installed") }
    // binutils' dwp of Debian 12 dies of DWARF 5.
    let program = try Program(
      .c, name: "half", flags: ["-O2", "-g", "-gdwarf-4", "-gsplit-dwarf"], source: Self.source)
    try Command.succeed(["dwp", "-e", program.path, "-o", program.path + ".dwp"])
    try Command.succeed(["sh", "-c", "rm '\(program.directory.path)'/*.dwo"])
    let target = try Target(program, sleepers: 1)
    #expect(try target.frames(ofThread: "half").outline.contains("settle"))
    let said = try #require(target.symbolizer.diagnostics.first)
    #expect(said.hasPrefix("half: split debug info in half.dwp is not read ("), "\(said)")
    #expect(said.contains("inlined calls are not told from their callers"))
    #expect(target.symbolizer.coverage.first { $0.module == "half" }?.shortage == .splitDebugInformationMissing)
  }

  @Test("What a missing half leaves out is not kept in the cache: when the file comes, its names do")
  func splitHalfComesLater() throws {
    let program = try Program(
      .c, name: "half", flags: ["-O2", "-g", "-gsplit-dwarf"], source: Self.source)
    let directory = program.directory.path
    try Command.succeed(["sh", "-c", "mkdir '\(directory)/aside' && mv '\(directory)'/*.dwo '\(directory)/aside'"])
    let target = try Target(program, sleepers: 1)
    let unwinding = try #require(target.unwinding(target.snapshot.threads[0]))
    let cache = SymbolCache(directory: directory + "/cache")
    func outline() -> [String] {
      let symbolizer = Symbolizer(
        modules: target.snapshot.modules, files: target.files, debugInfoCache: nil, cache: cache)
      defer { symbolizer.save() }
      return symbolizer.frames(of: unwinding).outline
    }
    #expect(outline() != whole(program))
    try Command.succeed(["sh", "-c", "mv '\(directory)/aside'/*.dwo '\(directory)'"])
    #expect(outline() == whole(program))
  }

  @Test("A pipe where a split half should be is not opened, and the half of another build is not believed")
  func hostileSplitHalf() throws {
    let program = try Program(.c, name: "half", flags: ["-O2", "-g", "-gsplit-dwarf"], source: Self.source)
    let other = try Program(
      .c, name: "half", flags: ["-O2", "-g", "-gsplit-dwarf"],
      source: "int unrelated;\n" + Self.source.split(separator: "\n").joined(separator: "\n\n"))
    let half = try Command.succeed(["sh", "-c", "ls '\(program.directory.path)'/*.dwo"]).dropLast()
    let otherHalf = try Command.succeed(["sh", "-c", "ls '\(other.directory.path)'/*.dwo"]).dropLast()
    try Command.succeed(["mv", String(otherHalf), String(half)])
    let target = try Target(program, sleepers: 1)
    let outline = try target.frames(ofThread: "half").outline
    #expect(outline.contains("settle") && outline.contains("main:\(program.line("main") ?? -1)"), "\(outline)")
    unlink(String(half))
    #expect(mkfifo(String(half), 0o600) == 0)
    let unwinding = try #require(target.unwinding(target.snapshot.threads[0]))
    let symbolizer = Symbolizer(modules: target.snapshot.modules, files: target.files, debugInfoCache: nil)
    #expect(symbolizer.frames(of: unwinding).outline == outline)
  }

  // MARK: dwz

  /// Two programs' debug information, with what they share in a third file.
  private func shared() throws -> (program: Program, common: String) {
    guard Self.isThere("dwz") else { try Test.cancel("dwz is not installed") }
    // gcc's own names for parts of functions would differ; the rest is the same text twice, and dwz shares it.
    let program = try Program(.c, name: "shared", flags: ["-O2", "-g"], source: Self.source)
    let second = program.directory.path + "/second"
    try Command.succeed([
      "gcc", "-O2", "-g", "-pthread", "-Dcounter=tally", "-o", second, program.sourcePath,
    ])
    let common = program.directory.path + "/common.debug"
    try Command.succeed(["dwz", "-m", common, program.path, second])
    try #require(ELFFile(path: program.path).section(named: ".gnu_debugaltlink") != nil)
    return (program, common)
  }

  @Test("Debug information that dwz has shared between files is read from both")
  func dwz() throws {
    let (program, _) = try shared()
    let target = try Target(program, sleepers: 1)
    #expect(try target.frames(ofThread: "shared").outline == whole(program))
    #expect(target.symbolizer.diagnostics == [])
  }

  @Test(
    "Without the shared file, or with another in its place, lines stay right, and it is said", arguments: [false, true])
  func dwzMissing(isReplaced: Bool) throws {
    let (program, common) = try shared()
    let other = try shared()
    if isReplaced { try Command.succeed(["cp", other.common, common]) } else { unlink(common) }
    if isReplaced {
      // The same source has the same build-id; so the other file gets one of its own.
      let section = try #require(ELFFile(path: common).section(named: ".note.gnu.build-id"))
      let file = try #require(fopen(common, "r+"))
      fseek(file, Int(section.offset + section.size) - 1, SEEK_SET)
      fputc(0x5A, file)
      fclose(file)
    }
    let target = try Target(program, sleepers: 1)
    let frames = try target.frames(ofThread: "shared").filter { !$0.isPlumbing }
    let lines = ["take", "audit", "settle", "main"].map { program.line($0) }
    #expect(frames.count == 4 && zip(frames, lines).allSatisfy { $0.line == $1 || $0.line == nil }, "\(frames.outline)")
    let names: [[String?]] = [["take", nil], ["audit", nil], ["settle"], ["main"]]
    #expect(
      zip(frames, names).allSatisfy { frame, names in names.contains { $0 == frame.function } }, "\(frames.outline)")
    #expect(
      target.symbolizer.diagnostics.first?.contains("refers to files that are not there (.gnu_debugaltlink") ?? false)
  }
}
