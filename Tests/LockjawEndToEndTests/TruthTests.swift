import Testing

@Suite struct TruthTests {
  @Test("Threads and locks of one line pair up in order")
  func pairs() throws {
    let truth = try Truth(
      parsing: """
        // lockjaw: verdict=deadlock certainty=proven threads=2 bystanders=1
        lock(a);  // lockjaw: holds one,two thread=alice,bob
        lock(b);  // lockjaw: waits two,one thread=alice,bob mode=write
        join();  // lockjaw: bystander thread=main
        """)
    #expect(truth.verdicts == ["deadlock"])
    #expect(truth.certainties == ["proven"])
    #expect(truth.holds.map(\.lock) == ["one", "two"])
    #expect(
      truth.waits == [
        .init(target: .lock("two"), thread: "alice", mode: "write", line: 3),
        .init(target: .lock("one"), thread: "bob", mode: "write", line: 3),
      ])
    #expect(truth.holders(for: truth.waits[0]) == ["bob"])
    #expect(truth.line(where: "bob", acquiredFor: truth.waits[0]) == 2)
    #expect(truth.bystanders == [.init(thread: "main", line: 4)])
  }

  @Test("One lock goes with every thread of its line")
  func shared() throws {
    let truth = try Truth(
      parsing: """
        # lockjaw: verdict=upgrade-deadlock threads=2
        read()  # lockjaw: holds cache thread=a,b mode=read
        write()  # lockjaw: waits cache thread=a,b mode=write
        """)
    #expect(truth.waits.map { truth.holders(for: $0) } == [["a", "b"], ["a", "b"]])
    #expect(truth.certainties.isEmpty)
    #expect(truth.bystanderCount == nil)
  }

  @Test("A reader behind a pending writer waits for that writer, and a join for the joined thread")
  func behindAndJoin() throws {
    let truth = try Truth(
      parsing: """
        // lockjaw: verdict=recursive-read-deadlock|hang-unknown threads=2
        // lockjaw: holds settings thread=render; joins render thread=closer
        // lockjaw: waits settings thread=render behind=reload
        """)
    #expect(truth.verdicts == ["recursive-read-deadlock", "hang-unknown"])
    #expect(truth.waits.map { truth.holders(for: $0) } == [["render"], ["reload"]])
  }

  @Test("A release says of whose guard it is the end, and of what type that is")
  func release() throws {
    let truth = try Truth(
      parsing: """
        // lockjaw: verdict=self-deadlock threads=1
        let a = x.read();  // lockjaw: holds x thread=a
        x.write();  // lockjaw: waits x thread=a
        }  // lockjaw: releases x thread=a guard=ReadGuard
        """)
    #expect(
      truth.release(by: "a", of: truth.waits[0]) == .init(lock: "x", thread: "a", guardType: "ReadGuard", line: 4))
    #expect(truth.release(by: "b", of: truth.waits[0]) == nil)
  }

  @Test("What waits for a phantom lock waits for nobody")
  func phantom() throws {
    let truth = try Truth(
      parsing: "// lockjaw: verdict=phantom-lock threads=1\n// lockjaw: waits registry thread=reader mode=read")
    #expect(truth.waits.map { truth.holders(for: $0) } == [[]])
  }

  @Test(
    "A comment that does not follow the grammar is an error that names its line",
    arguments: [
      ("x = 1", 1, "no `lockjaw: verdict"),
      ("\n// lockjaw: verdict=a\n// lockjaw: verdict=b", 3, "a second verdict"),
      ("// lockjaw: certainty=proven", 1, "no verdict="),
      ("// lockjaw: verdict=a colour=red", 1, "unknown option colour"),
      ("// lockjaw: verdict=a\n// lockjaw: owns x thread=a", 2, "unknown statement owns"),
      ("// lockjaw: verdict=a\n// lockjaw: holds x,y,z thread=a,b", 2, "3 objects for 2 threads"),
      ("// lockjaw: verdict=a\n// lockjaw: holds x", 2, "no thread="),
      ("// lockjaw: verdict=a threads=2\n// lockjaw: holds x thread=a; waits x thread=a", 1, "but 1 threads wait"),
      ("// lockjaw: verdict=a\n// lockjaw: releases x thread=a", 2, "no guard="),
      ("// lockjaw: verdict=a\n// lockjaw: releases x thread=a guard=G", 2, "a does not hold x"),
      ("// lockjaw: verdict=a bystanders=1", 1, "but 0 are marked"),
      ("// lockjaw: verdict=a\n// lockjaw: waits x thread=a", 2, "nobody holds what a waits for"),
      ("// lockjaw: verdict=a threads=two", 1, "threads=two is no number"),
      ("// lockjaw: verdict=a ends=SIGFOO", 1, "ends=SIGFOO"),
      ("// lockjaw: verdict=a\n// lockjaw: holds x thread=a thread=b", 2, "thread is given twice"),
    ])
  func malformed(source: String, line: Int, reason: String) {
    let error = #expect(throws: TruthError.self) { try Truth(parsing: source) }
    #expect(error?.line == line)
    #expect(error?.reason.contains(reason) == true, "the reason was: \(error?.reason ?? "none")")
  }

  @Test("Every sample states a truth that can be read", arguments: Sample.sources)
  func everySample(source: SampleSource) throws {
    let truth = try source.truth()
    let isStated = truth.ending != .never || !truth.waits.isEmpty || truth.verdicts.contains("idle")
    #expect(isStated, "\(source) hangs and does not say where")
  }
}
