import Foundation
import Testing

/// The end-to-end tests stand and fall with the comparison; here it is shown to notice what it must.
@Suite struct ComparisonTests {
  static let truth = Truth(
    verdicts: ["deadlock"], certainties: ["proven"], threadCount: 2, bystanderCount: 1,
    holds: [.init(lock: "one", thread: "alice", line: 10), .init(lock: "two", thread: "bob", line: 20)],
    waits: [
      .init(target: .lock("two"), thread: "alice", line: 11), .init(target: .lock("one"), thread: "bob", line: 21),
    ],
    bystanders: [.init(thread: "main", line: 30)])

  /// A report that says what `truth` says, as JSON text for the tests to spoil.
  static let json = """
    {"schema": "lockjaw.report/1", "verdict": "deadlock", "signature": "LJ1-0", "process": {"pid": 1, "command": "bank"},
     "findings": [{"kind": "deadlock", "certainty": "proven", "summary": "alice and bob", "bystanders": [1], "edges": [
      {"waiter": 2, "lock": "L2", "mode": "exclusive", "holders": [3], "holder_evidence": "arena",
       "waits_at": {"function": "f", "file": "/x/bank.c", "line": 11, "module": "bank", "offset": "0x1", "inlined": false},
       "held_since_at": {"function": "g", "file": "bank.c", "line": 20, "module": "bank", "offset": "0x1", "inlined": false},
       "waiting_for_seconds": 0.1},
      {"waiter": 3, "lock": "L1", "mode": "exclusive", "holders": [2], "holder_evidence": "arena",
       "waits_at": {"function": "f", "file": "bank.c", "line": 21, "module": "bank", "offset": "0x1", "inlined": false},
       "held_since_at": {"function": "g", "file": "bank.c", "line": 10, "module": "bank", "offset": "0x1", "inlined": false},
       "waiting_for_seconds": 0.1}]}],
     "locks": [{"id": "L1", "address": "0x1", "type": "mutex", "library": "glibc", "state": "locked"},
               {"id": "L2", "address": "0x2", "type": "mutex", "library": "glibc", "state": "locked"}],
     "threads": [{"tid": 1, "name": "bank", "stack": []}, {"tid": 2, "name": "alice", "stack": []},
                 {"tid": 3, "name": "bob", "stack": []}],
     "diagnostics": []}
    """

  private func mismatches(of json: String, with truth: Truth = truth) throws -> [String] {
    try Comparison(truth: truth, fileName: "bank.c").mismatches(in: ReportDocument.decode(Data(json.utf8)))
  }

  @Test("A report that says what the source says has no mismatch")
  func agrees() throws {
    #expect(try mismatches(of: Self.json) == [])
  }

  @Test(
    "One wrong word in a report is one mismatch",
    arguments: [
      ("\"verdict\": \"deadlock\"", "\"verdict\": \"contention\"", "the verdict is contention"),
      ("\"certainty\": \"proven\"", "\"certainty\": \"inferred\"", "the certainty is inferred"),
      ("\"line\": 11", "\"line\": 12", "alice waits at bank.c:12"),
      ("\"line\": 20", "\"line\": 11", "bob holds since bank.c:11"),
      ("/x/bank.c", "/x/till.c", "alice waits at till.c:11"),
      ("\"holders\": [3]", "\"holders\": [1]", "alice waits for main, not for bob"),
      ("\"holders\": [3]", "\"holders\": []", "alice waits for nobody, not for bob"),
      ("\"bystanders\": [1]", "\"bystanders\": []", "the bystanders are nobody"),
      ("\"bystanders\": [1]", "\"bystanders\": [1, 1]", "the bystanders are main"),
      ("\"waiter\": 3", "\"waiter\": 1", "0 edges have bob as the waiter"),
      ("\"lock\": \"L2\"", "\"lock\": \"L9\"", "waits for L9, which the report does not describe"),
      ("\"name\": \"alice\"", "\"name\": \"carol\"", "0 edges have alice as the waiter"),
      ("\"schema\": \"lockjaw.report/1\"", "\"schema\": \"lockjaw.report/2\"", "the schema is"),
      ("\"function\": \"f\", \"file\": \"/x", "\"function\": null, \"file\": \"/x", "alice waits at bank.c:11 in ?"),
    ])
  func oneWrongWord(right: String, wrong: String, sentence: String) throws {
    let range = try #require(Self.json.firstRange(of: right))
    let found = try mismatches(of: Self.json.replacingCharacters(in: range, with: wrong))
    #expect(found.contains { $0.contains(sentence) }, "found: \(found)")
  }

  @Test("Of a holder that its frames name, the line and the type of the guard's end are held against the source")
  func release() throws {
    var truth = Self.truth
    truth.releases = [.init(lock: "two", thread: "bob", guardType: "ReadGuard", line: 25)]
    let released = Self.json.replacing(
      "\"holder_evidence\": \"arena\",\n   \"waits_at\": {\"function\": \"f\", \"file\": \"/x/bank.c\"",
      with: """
        "holder_evidence": "landing-pad", "guard_type": "ReadGuard",
        "held_in": {"function": "g", "file": "bank.c", "line": 21, "module": "bank", "offset": "0x1", "inlined": false},
        "released_at": {"function": "g", "file": "bank.c", "line": 25, "module": "bank", "offset": "0x1", "inlined": false},
        "waits_at": {"function": "f", "file": "/x/bank.c"
        """)
    try #require(released != Self.json)
    #expect(try mismatches(of: released, with: truth) == [])
    let elsewhere = released.replacing("\"line\": 25", with: "\"line\": 24")
    #expect(try mismatches(of: elsewhere, with: truth) == ["bob releases it bank.c:24 in g, not bank.c:25"])
    let otherType = released.replacing("ReadGuard", with: "Guard")
    #expect(try mismatches(of: otherType, with: truth) == ["bob's guard is a Guard, not a ReadGuard"])
  }

  @Test("A hang that is claimed and not stated is a false accusation; one that is only suspected is not")
  func falseAccusation() throws {
    let healthy = Truth(verdicts: ["healthy", "deadlock"], ending: .exit)
    let claim = Self.json.replacing("\"kind\": \"deadlock\"", with: "\"kind\": \"orphaned-lock\"")
    #expect(try mismatches(of: claim, with: healthy).count == 1)
    #expect(try mismatches(of: claim.replacing("proven", with: "suspect"), with: healthy) == [])
  }

  @Test("Where nobody is claimed to hold the lock, none is owed; a wrong one is still wrong")
  func hangUnknown() throws {
    var truth = Self.truth
    (truth.verdicts, truth.certainties) = (["hang-unknown", "deadlock"], [])
    let unknown = Self.json.replacing("deadlock", with: "hang-unknown").replacing(
      "\"holders\": [3]", with: "\"holders\": []"
    )
    .replacing("\"holders\": [2]", with: "\"holders\": []")
    #expect(try mismatches(of: unknown, with: truth) == [])
    let wrong = unknown.replacing(
      "\"waiter\": 2, \"lock\": \"L2\", \"mode\": \"exclusive\", \"holders\": []",
      with: "\"waiter\": 2, \"lock\": \"L2\", \"mode\": \"exclusive\", \"holders\": [2]")
    #expect(try mismatches(of: wrong, with: truth) == ["alice waits for alice, not for bob"])
  }

  @Test("A reader that wants to write may be listed among its own obstacles, the other reader must be")
  func upgrade() throws {
    let truth = Truth(
      verdicts: ["deadlock"],
      holds: [
        .init(lock: "rw", thread: "alice", mode: "read", line: 10),
        .init(lock: "rw", thread: "bob", mode: "read", line: 20),
      ],
      waits: [
        .init(target: .lock("rw"), thread: "alice", line: 11), .init(target: .lock("rw"), thread: "bob", line: 21),
      ])
    let both = Self.json.replacing("\"holders\": [3]", with: "\"holders\": [3, 2]")
    #expect(try mismatches(of: both, with: truth) == [])
    let selfOnly = Self.json.replacing("\"holders\": [3]", with: "\"holders\": [2]")
    #expect(try mismatches(of: selfOnly, with: truth).first == "alice waits for alice, not for alice, bob")
  }
}
