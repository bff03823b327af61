// The Swift twin of patterns.rs over Synchronization's Mutex, which on Linux is a priority-inheriting futex: the word
// holds its owner's thread id. One thread for each way a closure can hold one, all asleep for good. See patterns.rs for
// the protocol.
import Glibc
import Synchronization

let asleep = Atomic<Int>(0)

// Glibc's module hides what only _GNU_SOURCE declares.
@_silgen_name("gettid") func gettid() -> pid_t
@_silgen_name("pthread_setname_np") func nameThread(_ thread: pthread_t, _ name: UnsafePointer<CChar>) -> Int32

final class Account: Sendable {
  let balance = Mutex([1, 2, 3])

  /// Where in the object the mutex' word is: it has this thread's id while it is locked.
  var word: UInt {
    let base = UInt(bitPattern: Unmanaged.passUnretained(self).toOpaque())
    let tid = UInt32(gettid())
    return balance.withLock { _ in
      stride(from: UInt(16), to: 64, by: 4).map { base + $0 }.first { address in
        UnsafePointer<UInt32>(bitPattern: address)?.pointee == tid
      } ?? 0
    }
  }
}

struct Failure: Error {}

/// Could come back and could throw, as far as the compiler knows.
@inline(never) func never() throws -> Int {
  asleep.wrappingAdd(1, ordering: .sequentiallyConsistent)
  while asleep.load(ordering: .sequentiallyConsistent) < 1000 { pause() }
  if asleep.load(ordering: .sequentiallyConsistent) == 2000 { throw Failure() }
  return 1
}

@inline(never) func simple(_ account: Account) throws -> Int {
  try account.balance.withLock { values in try values.count + never() }
}
@inline(never) func middle(_ text: String) throws -> Int { try text.count + never() }
@inline(never) func outer(_ account: Account) throws -> Int {
  try account.balance.withLock { values in try values.count + middle(String(repeating: "x", count: values.count)) }
}
@inline(never) func nested(_ first: Account, _ second: Account) throws -> Int {
  try first.balance.withLock { a in
    try second.balance.withLock { b in try a.count + b.count + never() }
  }
}
@inline(never) func catching(_ account: Account) -> Int {
  account.balance.withLock { values in
    do { return try never() } catch { return values.count }
  }
}
@inline(never) func looping(_ account: Account) throws -> Int {
  try account.balance.withLock { values in
    var sum = 0
    for value in values { sum += try value + never() }
    return sum
  }
}
@inline(never) func available(_ account: Account) throws -> Int {
  try account.balance.withLockIfAvailable { values in try values.count + never() } ?? 0
}
@inline(never) func applied(_ body: () throws -> Int, to account: Account) throws -> Int {
  try account.balance.withLock { values in try values.count + body() }
}
@inline(never) func closure(_ account: Account) throws -> Int {
  let text = String(repeating: "y", count: account.balance.withLock { $0.count })
  return try applied({ try text.count + never() }, to: account)
}
@inline(never) func before(_ account: Account) throws -> Int {
  try account.balance.withLock { $0.count } + never()
}
@inline(never) func after(_ account: Account) throws -> Int {
  try never() + account.balance.withLock { $0.count }
}
@inline(never) func waits(_ account: Account) throws -> Int {
  asleep.wrappingAdd(1, ordering: .sequentiallyConsistent)
  return account.balance.withLock { $0.count }
}

final class Body {
  let body: () throws -> Int
  init(_ body: @escaping () throws -> Int) { self.body = body }
}

/// Each is started when the one before sleeps.
func start(_ name: String, _ body: @escaping () throws -> Int) {
  let wanted = asleep.load(ordering: .sequentiallyConsistent) + 1
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    { argument in
      let body = Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
      exit(Int32(((try? body.body()) ?? 0) & 1))
    }, Unmanaged.passRetained(Body(body)).toOpaque())
  _ = nameThread(thread, name)
  while asleep.load(ordering: .sequentiallyConsistent) < wanted { usleep(200) }
}

func holds(_ thread: String, _ function: String) -> Account {
  let account = Account()
  print("holds \(thread) piFutex \(String(account.word, radix: 16)) exclusive \(function)")
  return account
}

@main struct Patterns {
  static func main() {
    alarm(300)
    let one: [(String, (Account) throws -> Int)] = [
      ("simple", simple), ("outer", outer), ("catching", catching), ("looping", looping), ("available", available),
    ]
    for (name, body) in one {
      let account = holds(name, name)
      start(name) { try body(account) }
    }
    let (first, second) = (holds("nested", "nested"), holds("nested", "nested"))
    start("nested") { try nested(first, second) }
    let applied = holds("closure", "applied")
    start("closure") { try closure(applied) }
    let account = holds("held", "simple")
    let word = account.word
    start("before") { try before(account) }
    start("held") { try simple(account) }
    start("after") { try after(account) }
    print("awaits waits \(String(word, radix: 16)) exclusive")
    start("waits") { try waits(account) }
    print("ready")
    fflush(nil)
    while true { pause() }
  }
}
