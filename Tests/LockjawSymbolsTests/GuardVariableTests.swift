import Glibc
import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms
import Testing

private let guardsInCpp = """
  #include <cstdio>
  #include <mutex>
  #include <pthread.h>
  #include <shared_mutex>
  #include <string>
  #include <thread>
  #include <unistd.h>
  struct Session { std::string name; std::unique_lock<std::mutex> lock; };
  static std::mutex plain, member, first, second, hand, other;
  static std::shared_mutex readers;
  static int never() { for (;;) pause(); }
  static int scope() {
    std::lock_guard<std::mutex> accounts(plain); // LINE: plain
    return never();
  }
  static int session() {
    Session current{"x", std::unique_lock<std::mutex>(member)}; // LINE: member
    return never() + (int)current.name.size();
  }
  static int both() {
    std::scoped_lock pair(first, second); // LINE: second
    return never();
  }
  static int shared() {
    std::shared_lock<std::shared_mutex> catalogue(readers); // LINE: shared
    return never() + catalogue.owns_lock();
  }
  static int by_hand() {
    hand.lock();
    std::lock_guard<std::mutex> another(other);
    return never();
  }
  template <class Lock> static void start(const char *name, int (*body)(), Lock &lock) {
    std::thread thread(body);
    pthread_setname_np(thread.native_handle(), name);
    thread.detach();
    std::printf("%s %lx\\n", name, (unsigned long)lock.native_handle());
  }
  int main() {
    std::puts("ready");
    start("plain", scope, plain);
    start("member", session, member);
    start("second", both, second);
    start("shared", shared, readers);
    start("hand", by_hand, hand);
    std::fflush(stdout);
    never();
  }
  """

private let guardsInRust = """
  use std::sync::{Mutex, RwLock};
  extern "C" { fn pause() -> i32; }
  #[inline(never)]
  fn never() -> usize {
    loop {
      let n = unsafe { pause() };
      if n == 77 { return n as usize; }
    }
  }
  fn plain(lock: &RwLock<Vec<u8>>) -> usize {
    let config = lock.read().unwrap(); // LINE: plain
    never() + config.len()
  }
  #[inline(always)]
  fn helper(lock: &Mutex<Vec<u8>>) -> usize {
    let session = lock.lock().unwrap(); // LINE: inlined
    never() + session.len()
  }
  #[inline(never)]
  fn inlined(lock: &Mutex<Vec<u8>>) -> usize { helper(lock) + 1 }
  fn option(lock: &Mutex<Vec<u8>>) -> usize {
    let maybe = if lock as *const _ as usize > 1 { Some(lock.lock().unwrap()) } else { None }; // LINE: option
    never() + maybe.map_or(0, |g| g.len())
  }
  fn temporary(lock: &Mutex<Vec<u8>>) -> usize {
    match lock.lock().unwrap().len() { 0 => 1, n => n + never() }
  }
  fn word<T>(object: &T, hold: impl FnOnce(&dyn Fn() -> Vec<u8>) -> Vec<u8>) -> usize {
    let base = object as *const T as *const u8;
    let bytes = || (0..std::mem::size_of::<T>()).map(|i| unsafe { base.add(i).read_volatile() }).collect::<Vec<_>>();
    let (free, taken) = (bytes(), hold(&bytes));
    base as usize + free.iter().zip(&taken).position(|(a, b)| a != b).unwrap()
  }
  fn start(name: &'static str, body: impl FnOnce() -> usize + Send + 'static) {
    std::thread::Builder::new().name(name.to_string()).spawn(body).unwrap();
  }
  fn main() {
    println!("ready");
    let lock: &'static RwLock<Vec<u8>> = Box::leak(Box::new(RwLock::new(vec![1])));
    println!("plain {:x}", word(lock, |bytes| { let _guard = lock.write().unwrap(); bytes() }));
    start("plain", move || plain(lock));
    let bodies: [(&str, fn(&Mutex<Vec<u8>>) -> usize); 3] = [("inlined", inlined), ("option", option), ("temporary", temporary)];
    for (name, body) in bodies {
      let lock: &'static Mutex<Vec<u8>> = Box::leak(Box::new(Mutex::new(vec![1])));
      println!("{name} {:x}", word(lock, |bytes| { let _guard = lock.lock().unwrap(); bytes() }));
      start(name, move || body(lock));
    }
    never();
  }
  """

private let guardsInAbseil = """
  #include <absl/synchronization/mutex.h>
  #include <cstdio>
  #include <pthread.h>
  #include <thread>
  #include <unistd.h>
  static absl::Mutex exclusive, reading, writing;
  static int never() { for (;;) pause(); }
  static int exclusively() {
    absl::MutexLock ledger(&exclusive); // LINE: exclusive
    return never();
  }
  static int reads() {
    absl::ReaderMutexLock catalogue(&reading); // LINE: reading
    return never();
  }
  static int writes() {
    absl::WriterMutexLock update(&writing); // LINE: writing
    return never();
  }
  static void start(const char *name, int (*body)(), absl::Mutex &lock) {
    std::thread thread(body);
    pthread_setname_np(thread.native_handle(), name);
    thread.detach();
    std::printf("%s %lx\\n", name, (unsigned long)&lock);
  }
  int main() {
    std::puts("ready");
    start("exclusive", exclusively, exclusive);
    start("reading", reads, reading);
    start("writing", writes, writing);
    std::fflush(stdout);
    never();
  }
  """

private let guardsInParkingLot = """
  use parking_lot::{Mutex, RwLock};
  extern "C" { fn pause() -> i32; }
  #[inline(never)]
  fn never() -> usize {
    loop {
      let n = unsafe { pause() };
      if n == 77 { return n as usize; }
    }
  }
  fn exclusive(lock: &Mutex<Vec<u8>>) -> usize {
    let ledger = lock.lock(); // LINE: exclusive
    never() + ledger.len()
  }
  fn reading(lock: &RwLock<Vec<u8>>) -> usize {
    let catalogue = lock.read(); // LINE: reading
    never() + catalogue.len()
  }
  fn writing(lock: &RwLock<Vec<u8>>) -> usize {
    let update = lock.write(); // LINE: writing
    never() + update.len()
  }
  fn upgradable(lock: &RwLock<Vec<u8>>) -> usize {
    let perhaps = lock.upgradable_read(); // LINE: upgradable
    never() + perhaps.len()
  }
  fn start(name: &'static str, body: impl FnOnce() -> usize + Send + 'static) {
    std::thread::Builder::new().name(name.to_string()).spawn(body).unwrap();
  }
  fn main() {
    println!("ready");
    let lock: &'static Mutex<Vec<u8>> = Box::leak(Box::new(Mutex::new(vec![1])));
    println!("exclusive {:x}", unsafe { lock.raw() } as *const _ as usize);
    start("exclusive", move || exclusive(lock));
    let bodies: [(&str, fn(&RwLock<Vec<u8>>) -> usize); 3] =
      [("reading", reading), ("writing", writing), ("upgradable", upgradable)];
    for (name, body) in bodies {
      let lock: &'static RwLock<Vec<u8>> = Box::leak(Box::new(RwLock::new(vec![1])));
      println!("{name} {:x}", unsafe { lock.raw() } as *const _ as usize);
      start(name, move || body(lock));
    }
    never();
  }
  """

@Suite("Guard variables")
struct GuardVariableTests {
  /// The guards that the program's threads have by name, each for the lock the program says it holds.
  private func guards(_ program: Program, threads: Int) throws -> [String: GuardVariable] {
    var locks: [String: Address] = [:]
    let target = try Target(program, sleepers: threads + 1) { running in
      for _ in 0..<threads {
        let words = try running.readLine().split(separator: " ")
        if words.count == 2, let address = UInt64(words[1], radix: 16) { locks[String(words[0])] = Address(address) }
      }
    }
    let memory = LayeredMemory([target.snapshot.memory, ProcessMemory(target.process)])
    var found: [String: GuardVariable] = [:]
    for thread in target.snapshot.threads {
      guard let lock = locks[thread.name], let frames = target.unwinding(thread)?.frames else { continue }
      found[thread.name] =
        zip(frames, frames.dropFirst()).lazy.compactMap { frame, caller in
          target.symbolizer.guardVariable(of: lock, in: frame, callerStackPointer: caller.sp, memory: memory)
        }.first
    }
    #expect(locks.count == threads)
    return found
  }

  @Test(
    "C++: a guard is named by the variable it is in, and only for its own lock",
    arguments: [["-g"], ["-g", "-gsplit-dwarf"], ["-g", "-gdwarf-4", "-gsplit-dwarf"]])
  func cpp(flags: [String]) throws {
    let program = try Program(.cpp, name: "guards", flags: flags + ["-O0"], source: guardsInCpp)
    let guards = try guards(program, threads: 5)
    #expect(guards.mapValues(\.name) == Self.namesInCpp)
    for (name, guardVariable) in guards {
      #expect(guardVariable.file == program.sourcePath)
      #expect(guardVariable.line == program.line(name))
    }
  }

  private static let namesInCpp = ["plain": "accounts", "member": "current", "second": "pair", "shared": "catalogue"]

  @Test("Optimised C++: a guard that still has a place is named as in the source, and none by another's name")
  func optimisedCpp() throws {
    let program = try Program(.cpp, name: "guards", flags: ["-g", "-O2"], source: guardsInCpp)
    let guards = try guards(program, threads: 5)
    for (name, guardVariable) in guards {
      #expect(guardVariable.name == Self.namesInCpp[name])
      #expect(guardVariable.file == program.sourcePath && guardVariable.line == program.line(name))
    }
    // It is in memory beside a name, and whether it owns the lock is asked at the end of its scope.
    #expect(guards["member"] != nil, "\(guards.keys)")
  }

  @Test(
    "abseil: its guards are named, those for reading too",
    .enabled(
      if: access("/usr/include/absl/synchronization/mutex.h", R_OK) == 0,
      "libabsl-dev is not installed; Tools/install-packages test"), arguments: ["-O0", "-O2"])
  func abseil(optimisation: String) throws {
    let libraries = try Command.succeed(["pkg-config", "--libs", "absl_synchronization"])
      .split { $0.isWhitespace }.map { String($0) }
    let program = try Program(
      .cpp, name: "guards", flags: ["-g", optimisation] + libraries, source: guardsInAbseil)
    let guards = try guards(program, threads: 3)
    let names = ["exclusive": "ledger", "reading": "catalogue", "writing": "update"]
    // g++ keeps no place for them where it knows the lock anyhow.
    if optimisation == "-O0" { #expect(guards.count == names.count) }
    for (name, guardVariable) in guards {
      #expect(guardVariable.name == names[name])
      #expect(guardVariable.file == program.sourcePath && guardVariable.line == program.line(name))
    }
  }

  @Test(
    "parking_lot: its guards are named, those for reading and those that may be made writers too", arguments: [0, 3])
  func parkingLot(optimisation: Int) throws {
    let program = try Program(
      cargo: "guards", dependency: "parking_lot = \"0.12\"", optimisation: optimisation, source: guardsInParkingLot)
    let guards = try guards(program, threads: 4)
    let names = ["exclusive": "ledger", "reading": "catalogue", "writing": "update", "upgradable": "perhaps"]
    // rustc keeps most in optimised programs.
    #expect(optimisation == 0 ? guards.count == names.count : guards.count >= 2, "\(guards.keys)")
    for (name, guardVariable) in guards {
      #expect(guardVariable.name == names[name])
      #expect(guardVariable.file == program.sourcePath && guardVariable.line == program.line(name))
    }
  }

  @Test("Rust: guards of inlined functions and in an Option; a temporary has no name", arguments: ["0", "3"])
  func rust(optimisation: String) throws {
    let program = try Program(
      .rust, name: "guards", flags: ["-g", "-C", "opt-level=\(optimisation)"], source: guardsInRust)
    let guards = try guards(program, threads: 4)
    #expect(guards["plain"]?.name == "config")
    #expect(guards["inlined"]?.name == "session")
    #expect(guards["temporary"] == nil)
    // An optimised program may have lost where the Option is.
    if optimisation == "0" { #expect(guards["option"]?.name == "maybe") }
    for (name, guardVariable) in guards {
      #expect(guardVariable.file == program.sourcePath)
      #expect(guardVariable.line == program.line(name))
    }
  }
}
