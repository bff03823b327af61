import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawDiagnosis

@Suite("What a runtime keeps to itself is said")
struct RuntimeLimitsTests {
  private func sentences(_ paths: [String], hasArena: Bool = false) -> [String] {
    let modules = paths.enumerated().map { index, path in
      let start = UInt64(index + 1) << 24
      return Module(
        path: path, start: Address(start), end: Address(start + 4096), textStart: Address(start),
        textEnd: Address(start + 4096), textOffset: 0, buildID: "", inode: 0)
    }
    return RuntimeLimits.sentences(modules, files: ModuleFiles(), hasArena: hasArena)
  }

  @Test("Each runtime is known by a module of its own, whoever started the process")
  func modules() {
    for (path, word) in [
      ("/usr/lib/jvm/java-17/lib/server/libjvm.so", "jstack"), ("/opt/dotnet/libcoreclr.so", "dotnet-stack"),
      ("/usr/lib/erlang/bin/beam.smp", "Erlang"), ("/usr/lib/libruby-3.1.so.3.1.2", "Ruby"),
      ("/usr/lib/swift/linux/libswift_Concurrency.so", "a task that awaits"),
      ("/usr/lib/libdispatch.so", "which block"),
    ] {
      for hasArena in [false, true] {
        let said = sentences(["/usr/bin/launcher", "/usr/lib/libc.so.6", path], hasArena: hasArena)
        #expect(said.count == 1 && said.allSatisfy { $0.contains(word) }, "\(path)")
      }
    }
  }

  @Test("Python's locks are unknown only without the shim")
  func python() {
    #expect(sentences(["/usr/bin/python3.11"]).count == 1)
    #expect(sentences(["/usr/bin/python3.11"], hasArena: true).isEmpty)
  }

  @Test("A C program has nothing of the kind")
  func plain() { #expect(sentences(["/usr/bin/memcached", "/usr/lib/libc.so.6"]).isEmpty) }

  @Test(
    "A Go program, and a Swift one without shared libraries, is known by a section of its executable, stripped or not",
    arguments: [[], ["-s"]], [(".note.go.buildid", "goroutine"), ("swift5_protocols", "a task that awaits")])
  func sections(flags: [String], mark: (section: String, word: String)) throws {
    let running = try RunningProgram(
      Program(
        .c, name: "marked-\(mark.section)", flags: flags,
        source: """
          #include <stdio.h>
          #include <unistd.h>
          __attribute__((section("\(mark.section)"), used)) static const char note[] = "made up";
          int main(void) { puts("ready"); fflush(stdout); for (;;) pause(); }
          """))
    _ = try running.readLine()
    let process = try LiveProcess(pid: running.pid)
    let target = SnapshotTarget(running: try Snapshot.take(pid: running.pid), process: process)
    let said = RuntimeLimits.sentences(target.modules, files: target.symbols().files, hasArena: false)
    #expect(said.count == 1 && said.allSatisfy { $0.contains(mark.word) })
  }
}
