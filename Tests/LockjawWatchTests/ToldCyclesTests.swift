import LockjawInspect
import LockjawModel
import Synchronization
import Testing

@testable import LockjawWatch

@Suite("Cycles over process borders that were told")
struct ToldCyclesTests {
  private static func discovery(_ certainty: Certainty = .inferred, from pid: Int32 = 1) -> Discovery {
    let edges = [ThreadID(1), ThreadID(2)].map {
      Edge(waiter: $0, lock: "L1", mode: .exclusive, holders: [], evidence: .kernel, waitingForSeconds: 1)
    }
    let process = ProcessReport(pid: pid, command: "", executable: "", condition: "running")
    let other = ProcessReport(pid: 3 - pid, command: "", executable: "", condition: "running")
    var report = Report(
      verdict: .deadlock, signature: "", process: process,
      findings: [Finding(kind: .deadlock, certainty: certainty, summary: "", edges: edges)], locks: [], threads: [],
      diagnostics: [], source: "live")
    report.processes = [other]
    return Discovery(
      occasion: .finding(isRenewal: false), process: ProcessIdentity(pid: pid, startTicks: 7), arenaPath: "",
      arenaFile: nil, report: report)
  }

  @Test("One that is found from both of its processes is news once")
  func once() {
    let told = ToldCycles(startTicks: { _ in 7 }, stillness: { _ in nil })
    #expect(told.isNews(Self.discovery(from: 1)))
    #expect(!told.isNews(Self.discovery(from: 2)))
  }

  @Test("One of threads that have got the numbers of ended ones is another")
  func reused() {
    let start = Atomic<UInt64>(7)
    let told = ToldCycles(startTicks: { _ in start.load(ordering: .relaxed) }, stillness: { _ in nil })
    #expect(told.isNews(Self.discovery()))
    start.store(8, ordering: .relaxed)
    #expect(told.isNews(Self.discovery()))
    #expect(!told.isNews(Self.discovery()))
  }

  @Test(
    "The same threads are news again once one of them has gone on; a look that makes it run for an instant is nothing")
  func anew() {
    let asleep = Stillness(switches: 5, call: "73 0x3 0x2")
    let afterLook = Stillness(switches: 7, call: "73 0x3 0x2")
    let now = Mutex<[Stillness?]>([asleep])
    // The last state stays; those before it are each met once.
    let told = ToldCycles(
      startTicks: { _ in 7 },
      stillness: { _ in now.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] } })
    #expect(told.isNews(Self.discovery()))
    told.forgetOver()
    #expect(!told.isNews(Self.discovery()))
    now.withLock { $0 = [nil, afterLook] }
    told.forgetOver()
    #expect(!told.isNews(Self.discovery()))
    now.withLock { $0 = [nil] }
    told.forgetOver()
    #expect(told.isNews(Self.discovery()))
  }

  @Test("One that has become more certain is told again, since it may be acted on only then")
  func moreCertain() {
    let told = ToldCycles(startTicks: { _ in 7 }, stillness: { _ in nil })
    #expect(told.isNews(Self.discovery(.suspect)))
    #expect(told.isNews(Self.discovery(.inferred)))
    #expect(!told.isNews(Self.discovery(.suspect)))
  }
}
