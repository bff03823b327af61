import Glibc
import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms
import Testing

/// Debug information and names that no compiler writes: made to cost time and memory without end.
@Suite("Made-up debug information")
struct MadeUpDebugInformationTests {
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
    let module = try #require(Module.loaded(file, path: program.path))
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
    let module = try #require(Module.loaded(file, path: program.path))
    let data = try #require(file.section(named: ".data")).address + Module.testBase
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
}
