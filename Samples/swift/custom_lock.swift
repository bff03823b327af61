// A lock of the program's own, made of an atomic flag: nothing sees who has it, so it tells lockjaw through lockjaw.h. Two
// drawers are locked in opposite orders.
//
// lockjaw: verdict=deadlock certainty=inferred threads=2
import Glibc
import Synchronization

final class Drawer: Sendable {
  private let locked = Atomic(false)

  private var identity: UnsafeRawPointer { UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque()) }

  func lock() {
    while locked.exchange(true, ordering: .acquiring) {
      // Saying it again changes nothing; on one line, so that it is said where the thread stands.
      _ = (lockjaw_wait_begin(identity), poll(nil, 0, 3_600_000))  // lockjaw: waits stamps,cash thread=alice,bob
    }
    lockjaw_acquired(identity)  // lockjaw: holds cash,stamps thread=alice,bob
  }

  func unlock() {
    lockjaw_releasing(identity)
    locked.store(false, ordering: .releasing)
  }

  func name(_ name: String) { lockjaw_name(identity, name) }
}

/// Lets two threads through together.
final class Meeting: Sendable {
  private let arrived = Atomic(0)
  func wait() {
    arrived.add(1, ordering: .sequentiallyConsistent)
    while arrived.load(ordering: .sequentiallyConsistent) < 2 { sched_yield() }
  }
}

func swap(_ first: Drawer, _ second: Drawer, _ bothHoldOne: Meeting) {
  first.lock()
  bothHoldOne.wait()
  second.lock()
  second.unlock()
  first.unlock()
}

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
struct CustomLock {
  static func main() {
    if getenv("LOCKJAW_SAMPLE_FOREVER") == nil { alarm(300) }
    let (cash, stamps, meeting) = (Drawer(), Drawer(), Meeting())
    cash.name("cash")
    stamps.name("stamps")
    startThread("alice") { swap(cash, stamps, meeting) }
    startThread("bob") { swap(stamps, cash, meeting) }
    while true { pause() }
  }
}
