import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawDiagnosis

/// The C libraries, C++, abseil and Swift: real programs without a shim.
@Suite struct OtherWaitTests {
  @Test("glibc's waiters are told by the function they sleep in", arguments: [false, true])
  func glibc(stripped: Bool) throws {
    let scene = try WaitScene([
      WaitPrograms.c(
        "glibc-\(stripped)", compiler: ["gcc", "-O2", "-pthread"], source: WaitPrograms.pthreadSource, file: "c",
        strip: stripped)
    ])
    #expect(scene.truths.count == 7)
    try expectNoMistakes(scene, library: .glibc)
    #expect(try scene.decoded("join").joined == scene.truth("mutex").tid)
    #expect(try scene.word("mutex")?.owner == ThreadID(scene.process.pid))
    #expect(try scene.word("read")?.owner == ThreadID(scene.process.pid))
    #expect(try scene.word("write")?.readerCount == 2)
    #expect(try scene.word("condition")?.description == "1 waiter")
  }

  static let hasMusl = WaitPrograms.has("musl-gcc")

  @Test(
    "musl's waiters are told by the values they sleep on, for their stacks have no names",
    .enabled(if: hasMusl, "musl-gcc is not installed; Tools/install-packages test"),
    arguments: [[], ["-static"], ["-static", "-s"]])
  func musl(flags: [String]) throws {
    let name = (["musl"] + flags).joined(separator: "")
    let path = try WaitPrograms.c(
      name, compiler: ["musl-gcc", "-O2"] + flags, source: WaitPrograms.pthreadSource, file: "c")
    let scene = try WaitScene([path])
    if flags.contains("-s") {
      // Nothing says that it is musl: nothing may be claimed.
      for label in scene.truths.keys { #expect(try scene.decoded(label).library == .unknown, "\(label)") }
      return
    }
    try expectNoMistakes(scene, library: .musl, unknown: ["condition"])
    #expect(try scene.decoded("condition").type == .condition)
    #expect(try scene.decoded("join").joined == scene.truth("mutex").tid)
    let mutex = try #require(try scene.word("mutex"))
    #expect(mutex.isTaken && mutex.owner == nil && !mutex.recordsOwner && mutex.hasWaiters == true)
    let checked = try #require(try scene.word("checked"))
    #expect(checked.owner == ThreadID(scene.process.pid) && checked.variant == "errorcheck")
    let read = try #require(try scene.word("write"))
    #expect(read.readerCount == 2 && read.mode == .read)
    #expect(try scene.word("read")?.mode == .write)
    #expect(try scene.word("semaphore")?.description == "value 0, 1 waiter")
  }

  @Test(
    "abseil's waiters are told by their own records, names or not",
    .enabled(if: WaitPrograms.exists("/usr/include/absl/synchronization/mutex.h"), "libabsl-dev is not installed"),
    arguments: [["-O0", "-g"], ["-O2"], ["-O2", "-s"]])
  func abseil(flags: [String]) throws {
    let name = (["abseil"] + flags).joined(separator: "")
    let path = try WaitPrograms.c(
      name,
      compiler: ["g++", "-std=c++17", "-pthread"] + flags, source: WaitPrograms.abseilSource, file: "cpp",
      libraries: abseilLibraries(isStatic: flags.contains("-s")))
    let scene = try WaitScene([path])
    #expect(scene.truths.count == 6)
    try expectNoMistakes(scene, library: .abseil)
    #expect(try scene.word("first")?.description == "locked, waiters queued, no owner recorded")
    let read = try #require(try scene.word("write"))
    #expect(read.readerCount == 2 && read.mode == .read)
    #expect(read.hasPendingWriter == true)
    #expect(try scene.word("read")?.mode == .write)
    #expect(try scene.word("condition")?.hasWaiters == true)
  }

  /// The static archives want each other in no fixed order.
  private func abseilLibraries(isStatic: Bool) throws -> [String] {
    let libraries = try Command.succeed(["pkg-config", "--libs", "absl_synchronization"]).split(
      whereSeparator: \.isWhitespace
    )
    .map(String.init)
    return isStatic
      ? ["-Wl,-Bstatic", "-Wl,--start-group"] + libraries + ["-Wl,--end-group", "-Wl,-Bdynamic"] : libraries
  }

  @Test(
    "C++'s mutexes are glibc's, and a static that is being initialised is told by its guard", arguments: ["-O0", "-O2"])
  func cxx(level: String) throws {
    let path = try WaitPrograms.c(
      "cxx" + level, compiler: ["g++", "-std=c++20", "-pthread", level], source: WaitPrograms.cxxSource, file: "cpp")
    let scene = try WaitScene([path])
    try expectNoMistakes(scene, library: .glibc, except: ["guard"])
    let guarded = try scene.decoded("guard")
    #expect(guarded.library == .libstdcxx && guarded.type == .staticGuard && guarded.mode == .exclusive)
    #expect(try scene.word("guard")?.description == "being initialised, with waiters")
  }

  @Test(
    "libc++'s waits for atomics have no time limit, whatever each of their sleeps has; of 32 bits, they name the atomic",
    .enabled(if: WaitPrograms.hasLibcxx, "libc++ or its headers are not there; Tools/install-packages test"),
    arguments: [["-O0", "-g"], ["-O2"], ["-O2", "-s"]])
  func libcxx(flags: [String]) throws {
    let path = try WaitPrograms.c(
      (["libcxx"] + flags).joined(),
      compiler: ["clang++", "-std=c++20", "-pthread", "-nostdinc++", "-isystem", WaitPrograms.libcxxHeaders] + flags,
      source: WaitPrograms.libcxxSource, file: "cpp",
      libraries: ["-nostdlib++", "-l:libc++.so.1", "-l:libc++abi.so.1"])
    let scene = try WaitScene([path])
    #expect(scene.truths.count == 5)
    try expectNoMistakes(scene, library: .libcxx)
    for label in scene.truths.keys.sorted() {
      let wait = try scene.decoded(label)
      #expect(
        try scene.sleeper(label).futex.hasTimeLimit, "\(label): libc++ does not sleep for a while at a time any more")
      #expect(!wait.hasTimeLimit && wait.isRenewed && wait.basis == .function, "\(wait)")
      #expect((wait.lock != nil) == (label == "int"), "\(wait)")
    }
    #expect(try scene.word("int")?.description == "std::atomic of 32 bits, value 7")
    if flags.contains("-g") {
      #expect(try scene.decoded("latch").evidence.contains("in std::latch"))
      #expect(try scene.decoded("semaphore").evidence.contains("in std::counting_semaphore::acquire"))
    }
  }

  @Test("Where what a libc++ wait is for has changed, the thread is about to go on, and its sleep is no endless wait")
  func libcxxIsOver() {
    let word = Address(0x1000)
    func decoded(value: UInt8) -> DecodedWait {
      WaitDecoder(memory: MemoryImage(base: word, bytes: [value, 0, 0, 0])).decode(
        SleepingThread(
          tid: ThreadID(7), futex: FutexWait(word: word, operation: 128, expected: 1, hasTimeLimit: true),
          stack: [
            Frame(
              function: "std::__1::__libcpp_atomic_wait(void const volatile*, int)", module: "libc++.so.1", offset: 0)
          ], stackPointer: Address(0x2000)))
    }
    #expect(decoded(value: 1).isRenewed && !decoded(value: 1).hasTimeLimit)
    #expect(!decoded(value: 2).isRenewed && decoded(value: 2).hasTimeLimit)
    #expect(decoded(value: 2).evidence.contains("about to look again"))
  }

  @Test(
    "Swift's Mutex names its owner", .enabled(if: WaitPrograms.has("swiftc"), "swiftc is not in PATH"),
    arguments: [["-Onone", "-g"], ["-O"], ["-O", "-static-stdlib", "-Xlinker", "-s"]])
  func swift(flags: [String]) throws {
    let name = (["swift"] + flags).joined(separator: "")
    let path = try WaitPrograms.c(
      name, compiler: ["swiftc", "-parse-as-library", "-swift-version", "6", "-Xcc", "-D_GNU_SOURCE"] + flags,
      source: WaitPrograms.swiftSource,
      file: "swift")
    let scene = try WaitScene([path])
    let isNamed = !flags.contains("-s")
    try expectNoMistakes(scene, library: isNamed ? .swift : .unknown)
    let word = try #require(try scene.word("mutex"))
    #expect(word.owner == ThreadID(scene.process.pid) && word.isTaken)
  }
}
