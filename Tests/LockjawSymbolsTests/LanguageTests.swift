import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawSymbols

/// Names as each compiler really writes them, in programs that run: with debug information and by the symbol table alone.
@Suite("Names of four languages")
struct LanguageTests {
  private static let rust = """
    use std::sync::Mutex;
    struct Till<T> { drawer: Mutex<T> }
    trait Counting { fn count(&self) -> u64; }
    impl<T: Copy + Into<u64>> Counting for Till<T> {
        #[inline(never)]
        fn count(&self) -> u64 {
            let first = self.drawer.lock().unwrap();
            let second = self.drawer.lock().unwrap(); // LINE: count
            (*first).into() + (*second).into()
        }
    }
    #[inline(never)]
    fn settle<F: Fn() -> u64>(work: F) -> u64 { work() + 1 } // LINE: settle
    fn main() {
        let till = Till { drawer: Mutex::new(7u32) };
        println!("ready");
        println!("{}", settle(|| till.count())); // LINE: closure
    }
    """

  /// The program's own functions, innermost first, generics' arguments left out where a form has them.
  private func functions(_ frames: [Frame]) -> [String] {
    frames.filter { !$0.isPlumbing && !$0.isInlined }.map { $0.function ?? "?" }
  }

  @Test(
    "Rust: both forms of its mangling, with debug information and without it",
    arguments: ["legacy", "v0"], [true, false])
  func rust(mangling: String, hasDebugInformation: Bool) throws {
    // The older form is the default of older compilers, and an unstable option of newer ones.
    let isUnstable = mangling == "legacy"
    let program = try Program(
      .rust, name: "till",
      flags: ["-C", "symbol-mangling-version=\(mangling)", "-C", "debuginfo=\(hasDebugInformation ? 2 : 0)"]
        + (isUnstable ? ["-Z", "unstable-options"] : []),
      environment: isUnstable ? ["RUSTC_BOOTSTRAP=1"] : [], source: Self.rust)
    // The test would show nothing if the form were not the one that was asked for.
    let symbols = try Command.succeed(["nm", program.path])
    #expect(symbols.contains(mangling == "v0" ? " _RNv" : "17h"))
    let target = try Target(program, sleepers: 1)
    let frames = try target.frames(ofThread: "till")
    let own = functions(frames)
    #expect(own.count >= 3 && own.contains("program::main"), "\(own)")
    let count = try #require(own.first)
    #expect(count.hasPrefix("<program::Till<") && count.hasSuffix(" as program::Counting>::count"), "\(count)")
    #expect(own.contains { $0 == "program::settle" || $0.hasPrefix("program::settle::<") }, "\(own)")
    #expect(
      own.contains { $0.hasPrefix("program::main::{closure") || $0.hasPrefix("program::main::{{closure") }, "\(own)")
    #expect(!own.contains { $0.hasPrefix("_") || $0.contains("::h0") || $0.contains("17h") })
    let line = frames.first { !$0.isPlumbing && !$0.isInlined }?.line
    #expect(line == (hasDebugInformation ? program.line("count") : nil))
  }

  @Test("Swift: members, generics and closures, with debug information and without it", arguments: [true, false])
  func swift(hasDebugInformation: Bool) throws {
    guard (try? Command.run(["sh", "-c", "command -v swiftc"]).status) == 0 else {
      try Test.cancel("swiftc is not on PATH")
    }
    let program = try Program(
      .swift, name: "till", flags: (hasDebugInformation ? ["-g"] : []) + ["-Onone"],
      source: """
        import Glibc
        struct Till<Coin> {
          var coins: [Coin] = []
          @inline(never) func count() -> Int32 { pause() + Int32(coins.count) } // LINE: count
        }
        @inline(never) func settle(_ work: () -> Int32) -> Int32 { work() + 1 } // LINE: settle
        puts("ready")
        fflush(nil)
        let till = Till<UInt8>()
        print(settle { till.count() }) // LINE: closure
        """)
    let target = try Target(program, sleepers: 1)
    let frames = try target.frames(ofThread: "till").filter { !$0.isPlumbing }
    let names = frames.compactMap(\.function)
    #expect(names.first?.hasSuffix("till.Till.count() -> Swift.Int32") ?? false, "\(names)")
    #expect(names.contains { $0.hasPrefix("closure #1 () -> Swift.Int32 in till") }, "\(names)")
    #expect(names.contains("till.settle(() -> Swift.Int32) -> Swift.Int32"), "\(names)")
    #expect(!names.contains { $0.hasPrefix("$s") })
    if hasDebugInformation {
      #expect(frames.first?.line == program.line("count"))
      #expect(frames.contains { $0.line == program.line("closure") })
    }
  }

  @Test("C++: templates, operators and lambdas by the symbol table alone, as with debug information")
  func cpp() throws {
    let source = """
      #include <cstdio>
      #include <unistd.h>
      namespace shop {
      template <class Coin, int Slots> struct Till {
        Coin slots[Slots] = {};
        __attribute__((noinline)) int operator()(const char *, Coin amount) const { return pause() + slots[0] + amount; } // LINE: call
      };
      template <class Work> __attribute__((noinline)) int settle(Work &&work) { return work() + 1; }
      }
      int main() {
        shop::Till<short, 3> till;
        puts("ready");
        fflush(stdout);
        return shop::settle([&]() __attribute__((noinline)) { return till("x", 1) + 1; });
      }
      """
    let described = try Program(.cpp, name: "till", flags: ["-g", "-O1"], source: source)
    let bare = try Program(.cpp, name: "till", flags: ["-O1"], source: source)
    func names(_ program: Program) throws -> [String] {
      functions(try Target(program, sleepers: 1).frames(ofThread: "till"))
    }
    let byTable = try names(bare)
    #expect(byTable.first == "shop::Till<short, 3>::operator()(char const*, short) const", "\(byTable)")
    #expect(byTable.contains { $0.hasPrefix("int shop::settle<main::{lambda()#1}>") }, "\(byTable)")
    #expect(byTable.contains("main::{lambda()#1}::operator()() const"), "\(byTable)")
    #expect(try names(described) == byTable)
  }
}
