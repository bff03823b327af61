import CLockjawABI
import Glibc
import Testing

/// Fields of an arena file's header, read as a reader would: bytes of a file.
struct ArenaFile {
  let bytes: [UInt8]
  init(directory: ScratchDirectory, name: String) throws {
    let path = "\(directory.path)/\(name)"
    // Sparse and large: only what is in use is read.
    bytes = Array(try readPrefix(path, count: 4 << 20))
  }
  func uint32(_ field: PartialKeyPath<lj_arena_header>) -> UInt32 { load(offset(field), as: UInt32.self) }
  func uint64(_ field: PartialKeyPath<lj_arena_header>) -> UInt64 { load(offset(field), as: UInt64.self) }
  func text(_ field: PartialKeyPath<lj_arena_header>) -> String {
    String(decoding: bytes[offset(field)...].prefix { $0 != 0 }, as: UTF8.self)
  }
  func slot<T: FixedWidthInteger>(_ index: Int, _ field: PartialKeyPath<lj_slot>, as type: T.Type) -> T {
    load(
      Int(uint64(\.slots_offset)) + index * MemoryLayout<lj_slot>.size + MemoryLayout<lj_slot>.offset(of: field)!,
      as: type)
  }
  private func offset(_ field: PartialKeyPath<lj_arena_header>) -> Int {
    MemoryLayout<lj_arena_header>.offset(of: field)!
  }
  private func load<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) -> T {
    bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
  }
}

@Suite("Beginning and end of a process") struct LifeTests {
  @Test(
    "A process that ends well takes its file with it, whichever way it ends, with its own status",
    arguments: [
      ("exit", 3), ("_exit", 4), ("_Exit", 5), ("quick_exit", 6), ("syscall", 7), ("threads", 8), ("return", 0),
      ("pthread_exit", 0),
    ] as [(String, Int32)])
  func endsWell(way: String, status: Int32) async throws {
    let directory = try ScratchDirectory()
    let outcome = try await runPreloaded("life.c", ["end", way], directory: directory)
    #expect(outcome.status == status, "\(outcome)")
    #expect(directory.entries == [])
  }

  @Test(
    "A process that dies by a signal leaves a file that says what it held",
    arguments: [("kill", 9), ("abort", 6), ("segv", 11)] as [(String, Int32)])
  func diesBySignal(way: String, signal: Int32) async throws {
    let directory = try ScratchDirectory()
    let outcome = try await runPreloaded("life.c", ["end", way], directory: directory)
    #expect(outcome.status == 128 + signal, "\(outcome)")
    let names = directory.entries
    try #require(names.count == 1)
    #expect(names[0].hasPrefix("lockjaw-") && names[0].hasSuffix("-0.arena"))
    let arena = try ArenaFile(directory: directory, name: names[0])
    #expect(arena.uint64(\.magic) == UInt64(LJ_ARENA_MAGIC))
    #expect(arena.uint32(\.version) == UInt32(LJ_ABI_VERSION))
    #expect(arena.uint32(\.image_state) == UInt32(LJ_IMAGE_LIVE))
    #expect(arena.uint32(\.slot_count) == 1)
    #expect(arena.slot(0, \.phase, as: UInt32.self) == UInt32(LJ_PHASE_LIVE))
    #expect(arena.slot(0, \.tid, as: UInt32.self) == arena.uint32(\.pid))
    #expect(arena.slot(0, \.held_count, as: UInt32.self) == 1)
  }

  @Test("A library that speaks at a crash, before the shim or after it, does so, and what was held stays known")
  func speaksAtACrash() async throws {
    let speaker = try await Compiler.shared.executable("segfault.c", flags: ["-shared", "-fPIC"])
    for preload in ["\(speaker) \(shimPath)", "\(shimPath) \(speaker)"] {
      let directory = try ScratchDirectory()
      let outcome = try await runPreloaded("life.c", ["end", "segv"], directory: directory, preload: preload)
      #expect(outcome.status == 128 + SIGSEGV && outcome.output == "crashed\n", "\(preload): \(outcome)")
      let names = directory.entries
      try #require(names.count == 1)
      let arena = try ArenaFile(directory: directory, name: names[0])
      #expect(arena.slot(0, \.held_count, as: UInt32.self) == 1)
    }
  }

  @Test("The header and the module list describe the process, and no descriptor is left open")
  func identity() async throws {
    let outcome = try await runPreloaded(
      "life.c", ["identity", "an argument", "another"], flags: ["-O0", "-Wl,--build-id=sha1"],
      environment: ["LOCKJAW_SESSION": "session of the test"])
    #expect(outcome.status == 0 && outcome.errors == "", "\(outcome)")
    let program = try await Compiler.shared.executable("life.c", flags: ["-O0", "-Wl,--build-id=sha1"])
    let notes = try run("readelf", ["-nW", program]).output
    let buildID = try #require(outcome.output.split(separator: "\n").first)
    #expect(buildID.count == 40 && notes.contains("Build ID: \(buildID)"))
  }

  @Test("A library loaded later is in the list as soon as a thread waits in it")
  func laterModules() async throws {
    let library = try await Compiler.shared.executable("library.c", flags: ["-shared", "-fPIC"])
    let outcome = try await runPreloaded("life.c", ["modules", library])
    #expect(outcome.status == 0 && outcome.output == "ok\n", "\(outcome)")
  }

  @Test(
    "An allocator that locks may be preloaded before or after the shim, and locks taken before it are accounted for")
  func preloadOrder() async throws {
    let early = try await Compiler.shared.executable("early.c", flags: ["-shared", "-fPIC", "-O1", "-fno-builtin"])
    var said: Set<String> = []
    for preload in ["\(early) \(shimPath)", "\(shimPath) \(early)"] {
      let outcome = try await runPreloaded("life.c", ["inherited"], preload: preload)
      #expect(outcome.status == 0 && outcome.errors == "", "\(preload): \(outcome)")
      said.insert(outcome.output)
      for program in ["mutex.c", "threads.c", "cond.c"] {
        // These count on an empty list at the start; what they check here is that nothing hangs or crashes.
        let other = try await runPreloaded(program, preload: preload, seconds: 60)
        #expect(!other.timedOut && other.status < 128, "\(preload), \(program): \(other)")
      }
    }
    #expect(
      said == ["before the shim\nok\n", "after the shim\nok\n"], "each order puts the other's constructor first once")
  }

  @Test(
    "Another allocator may be preloaded before or after the shim, at every level",
    arguments: ["libjemalloc.so.2", "libtcmalloc_minimal.so.4"])
  func allocators(name: String) async throws {
    let allocator = "/usr/lib/x86_64-linux-gnu/\(name)"
    try #require(access(allocator, R_OK) == 0, "Tools/install-packages test installs it")
    for preload in ["\(allocator) \(shimPath)", "\(shimPath) \(allocator)"] {
      for (mode, level) in [("nothing", "all"), ("crowd", "state"), ("crowd", "sites"), ("crowd", "all")] {
        let outcome = try await runPreloaded(
          "life.c", [mode], environment: ["LOCKJAW_RECORD": level, "LOCKJAW_RING": "256"], preload: preload)
        #expect(
          outcome.status == 0 && outcome.output.hasSuffix("ok\n") && outcome.errors == "",
          "\(preload), \(mode), \(level): \(outcome)")
      }
    }
  }

  @Test(
    "A sanitizer behind the shim stays in the chain and finds nothing new, also where a slot changes hands or a stack is copied",
    arguments: ["thread", "address", "undefined"])
  func sanitizers(kind: String) async throws {
    for (arguments, output) in [([], "20000 2000\n"), (["slots"], "250\n"), (["stack"], "40\n")] {
      let outcome = try await runPreloaded(
        "sanitized.c", arguments, flags: ["-O1", "-fsanitize=\(kind)"],
        environment: ["ASAN_OPTIONS": "verify_asan_link_order=0"])
      #expect(outcome.status == 0 && outcome.output == output && outcome.errors == "", "\(arguments): \(outcome)")
    }
  }

  @Test("Ordinary programs run as they do without it")
  func ordinaryPrograms() throws {
    let directory = try ScratchDirectory()
    let environment = ["LD_PRELOAD": shimPath, "LOCKJAW_DIR": directory.path, "LOCKJAW_LOG": "1"]
    for command in [
      "true", "echo one | sed s/one/two/ | tr t T", "for i in 1 2 3; do (exit $i) || echo $?; done", "ls / > /dev/null",
      "sort /etc/passwd | head -2 | wc -l", "seq 1000 | xargs -P 4 -n 100 echo | wc -l",
    ] {
      let bare = try run("/bin/sh", ["-c", command])
      let preloaded = try run("/bin/sh", ["-c", command], environment: environment)
      #expect(
        bare.output == preloaded.output && bare.status == preloaded.status && preloaded.errors == "", "\(preloaded)")
    }
    #expect(directory.entries == [], "every one of them removed its file")
  }
}
