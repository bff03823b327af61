import Glibc
import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms
import Testing

/// Files and stacks that lie. What is asked of them here is only to be survived, in bounded time.
@Suite("Hostile input")
struct HostileInputTests {
  private static let base: UInt64 = 0x5555_5000_0000

  /// The module a loader would make of this file at `base`.
  private func loaded(_ file: ELFFile, path: String) -> Module? {
    guard let text = file.segments.first(where: { $0.type == ELFSegment.load && $0.isExecutable }) else { return nil }
    let end = file.segments.compactMap(\.virtualEnd).max() ?? 0
    return Module(
      path: path, start: Address(Self.base), end: Address(Self.base + end),
      textStart: Address(Self.base + (text.virtualAddress & ~4095)),
      textEnd: Address(Self.base + text.virtualAddress + text.memorySize), textOffset: text.offset & ~4095,
      buildID: "", inode: 0)
  }

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
    guard let file = try? ELFFile(path: path), let module = loaded(file, path: path) else { return }
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
    let module = try #require(loaded(file, path: program.path))
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

  @Test("Ranges by the million that belong to functions by the thousand cost seconds at most, and bounded memory")
  func manyRanges() throws {
    // One list of ranges, which every function and every block of the unit claims for its own: 4,000 million in all.
    let program = try Program(
      .assembly, name: "ranges", flags: ["-nostdlib", "-static-pie"],
      source: """
        .text
        .globl _start
        _start: .rept 4096
        nop
        .endr
        end:
        .section .debug_abbrev,"",@progbits
        .uleb128 1, 0x11
        .byte 1
        .uleb128 0x11, 0x01, 0x12, 0x07, 0, 0
        .uleb128 2, 0x2e
        .byte 1
        .uleb128 0x03, 0x08, 0x55, 0x17, 0, 0
        .uleb128 3, 0x0b
        .byte 0
        .uleb128 0x55, 0x17, 0, 0
        .byte 0
        .section .debug_info,"",@progbits
        .long after - before
        before: .short 4
        .long 0
        .byte 8
        .uleb128 1
        .quad _start, end - _start
        .rept 20000
        .uleb128 2
        .asciz "f"
        .long 0
        .uleb128 3
        .long 0
        .byte 0
        .endr
        .byte 0
        after:
        .section .debug_ranges,"",@progbits
        .rept 100000
        .quad 1, 2
        .endr
        .quad 0, 0
        """)
    let file = try ELFFile(path: program.path)
    let module = try #require(loaded(file, path: program.path))
    let symbolizer = Symbolizer(modules: [module], files: ModuleFiles(), debugInfoCache: nil)
    let memory = try Self.peakMemory()
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    let begin = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    for offset in 0..<40 {
      let frames = symbolizer.frames(at: Address(module.textStart.rawValue + UInt64(offset)), isReturnAddress: false)
      #expect(frames.last?.function == "_start" || frames.last?.function == "f")
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    let isSaid = symbolizer.diagnostics.contains {
      $0.hasPrefix("ranges: its debug information is damaged or too large")
    }
    #expect(isSaid, "\(symbolizer.diagnostics)")
    // Of this thread's own processor time, so that other tests do not count; some five seconds unoptimised.
    #expect(Double(time.tv_sec) + Double(time.tv_nsec) / 1e9 - begin < 30)
    #expect(try Self.peakMemory() - memory < 2 << 30)
  }

  @Test(
    "A type that is an alias of itself has no size, as a member, an array's element or the type of an index",
    .timeLimit(.minutes(1)))
  func typeOfItself() throws {
    let program = try Program(
      .assembly, name: "types", flags: ["-nostdlib", "-static-pie"],
      source: """
        .text
        .globl _start
        _start: nop
        end:
        .data
        .globl holder, elements
        .type holder, @object
        .size holder, 16
        holder: .quad 0, 0
        .type elements, @object
        .size elements, 16
        elements: .quad 0, 0
        .section .debug_abbrev,"",@progbits
        .uleb128 1, 0x11
        .byte 1
        .uleb128 0x11, 0x01, 0x12, 0x07, 0, 0
        .uleb128 2, 0x34
        .byte 0
        .uleb128 0x49, 0x13, 0x02, 0x18, 0, 0
        .uleb128 3, 0x01
        .byte 1
        .uleb128 0x49, 0x13, 0, 0
        .uleb128 4, 0x21
        .byte 0
        .uleb128 0x49, 0x13, 0x2f, 0x0b, 0, 0
        .uleb128 5, 0x16
        .byte 0
        .uleb128 0x03, 0x08, 0x49, 0x13, 0, 0
        .uleb128 6, 0x13
        .byte 1
        .uleb128 0x0b, 0x0b, 0, 0
        .uleb128 7, 0x0d
        .byte 0
        .uleb128 0x03, 0x08, 0x38, 0x0b, 0x49, 0x13, 0, 0
        .uleb128 8, 0x24
        .byte 0
        .uleb128 0x0b, 0x0b, 0, 0
        .byte 0
        .section .debug_info,"",@progbits
        unit: .long after - before
        before: .short 4
        .long 0
        .byte 8
        .uleb128 1
        .quad _start, end - _start
        number: .uleb128 8
        .byte 4
        looped: .uleb128 5
        .asciz "looped"
        .long looped - unit
        list: .uleb128 3
        .long number - unit
        .uleb128 4
        .long looped - unit
        .byte 1
        .byte 0
        loops: .uleb128 3
        .long looped - unit
        .uleb128 4
        .long number - unit
        .byte 1
        .byte 0
        structure: .uleb128 6
        .byte 16
        .uleb128 7
        .asciz "list"
        .byte 0
        .long list - unit
        .uleb128 7
        .asciz "odd"
        .byte 8
        .long looped - unit
        .byte 0
        .uleb128 2
        .long structure - unit
        .uleb128 9
        .byte 3
        .quad holder
        .uleb128 2
        .long loops - unit
        .uleb128 9
        .byte 3
        .quad elements
        .byte 0
        after:
        """)
    let file = try ELFFile(path: program.path)
    let module = try #require(loaded(file, path: program.path))
    let data = try #require(file.section(named: ".data")).address + Self.base
    let symbolizer = Symbolizer(modules: [module], files: ModuleFiles(), debugInfoCache: nil)
    let paths = [4, 8, 16, 20].map { symbolizer.variablePath(at: Address(data + $0)) }
    #expect(paths == ["holder.list[1]", "holder+8", "elements", "elements+4"])
  }

  /// Of this process, in bytes.
  private static func peakMemory() throws -> Int {
    let status = try Command.succeed(["cat", "/proc/\(getpid())/status"])
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
    return (Int(line.split(separator: " ").dropLast().last?.drop { !$0.isNumber } ?? "") ?? 0) * 1024
  }

  @Test(
    "A short name that stands for billions of characters is left as it is; one with many parts named again is not",
    .timeLimit(.minutes(1)))
  func explodingNames() {
    // Each parameter is a template of the one before, twice.
    func cxx(_ levels: Int) -> String {
      func part(_ index: Int) -> String { "S\(String(index, radix: 36).uppercased())_" }
      return "_Z1f1AIiiE" + (0..<levels).map { "S_I\(part($0))\(part($0))E" }.joined()
    }
    #expect(Demangler.demangled(cxx(2)).hasPrefix("f(A<int, int>, A<A<int, int>, A<int, int> >, "))
    for levels in [24, 60] { #expect(Demangler.demangled(cxx(levels)) == cxx(levels)) }
    // As swiftc writes `struct P<T, U>` of itself: the innermost first.
    func swift(_ levels: Int) -> String {
      let refs = (0..<levels).map { level in
        let index = 4 + level
        return index < 26
          ? "A\(Character(UnicodeScalar(UInt8(0x41 + index))))G" : "A\(index - 27 < 0 ? "" : "\(index - 27)")_G"
      }
      return "$s1a1fyyAA1PVy" + String(repeating: "ADy", count: levels) + "S2iG" + refs.joined() + "F"
    }
    #expect(
      Demangler.demangled(swift(2)) == "a.f(a.P<a.P<a.P<Swift.Int, Swift.Int>, a.P<Swift.Int, Swift.Int>>, "
        + "a.P<a.P<Swift.Int, Swift.Int>, a.P<Swift.Int, Swift.Int>>>) -> ()")
    for levels in [20, 60] { #expect(Demangler.demangled(swift(levels)) == swift(levels)) }
    // A function of this project with a dozen references.
    let real =
      "$s13LockjawReport12CycleDrawingV8handOver33_0123456789ABCDEF0123456789ABCDEFLL_2to6closesSayAA4SpanVG0A5Model4EdgeV_AK8ThreadIDVSbtF"
    #expect(Demangler.demangled(real) != real)
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

/// A generator whose runs can be repeated (SplitMix64, Steele and others 2014).
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
