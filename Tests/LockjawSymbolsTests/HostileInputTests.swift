import Glibc
import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms
import Testing

/// Files and stacks that lie. What is asked of them here is only to be survived, in bounded time.
@Suite("Hostile input")
struct HostileInputTests {
  private static let source = """
    #include <cstdio>
    #include <mutex>
    #include <vector>
    namespace deep {
    struct Account { std::mutex m; int total; inline void add(int x) { std::lock_guard<std::mutex> g(m); total += x; } };
    }
    static deep::Account account;
    static int recurse(int d) { std::vector<int> v(d); return d ? recurse(d - 1) + (int)v.size() : (account.add(d), 1); }
    int main() { try { return recurse(5); } catch (...) { return 1; } }
    """

  /// Copies of `program` with a few bytes of the chosen sections changed.
  private func corrupted(
    _ program: Program, sections: (ELFSection) -> Bool, seed: UInt64, changes: Int
  ) throws -> Program {
    var random = SplitMix(seed: seed)
    let copy = try Program(copying: program, name: "hostile\(seed)")
    let original = try ELFFile(path: program.path)
    let chosen = original.sections.filter { $0.occupiesFile && $0.size > 0 && sections($0) }
    let file = try #require(fopen(copy.path, "r+"))
    defer { fclose(file) }
    for _ in 0..<changes {
      guard let section = chosen.randomElement(using: &random) else { break }
      fseek(file, Int(section.offset + UInt64.random(in: 0..<section.size, using: &random)), SEEK_SET)
      fputc(Int32.random(in: 0...255, using: &random), file)
    }
    return copy
  }

  /// Asks for everything that can be asked.
  private func exercise(_ path: String, seed: UInt64, unwinding: Bool, naming: Bool) throws {
    guard let file = try? ELFFile(path: path), let module = Module.loaded(file, path: path) else { return }
    var random = SplitMix(seed: seed ^ 0xABCD)
    let files = ModuleFiles()
    let span = module.textEnd.rawValue - module.textStart.rawValue
    guard span > 0 else { return }
    if naming {
      let symbolizer = Symbolizer(modules: [module], files: files, debugInfoCache: nil)
      for _ in 0..<40 {
        let address = Address(module.textStart.rawValue + UInt64.random(in: 0..<span, using: &random))
        #expect(!symbolizer.frames(at: address, isReturnAddress: Bool.random(using: &random)).isEmpty)
        // Where every register points into the module, and the memory there is the module's own bytes.
        let pointer = module.start.rawValue + UInt64.random(in: 0..<span, using: &random)
        let frame = Unwinding.Frame(
          pc: address, sp: Address(pointer), isReturnAddress: true,
          preserved: Unwinding.PreservedRegisters(
            rbx: pointer, rbp: pointer, r12: pointer, r13: pointer, r14: pointer, r15: pointer))
        _ = symbolizer.guardVariable(
          of: Address(pointer), in: frame, callerStackPointer: Address(pointer + 64),
          memory: FileBackedMemory(modules: [module], files: files))
        _ = symbolizer.variablePath(at: Address(module.start.rawValue + UInt64.random(in: 0..<65536, using: &random)))
      }
      _ = symbolizer.diagnostics
    }
    if unwinding {
      let unwinder = StackUnwinder(modules: [module], files: files)
      for _ in 0..<40 {
        // A stack full of addresses that lead back into the code.
        let stack = (0..<512).flatMap { _ -> [UInt8] in
          let word =
            Bool.random(using: &random)
            ? module.textStart.rawValue + UInt64.random(in: 0..<span, using: &random)
            : 0x7000_0000 + UInt64.random(in: 0..<4096, using: &random)
          return withUnsafeBytes(of: word) { Array($0) }
        }
        var registers = Registers()
        registers.rip = module.textStart.rawValue + UInt64.random(in: 0..<span, using: &random)
        registers.rsp = 0x7000_0000 + UInt64.random(in: 0..<1024, using: &random) & ~7
        registers.rbp = 0x7000_0000 + UInt64.random(in: 0..<4096, using: &random)
        let found = unwinder.unwind(
          registers, memory: MemoryImage(base: Address(0x7000_0000), bytes: stack), limit: 100)
        #expect((1...100).contains(found.frames.count))
      }
    }
  }

  @Test("Damaged headers and section headers are refused or survived")
  func headers() throws {
    let program = try Program(.cpp, name: "victim", flags: ["-g", "-O2"], source: Self.source)
    let size = try ELFFile(path: program.path).byteCount
    for seed in UInt64(0)..<150 {
      var random = SplitMix(seed: seed)
      let copy = try Program(copying: program, name: "header\(seed)")
      let file = try #require(fopen(copy.path, "r+"))
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        // The file header and the program headers, or the section headers at the end.
        let offset =
          Bool.random(using: &random)
          ? Int.random(in: 4..<800, using: &random) : size - Int.random(in: 1..<2400, using: &random)
        fseek(file, offset, SEEK_SET)
        fputc(Int32.random(in: 0...255, using: &random), file)
      }
      fclose(file)
      try exercise(copy.path, seed: seed, unwinding: true, naming: true)
      unlink(copy.path)
    }
  }

  @Test("A file cut off anywhere is refused or survived")
  func truncated() throws {
    let program = try Program(.cpp, name: "victim", flags: ["-g", "-O2"], source: Self.source)
    let size = try ELFFile(path: program.path).byteCount
    for part in 0..<60 {
      let copy = try Program(copying: program, name: "short\(part)")
      truncate(copy.path, size * part / 60)
      try exercise(copy.path, seed: UInt64(part), unwinding: true, naming: true)
      unlink(copy.path)
    }
  }

  @Test("A file that shrinks while it is read reads as zeroes")
  func shrinking() throws {
    let program = try Program(.cpp, name: "victim", flags: ["-g", "-O0"], source: Self.source)
    let file = try ELFFile(path: program.path)
    let module = try #require(Module.loaded(file, path: program.path))
    let files = ModuleFiles()
    let unwinder = StackUnwinder(modules: [module], files: files)
    let symbolizer = Symbolizer(modules: [module], files: files, debugInfoCache: nil)
    truncate(program.path, 4096)
    var registers = Registers()
    registers.rip = module.textStart.rawValue + 64
    registers.rsp = 0x7000_0000
    #expect(unwinder.unwind(registers, memory: LayeredMemory([])).frames.count == 1)
    #expect(!symbolizer.frames(at: registers.instruction, isReturnAddress: false).isEmpty)
  }

  @Test("Damaged unwind tables are survived, within the stack's bounds")
  func unwindTables() throws {
    let program = try Program(.cpp, name: "victim", flags: ["-O2"], source: Self.source)
    for seed in UInt64(0)..<300 {
      let copy = try corrupted(
        program, sections: { $0.name.hasPrefix(".eh_frame") }, seed: seed, changes: Int(1 + seed % 40))
      try exercise(copy.path, seed: seed, unwinding: true, naming: false)
      unlink(copy.path)
    }
  }

  @Test("Damaged debug information and symbol tables are survived")
  func debugInformation() throws {
    let program = try Program(.cpp, name: "victim", flags: ["-g", "-O2"], source: Self.source)
    for seed in UInt64(0)..<300 {
      let copy = try corrupted(
        program, sections: { $0.name.hasPrefix(".debug_") || $0.name.hasSuffix("tab") || $0.name.hasSuffix("sym") },
        seed: seed, changes: Int(1 + seed % 40))
      try exercise(copy.path, seed: seed, unwinding: false, naming: true)
      unlink(copy.path)
    }
  }

  @Test("Compressed sections that claim to be a thousand times the file are not unpacked; ordinary ones are")
  func compressedSections() throws {
    let program = try Program(.cpp, name: "victim", flags: ["-g", "-O1", "-gz"], source: Self.source)
    let file = try ELFFile(path: program.path)
    let section = try #require(file.section(named: ".debug_info"))
    try #require(section.isCompressed)
    #expect(file.unpacksReasonably)
    let copy = try Program(copying: program, name: "bomb")
    let bytes = try #require(fopen(copy.path, "r+"))
    var claimed = UInt64(1) << 36
    fseek(bytes, Int(section.offset) + 8, SEEK_SET)
    fwrite(&claimed, 8, 1, bytes)
    fclose(bytes)
    #expect(try !ELFFile(path: copy.path).unpacksReasonably)
    try exercise(copy.path, seed: 1, unwinding: false, naming: true)
  }

  @Test("Random registers over random memory end", .timeLimit(.minutes(1)))
  func noise() throws {
    let own = try LiveProcess(pid: getpid())
    let modules = try own.modules()
    let unwinder = StackUnwinder(modules: modules, files: ModuleFiles(root: .process(own)))
    var random = SplitMix(seed: 7)
    for _ in 0..<2000 {
      var registers = Registers()
      registers.rip =
        modules.randomElement(using: &random).map {
          $0.textStart.rawValue + UInt64.random(in: 0..<$0.textEnd.rawValue - $0.textStart.rawValue, using: &random)
        } ?? 0
      registers.rsp = UInt64.random(in: 0...UInt64.max, using: &random)
      registers.rbp = UInt64.random(in: 0...UInt64.max, using: &random)
      _ = unwinder.unwind(registers, memory: Noise(seed: registers.rsp), limit: 1000)
    }
  }

  /// Any address holds something.
  private struct Noise: MemoryReader {
    var seed: UInt64
    func read(_ address: Address, into buffer: UnsafeMutableRawBufferPointer) -> Int {
      var random = SplitMix(seed: seed ^ address.rawValue)
      for index in buffer.indices { buffer[index] = UInt8.random(in: 0...255, using: &random) }
      return buffer.count
    }
  }
}
