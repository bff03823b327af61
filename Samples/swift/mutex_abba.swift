// Two accounts behind `Synchronization.Mutex`. On Linux that is a PI futex: its word names the owner, and the kernel
// follows owners before it lets a thread sleep. So the second of two crossing transfers is not put to sleep but refused
// with EDEADLK, and the Swift runtime traps. There is no hang to find; there is a refusal to record.
//
// lockjaw: verdict=any ends=SIGILL
import Glibc
import Synchronization

final class Account: Sendable {
  let cents = Mutex(10_000)

  func transfer(_ amount: Int, to other: Account, atBothLocked: () -> Void) {
    cents.withLock { mine in
      atBothLocked()
      other.cents.withLock { theirs in  // lockjaw: refused accounts thread=alice,bob
        mine -= amount
        theirs += amount
      }
    }
  }
}

/// Lets two threads through together.
final class Meeting: Sendable {
  private let arrived = Atomic(0)
  func wait() {
    arrived.add(1, ordering: .sequentiallyConsistent)
    while arrived.load(ordering: .sequentiallyConsistent) < 2 { sched_yield() }
  }
}

/// Runs `body` on a new thread called `name`.
func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
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
}

@main
struct MutexABBA {
  static func main() {
    if getenv("LOCKJAW_SAMPLE_FOREVER") == nil { alarm(300) }
    let (first, second, meeting) = (Account(), Account(), Meeting())
    startThread("alice") { first.transfer(500, to: second) { meeting.wait() } }
    startThread("bob") { second.transfer(700, to: first) { meeting.wait() } }
    while true { pause() }
  }
}
