// A ledger whose books take a second and a half to close. The clerk keeps it locked (a PI futex, `Synchronization.Mutex`)
// and computes; two tellers wait for it; an auditor waits on a condition for the books to be closed. All of them wait
// long, for a good reason, and the program ends.
//
// lockjaw: verdict=healthy|contention|long-hold|host-starved ends=exit
import Foundation
import Glibc
import Synchronization

final class Ledger: Sendable {
  let cents = Mutex(10_000)
  let isLocked = Atomic(false)

  func close(for duration: Duration) {
    cents.withLock { sum in
      isLocked.store(true, ordering: .releasing)
      let end = ContinuousClock.now + duration
      while ContinuousClock.now < end {
        for item in 0..<1000 { sum = (sum &* 31 &+ item) & 0xffff }
      }
    }
  }

  func deposit(_ amount: Int) {
    cents.withLock { $0 += amount }
  }
}

final class Closing: @unchecked Sendable {
  // Sendable: `isDone` is read and written under the condition's lock only.
  private let condition = NSCondition()
  private var isDone = false

  func wait() {
    condition.withLock { while !isDone { condition.wait() } }
  }

  func tell() {
    condition.withLock {
      isDone = true
      condition.broadcast()
    }
  }
}

/// Starts `body` on a thread of its own, called `name`.
func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> pthread_t {
  final class Start {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
  let start = Unmanaged.passRetained(Start(name: name, body: body))
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    { argument in
      guard let argument else { return nil }
      let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
      pthread_setname_np(pthread_self(), start.name)
      start.body()
      return nil
    }, start.toOpaque())
  return thread
}

@main
struct SlowWriter {
  static func main() {
    let (ledger, closing) = (Ledger(), Closing())
    var threads = [
      startThread("clerk") {
        ledger.close(for: .milliseconds(1500))
        closing.tell()
      }
    ]
    while !ledger.isLocked.load(ordering: .acquiring) { sched_yield() }
    threads.append(startThread("auditor") { closing.wait() })
    for name in ["teller-1", "teller-2"] { threads.append(startThread(name) { ledger.deposit(500) }) }
    for thread in threads { pthread_join(thread, nil) }
  }
}
