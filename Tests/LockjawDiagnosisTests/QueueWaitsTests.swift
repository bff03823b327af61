import LockjawModel
import Testing

@testable import LockjawDiagnosis

@Suite("Waits for a dispatch queue are named as such") struct QueueWaitsTests {
  private func frame(_ function: String?, _ module: String = "bank", line: Int? = nil) -> Frame {
    Frame(
      function: function, file: line == nil ? nil : "/src/bank.swift", line: line, module: module, offset: 0,
      isPlumbing: module == "libdispatch.so")
  }
  private func thread(_ tid: Int32, _ stack: [Frame]) -> ThreadReport {
    ThreadReport(tid: ThreadID(tid), name: "", state: "", stack: stack)
  }
  private var waiting: [Frame] {
    [
      frame("_dispatch_futex_wait", "libdispatch.so"), frame("__DISPATCH_WAIT_FOR_QUEUE__", "libdispatch.so"),
      frame("_dispatch_sync_f_slow", "libdispatch.so"),
      frame("Dispatch.DispatchQueue.sync(execute: () -> ()) -> ()", "libswiftDispatch.so"),
    ]
  }

  @Test("With the thread, and the function of the program's that asked")
  func callers() throws {
    let said = try #require(
      QueueWaits.sentence([
        thread(8, waiting + [frame("bank.audit() -> ()", line: 9), frame("main")]),
        thread(7, waiting + [frame(nil), frame("bank.transfer() -> ()")]), thread(9, [frame("bank.other() -> ()")]),
      ]))
    #expect(
      said.hasPrefix(
        "2 threads wait for a turn on a dispatch queue: thread 7 in bank.transfer() -> (), "
          + "thread 8 in bank.audit() -> () (bank.swift:9). Such a queue is a lock"), "\(said)")
  }

  @Test("A crowd is counted, and a stack that ends in the library is a wait all the same")
  func crowd() throws {
    let said = try #require(QueueWaits.sentence((1...10).map { thread($0, waiting) }))
    #expect(said.hasPrefix("10 threads wait for a turn on a dispatch queue: thread 1, thread 2,"), "\(said)")
    #expect(said.contains("thread 6, and 4 more. Such"), "\(said)")
  }

  @Test("Who only works for a queue, or waits for a semaphore or group, is no such wait")
  func others() {
    #expect(
      QueueWaits.sentence([
        thread(1, [frame("_dispatch_sema4_wait", "libdispatch.so"), frame("main")]),
        thread(2, [frame("work"), frame("_dispatch_lane_serial_drain", "libdispatch.so")]), thread(3, []),
      ]) == nil)
  }
}
