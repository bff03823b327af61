import Foundation
import Testing

extension EndToEnd {
  /// The samples are the measure of lockjaw, so they are measured first, and by others: the kernel says who sleeps,
  /// gdb says on which line.
  struct SamplesHangAsStated {
    @Test(
      "A sample hangs on the lines its source states",
      .enabled(if: Debugger.executable != nil, "gdb is not installed; Tools/install-packages test"),
      arguments: Sample.all { truth in
        // A timed wait ends and begins anew twice a second, under gdb too: there is no one line to ask for.
        truth.ending == .never && truth.hasNativeLines && !truth.waits.isEmpty
          && truth.verdicts.isDisjoint(with: ["timed-cycle", "livelock"])
      })
    func hangsAsStated(sample: Sample) async throws {
      let truth = try sample.prepared()
      let directory = try ScratchDirectory()
      var places = truth.waits.map { Truth.Place(thread: $0.thread, line: $0.line) }
      places += truth.bystanders
      let program = try ChildProcess([sample.executable.path])
      let threads = ProcessThreads(pid: program.pid)
      let names = Set(places.map(\.thread))
      let isOfSeveral = truth.processCount > 1
      func entries() -> [ProcessThreads.Entry] { isOfSeveral ? threads.listWithChildren() : threads.list() }
      let hangs = try await firstValue(within: .seconds(30)) { () -> Bool? in
        let asleep = entries().filter {
          $0.isInFutexWait || (isOfSeveral && $0.isInKernelWait) || (truth.sleepsAreRenewed && $0.isInTimedWait)
        }
        return names.isSubset(of: Set(asleep.map(\.name))) ? true : nil
      }
      try #require(hangs == true, "not all of \(names.sorted()) are asleep: \(entries())")

      let symbols =
        sample.source.language == "swift"
        ? try await Debugger.readableSymbols(of: sample.executable, in: directory.url) : sample.executable
      let tids = Dictionary(entries().map { ($0.name, $0.tid) }) { first, _ in first }
      var stacks = try await Debugger.stacks(of: program.pid, symbols: symbols)
      for other in Set(entries().map(\.pid)) where other != program.pid {
        stacks.merge(try await Debugger.stacks(of: other, symbols: symbols)) { first, _ in first }
      }
      for place in places {
        let tid = try #require(tids[place.thread])
        let wanted = Debugger.Place(fileName: sample.source.fileName, line: place.line)
        let seen = stacks[tid] ?? []
        #expect(seen.contains(wanted), "\(place.thread) is at \(seen)")
      }
      #expect(program.poll() == nil, "it was to hang, and ended")
    }

    @Test("A sample that ends, ends by itself as it states", arguments: Sample.all { $0.ending != .never })
    func endsAsStated(sample: Sample) async throws {
      let truth = try sample.prepared()
      let program = try ChildProcess([sample.executable.path], environment: ["SWIFT_BACKTRACE": "enable=no"])
      let ending = try await program.ending(within: .seconds(10))
      switch truth.ending {
      case .exit: #expect(ending == .exit(0))
      case .signal(let number): #expect(ending == .signal(number))
      case .never: Issue.record("the sample states no end")
      }
    }
  }
}

/// A directory that goes with the test, private as lockjaw wants its own.
final class ScratchDirectory: Sendable {
  let url: URL

  /// - Parameter parent: /dev/shm for arenas, which belong in memory.
  init(in parent: String = FileManager.default.temporaryDirectory.path) throws {
    url = URL(filePath: parent).appending(path: "lockjaw-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      at: url, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
  }

  deinit { try? FileManager.default.removeItem(at: url) }
}
