import Testing

/// Each program looks at its own arena while it uses one kind of object, and says what is not as it should be.
@Suite("What the shim records, by kind of object") struct ObjectTests {
  private func passes(_ source: String, _ optimisation: String, flags: [String] = []) async throws {
    let outcome = try await runPreloaded(source, flags: [optimisation] + flags)
    #expect(outcome.status == 0 && outcome.output == "ok\n", "\(outcome)")
    #expect(outcome.errors == "", "the shim says nothing unless it cannot record")
  }

  @Test("Mutexes of every type: holds, recursion, waits, timeouts, refusals, dead owners", arguments: ["-O0", "-O2"])
  func mutexes(optimisation: String) async throws { try await passes("mutex.c", optimisation) }
}
