import Foundation
import Testing

extension EndToEnd {
  /// What a process records, chosen at its start, changed while it runs, and shown; and what a program tells by itself.
  @Suite struct RecordingCommands {
    private let place = TemporaryPlace()

    private func lockjaw(_ arguments: String..., environment: [String: String] = [:]) throws -> ChildProcess {
      try ChildProcess([Checkout.lockjaw.path] + arguments, environment: place.environment.merging(environment) { $1 })
    }

    private func sample(_ key: String) throws -> String {
      let source = try #require(Sample.sources.first { $0.key == key })
      let sample = Sample(source: source, level: .unoptimised)
      _ = try sample.prepared()
      return sample.executable.path
    }

    @Test("run --record and --ring are the program's settings; what makes no sense is usage")
    func run() async throws {
      let child = try lockjaw(
        "run", "--record", "all", "--ring", "1000", "--ring-mode", "stop", "--", "/bin/sh", "-c",
        "echo $LOCKJAW_RECORD $LOCKJAW_RING $LOCKJAW_RING_MODE")
      #expect(try await child.ending(within: .seconds(20)) == .exit(0))
      #expect(child.output == "all 1000 stop\n")
      for wrong in [["--record", "everything"], ["--ring", "3"], ["--ring", "many"], ["--ring-mode", "never"]] {
        let refused = try ChildProcess(
          [Checkout.lockjaw.path, "run"] + wrong + ["--", "true"], environment: place.environment)
        #expect(try await refused.ending(within: .seconds(20)) == .exit(125), "\(wrong)")
        #expect(refused.output.contains(wrong[0]), "\(refused.output)")
      }
    }

    @Test("attach --record changes what a running process records, and list shows it")
    func change() async throws {
      let program = try ChildProcess(
        [try sample("c/idle")], environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
      _ = try #require(try await firstValue(within: .seconds(20)) { place.arenas.first })
      for (level, before) in [("all", "state"), ("sites", "all")] {
        let attach = try lockjaw("attach", "\(program.pid)", "--record", level)
        #expect(try await attach.ending(within: .seconds(20)) == .exit(0))
        #expect(attach.output == "process \(program.pid) records '\(level)' from now on, '\(before)' before\n")
        let list = try lockjaw("list")
        #expect(try await list.ending(within: .seconds(20)) == .exit(0))
        let row = list.output.split(separator: "\n").first { $0.hasPrefix("\(program.pid) ") }
        #expect(row?.contains(" \(level) ") == true, "\(list.output)")
      }
      try await program.stop()
      let bare = try ChildProcess(["/bin/sleep", "60"])
      let refused = try lockjaw("attach", "\(bare.pid)", "--record", "all")
      #expect(try await refused.ending(within: .seconds(20)) == .exit(125))
      #expect(refused.output.contains("records nothing"))
      try await bare.stop()
    }

    @Test("list says why a directory is refused")
    func refusedDirectories() async throws {
      let real = place.path("real")
      try FileManager.default.createDirectory(atPath: real, withIntermediateDirectories: true)
      try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: real)
      let link = place.path("link")
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: real)
      var cases = [
        (real, "others may write into it"), (link, "it is a symbolic link"), ("\(link)/", "it is a symbolic link"),
        ("\(link)s/below", "the directory that it would lie in does not exist"),
        ("/" + String(repeating: "d", count: 511), "its path is longer than 511 bytes"),
      ]
      if geteuid() == 0 {
        let others = place.path("others")
        try FileManager.default.createDirectory(atPath: others, withIntermediateDirectories: true)
        try FileManager.default.setAttributes(
          [.posixPermissions: 0o700, .ownerAccountID: 12345], ofItemAtPath: others)
        cases.append((others, "it belongs to user 12345, not to you"))
      }
      for (path, reason) in cases {
        let list = try lockjaw("list", path)
        #expect(try await list.ending(within: .seconds(20)) == .exit(0))
        let name = path.hasSuffix("/") ? String(path.dropLast()) : path
        #expect(list.output.contains("\(name) is refused by the shim: \(reason)"), "\(list.output)")
      }
    }

    @Test("Names, breadcrumbs and the program's own locks are in the report")
    func annotations() async throws {
      let child = try lockjaw("run", "--on-hang", "kill", "--", try sample("c/custom_latch"))
      #expect(try await child.ending(within: .seconds(30)) == .exit(99))
      for said in [
        "DEADLOCK (inferred)", "\"page 7\"", "\"page 9\"", "works on \"record 4711\"", "works on \"record 4712\"",
      ] {
        #expect(child.output.contains(said), "\(said) is not in\n\(child.output)")
      }
    }

    @Test("Threads that sync on each other's dispatch queues are waits with their callers, and no holder is made up")
    func dispatchQueues() async throws {
      let source = place.path("queues.swift")
      try """
      import Dispatch
      let first = DispatchQueue(label: "first"), second = DispatchQueue(label: "second")
      let ready = DispatchSemaphore(value: 0), go = DispatchSemaphore(value: 0)
      first.async { ready.signal(); go.wait(); second.sync { print("never") } }
      second.async { ready.signal(); go.wait(); first.sync { print("never") } }
      ready.wait(); ready.wait(); go.signal(); go.signal()
      let never = DispatchGroup()
      never.enter()
      never.wait()
      """.write(toFile: source, atomically: true, encoding: .utf8)
      let compiler = try ChildProcess(["/usr/bin/env", "swiftc", source, "-o", place.path("queues")])
      #expect(try await compiler.ending(within: .seconds(120)) == .exit(0), "\(compiler.output)")
      let program = try ChildProcess(
        [place.path("queues")], environment: place.environment.merging(["LD_PRELOAD": Checkout.shim.path]) { $1 })
      let deadline = ContinuousClock.now + .seconds(60)
      var output = ""
      while !output.contains("CAUSE UNKNOWN"), ContinuousClock.now < deadline {
        let attach = try lockjaw("attach", "\(program.pid)", "--stall", "1")
        _ = try await attach.ending(within: .seconds(60))
        output = attach.output
      }
      #expect(output.contains("HANG, CAUSE UNKNOWN (suspect): 3 threads wait"), "\(output)")
      // Wrapped to the width of a page, so not as one piece.
      #expect(
        output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
          .contains("2 threads wait for a turn on a dispatch queue: thread "), "\(output)")
      #expect(output.contains("DispatchQueue.sync(") && output.contains("held by      not known"), "\(output)")
      try await program.stop()
    }
  }
}
