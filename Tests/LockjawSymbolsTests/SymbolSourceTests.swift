import Glibc
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawSymbols

/// Where names come from when they are not in the program: packed into it, or on a server.
@Suite("Sources of symbols")
struct SymbolSourceTests {
  private static let source = """
    #include <stdio.h>
    #include <unistd.h>
    static __attribute__((noinline)) int settle(int amount) { return pause() + amount; } // LINE: settle
    __attribute__((noinline)) int visible(int amount) { return settle(amount) + 1; } // LINE: visible
    int main(void) {
      puts("ready");
      fflush(stdout);
      return visible(1) + 1; // LINE: main
    }
    """

  private func program(_ name: String) throws -> Program {
    // What is exported stays in the dynamic table, and is left out of the packed one, as distributions do it.
    try Program(.c, name: name, flags: ["-g", "-O1", "-rdynamic"], source: Self.source)
  }

  /// As in gdb's manual, "MiniDebugInfo": function symbols that are not in the dynamic table, packed by xz.
  private func packSymbols(_ program: Program) throws {
    let script = """
      set -e; cd "$1"; p=$2
      nm -D "$p" --format=posix --defined-only | awk '{print $1}' | sort > exported
      nm "$p" --format=posix --defined-only | awk '$2 ~ /[Tt]/ {print $1}' | sort > functions
      comm -13 exported functions > kept
      objcopy --only-keep-debug "$p" debug
      objcopy -S --remove-section .comment --keep-symbols=kept debug mini
      strip --strip-all -R .comment "$p"
      xz mini
      objcopy --add-section .gnu_debugdata=mini.xz "$p"
      """
    try Command.succeed(["bash", "-c", script, "bash", program.directory.path, program.path])
  }

  @Test("A stripped program with .gnu_debugdata has its functions' names, exported or not")
  func packed() throws {
    let program = try program("packed")
    try packSymbols(program)
    #expect(try ELFFile(path: program.path).section(named: ".symtab") == nil)
    let target = try Target(program, sleepers: 1)
    #expect(try target.frames(ofThread: "packed").outline == ["settle", "visible", "main"])
    #expect(target.symbolizer.diagnostics.first?.hasPrefix("packed: no debug information") ?? false)
    #expect(target.symbolizer.coverage.first { $0.module == "packed" }?.shortage == .noDebugInformation)
  }

  @Test("Damaged .gnu_debugdata gives fewer names, and nothing else happens")
  func damagedPacked() throws {
    let program = try program("packed")
    try packSymbols(program)
    let target = try Target(program, sleepers: 1)
    let module = try #require(target.snapshot.modules.first { $0.path == program.path })
    let section = try #require(ELFFile(path: program.path).section(named: ".gnu_debugdata"))
    let unwinding = try #require(target.unwinding(target.snapshot.threads[0]))
    for seed in UInt64(0)..<60 {
      var random = SplitMix(seed: seed)
      let copy = try Program(copying: program, name: "\(seed)")
      let file = try #require(fopen(copy.path, "r+"))
      fseek(file, Int(section.offset + UInt64.random(in: 0..<section.size, using: &random)), SEEK_SET)
      fputc(Int32.random(in: 0...255, using: &random), file)
      fclose(file)
      // The damaged file in the place of the one that runs: its build-id is the same.
      var damaged = module
      damaged.path = copy.path
      damaged.inode = 0
      let others = target.snapshot.modules.filter { $0.path != program.path }
      let symbolizer = Symbolizer(modules: others + [damaged], files: ModuleFiles(), debugInfoCache: nil)
      let names = symbolizer.frames(of: unwinding).filter { !$0.isPlumbing }.map(\.function)
      #expect([["settle", "visible", "main"], [nil, "visible", "main"]].contains(names.map { $0 }), "\(names)")
      unlink(copy.path)
    }
  }

  // MARK: servers

  /// Serves a directory on a port of its own on this machine; `mute`: takes connections and says nothing.
  private func serve(_ directory: String, mute: Bool = false) throws -> (server: RunningProgram, url: String) {
    let script =
      mute
      ? """
      import socket, time
      s = socket.create_server(("127.0.0.1", 0))
      print(s.getsockname()[1], flush=True)
      kept = []
      while True: kept.append(s.accept())
      """
      : """
      import functools, http.server
      quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *a: None})
      s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory='\(directory)'))
      print(s.server_port, flush=True)
      s.serve_forever()
      """
    let server = try RunningProgram(["python3", "-c", script])
    return (server, "http://127.0.0.1:\(try server.readLine())")
  }

  /// A stripped program, with what was stripped where a server would have it.
  private func stripped(_ name: String) throws -> (Program, buildID: String, site: String) {
    let program = try program(name)
    let buildID = try ELFFile(path: program.path).buildID
    let site = "\(program.directory.path)/site"
    try Command.succeed(["mkdir", "-p", "\(site)/buildid/\(buildID)"])
    try Command.succeed(["objcopy", "--only-keep-debug", program.path, "\(site)/buildid/\(buildID)/debuginfo"])
    try Command.succeed(["strip", program.path])
    return (program, buildID, site)
  }

  private static let hasClient: Bool = {
    guard let library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL) else { return false }
    return dlsym(library, "debuginfod_find_debuginfo") != nil
  }()

  @Test("A configured debuginfod server is asked for what is not here, and asked once: then it is in the cache")
  func server() throws {
    guard Self.hasClient else { try Test.cancel("libdebuginfod1 is not installed") }
    let (program, buildID, site) = try stripped("remote")
    let (running, url) = try serve(site)
    let cache = "\(program.directory.path)/cache"
    let wanted = ["settle:\(program.line("settle") ?? -1)", "visible:\(program.line("visible") ?? -1)"]
    let first = try Target(
      program, sleepers: 1, debugInfoCache: cache, server: DebugServer(urls: url, cache: cache, seconds: 30))
    #expect(try first.frames(ofThread: "remote").outline.prefix(2) == wanted[...])
    #expect(first.symbolizer.diagnostics == [])
    #expect(access("\(cache)/\(buildID)/debuginfo", R_OK) == 0)
    running.kill()
    // Without any server: what was fetched is found again.
    let second = try Target(program, sleepers: 1, debugInfoCache: cache)
    #expect(try second.frames(ofThread: "remote").outline.prefix(2) == wanted[...])
  }

  @Test("A server that has nothing is no failure; one that cannot be reached is said, and asked once only")
  func unreachable() throws {
    guard Self.hasClient else { try Test.cancel("libdebuginfod1 is not installed") }
    let (program, buildID, site) = try stripped("remote")
    let cache = "\(program.directory.path)/cache"
    try Command.succeed(["rm", "-r", "\(site)/buildid"])
    let (running, url) = try serve(site)
    let empty = DebugServer(urls: url, cache: cache, seconds: 30)
    #expect(!empty.fetch(buildID: buildID) && empty.complaint == nil)
    running.kill()

    let gone = DebugServer(urls: url, cache: cache + "2", seconds: 30)
    let target = try Target(program, sleepers: 1, debugInfoCache: cache + "2", server: gone)
    #expect(try target.frames(ofThread: "remote").outline.contains("visible"))
    #expect(target.symbolizer.diagnostics.last?.contains("could not be asked") ?? false)
    #expect(target.symbolizer.diagnostics.contains { $0.hasPrefix("remote: stripped") })
    #expect(!gone.fetch(buildID: buildID.reversed().map(String.init).joined()))
  }

  @Test("A server that never answers is waited for as long as was said, and not asked again")
  func silent() throws {
    guard Self.hasClient else { try Test.cancel("libdebuginfod1 is not installed") }
    let (program, buildID, _) = try stripped("remote")
    let (running, url) = try serve(program.directory.path, mute: true)
    let cache = "\(program.directory.path)/cache"
    let server = DebugServer(urls: url, cache: cache, seconds: 0.7)
    let begin = monotonicNanoseconds()
    #expect(!server.fetch(buildID: buildID))
    let waited = Double(monotonicNanoseconds() - begin) / 1e9
    #expect(waited >= 0.6 && waited < 10, "\(waited) s")
    #expect(server.complaint?.contains("gave no answer for build-id \(buildID) within 700 ms") ?? false)
    let again = monotonicNanoseconds()
    #expect(!server.fetch(buildID: String(buildID.reversed())))
    #expect(monotonicNanoseconds() - again < 500_000_000)
    #expect(access("\(cache)/\(buildID)/debuginfo", F_OK) != 0)
    running.kill()
  }

  @Test("What is no build-id never reaches a path or a server")
  func oddBuildIDs() {
    let server = DebugServer(urls: "http://127.0.0.1:1", cache: "/nowhere", seconds: 1)
    for text in ["", "ab", "../../../../etc", "abcdefgh/../x", String(repeating: "a", count: 1000), "ABCDEFG\u{0}"] {
      #expect(!server.fetch(buildID: text))
    }
    #expect(server.complaint == nil)
  }
}
