import Glibc
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawSymbols

@Suite("Symbols kept on disk")
struct SymbolCacheTests {
  private let directory: TemporaryDirectory
  private let cache: SymbolCache

  init() throws {
    directory = try TemporaryDirectory()
    cache = SymbolCache(directory: directory.path + "/cache")
  }

  private func file(_ key: String) -> String { "\(directory.path)/cache/\(key).symbols" }

  private func content(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let got = fread(&bytes, 1, bytes.count, file)
    return Array(bytes[..<got])
  }

  private func write(_ bytes: [UInt8], _ path: String) {
    guard let file = fopen(path, "w") else { return }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
  }

  private static let names: SymbolCache.Names = [
    0x10: [Frame(function: "f<int>(a, b)", file: "/src/a b.c", line: 7, module: "", offset: 0x10)],
    0x20: [
      Frame(function: "inner", file: "/src/x.rs", line: 1, module: "", offset: 0x20, isInlined: true),
      Frame(function: "outer", file: nil, line: nil, module: "", offset: 0x20),
    ],
    0x30: [Frame(function: nil, module: "", offset: 0x30)],
  ]

  private static let source = """
    #include <pthread.h>
    #include <stdio.h>
    #include <unistd.h>
    struct account { long cents; pthread_mutex_t lock; } accounts[3];
    static inline __attribute__((always_inline)) int deep(void) { return pause(); }
    int outer(void) { return deep() + 1; }
    int main(void) { puts("ready"); fflush(stdout); return outer(); }
    """

  @Test("What was named is named the same from the cache, lines, inlined calls and variables alike")
  func same() throws {
    let target = try Target(try Program(.c, name: "kept", flags: ["-g", "-O2"], source: Self.source), sleepers: 1)
    let unwinding = try #require(target.unwinding(target.snapshot.threads[0]))
    func symbolizer(_ cache: SymbolCache?) -> Symbolizer {
      Symbolizer(modules: target.snapshot.modules, files: target.files, debugInfoCache: nil, cache: cache)
    }
    let plain = symbolizer(nil)
    let program = try #require(target.snapshot.modules.first { $0.path == target.program.path })
    let symbols = try Command.succeed(["nm", target.program.path]).split(separator: "\n")
    let variable = try #require(
      symbols.first { $0.hasSuffix(" accounts") }.flatMap { UInt64($0.prefix { $0 != " " }, radix: 16) })
    let lock = Address(program.start.rawValue + variable + 48 + 8)

    let first = symbolizer(cache)
    #expect(first.frames(of: unwinding) == plain.frames(of: unwinding))
    #expect(first.variablePath(at: lock) == "accounts[1].lock")
    first.save()
    let second = symbolizer(cache)
    #expect(second.frames(of: unwinding) == plain.frames(of: unwinding))
    #expect(plain.frames(of: unwinding).contains { $0.isInlined && $0.function == "deep" })
    #expect(second.variablePath(at: lock) == plain.variablePath(at: lock))
    #expect(second.diagnostics == plain.diagnostics)

    // That it is read at all: a name nobody else could give.
    let main = try #require(plain.frames(of: unwinding).first { $0.function == "main" || $0.function == "outer" })
    let key = try #require(
      ModuleSymbols(
        module: program, files: target.files, debugFiles: DebugFiles(roots: [], cache: nil), wantsLines: true
      ).cacheKey)
    cache.store(key, [main.offset: [Frame(function: "from the cache", module: "", offset: main.offset)]])
    #expect(symbolizer(cache).frames(of: unwinding).contains { $0.function == "from the cache" })
  }

  @Test("What was stored is read back, and later names are added to it")
  func roundTrip() {
    #expect(cache.names("aa") == [:])
    cache.store("aa", Self.names)
    #expect(cache.names("aa") == Self.names)
    #expect(cache.names("bb") == [:])
    let more: SymbolCache.Names = [
      0x40: [Frame(function: "late", module: "", offset: 0x40)],
      // Such a name would read as two frames.
      0x50: [Frame(function: "a\nb", module: "", offset: 0x50)],
    ]
    cache.store("aa", more)
    var all = Self.names
    all[0x40] = more[0x40]
    #expect(cache.names("aa") == all)
  }

  @Test("A damaged file is not believed, wherever it is damaged, and is written anew")
  func damaged() {
    cache.store("aa", Self.names)
    let whole = content(file("aa"))
    #expect(whole.count > 100)
    for index in whole.indices {
      var flipped = whole
      flipped[index] ^= 0x15
      write(flipped, file("aa"))
      #expect(cache.names("aa") == [:], "byte \(index)")
      write(Array(whole[..<index]), file("aa"))
      #expect(cache.names("aa") == [:], "cut at \(index)")
    }
    cache.store("aa", Self.names)
    #expect(cache.names("aa") == Self.names)
    // Another build's file under this name.
    cache.store("bb", Self.names)
    write(content(file("bb")), file("aa"))
    #expect(cache.names("aa") == [:])
  }

  @Test("Many writers at once leave one of their files, whole")
  func concurrent() async {
    await withTaskGroup(of: Void.self) { group in
      for writer in 0..<8 {
        group.addTask { [cache] in
          for round in 0..<20 {
            let offset = UInt64(writer * 100 + round)
            cache.store("aa", [offset: [Frame(function: "f\(offset)", module: "", offset: offset)]])
          }
        }
      }
    }
    let names = cache.names("aa")
    #expect(!names.isEmpty)
    #expect(names.allSatisfy { offset, frames in frames.map(\.function) == ["f\(offset)"] })
  }

  @Test(
    "What killed writers have left is removed after an hour, what nobody has written to after a season, the rest stays")
  func upkeep() throws {
    cache.store("aa", Self.names)
    cache.store("old", Self.names)
    let place = "\(directory.path)/cache"
    for name in ["bb.symbols.aside-abcdef", "cc.symbols.aside-ghijkl", "somebody's"] { write([1], "\(place)/\(name)") }
    try Command.succeed(["touch", "-d", "2 hours ago", "\(place)/bb.symbols.aside-abcdef", "\(place)/aa.symbols"])
    try Command.succeed(["touch", "-d", "100 days ago", "\(place)/old.symbols", "\(place)/somebody's"])
    cache.store("new", Self.names)
    let left = try Command.succeed(["ls", place]).split(separator: "\n").sorted()
    #expect(left == ["aa.symbols", "cc.symbols.aside-ghijkl", "new.symbols", "somebody's"])
  }

  @Test("A directory that others may write, and one that is a link, are left alone")
  func foreignDirectory() {
    let open = directory.path + "/open"
    mkdir(open, 0o700)
    chmod(open, 0o777)
    SymbolCache(directory: open).store("aa", Self.names)
    #expect(access(open + "/aa.symbols", F_OK) != 0)
    symlink("/tmp", directory.path + "/link")
    SymbolCache(directory: directory.path + "/link").store("lockjaw-test-aa", Self.names)
    #expect(access("/tmp/lockjaw-test-aa.symbols", F_OK) != 0)
  }
}
