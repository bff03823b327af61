import LockjawInspect
import LockjawModel
import LockjawSymbols
import LockjawTestPrograms
import Testing

private let inlinedC = """
  #include <pthread.h>
  #include <stdio.h>
  #include <unistd.h>
  static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
  int counter = 42;
  static long zeroed[64];
  static inline __attribute__((always_inline)) void take(pthread_mutex_t *m) {
    pthread_mutex_lock(m); // LINE: take
  }
  static inline __attribute__((always_inline)) void audit(int depth) {
    counter += depth;
    take(&guard); // LINE: audit
    counter -= depth;
  }
  __attribute__((noinline)) static void *transfer(void *argument) {
    pthread_setname_np(pthread_self(), "worker");
    audit(1); // LINE: transfer
    counter++;
    return argument;
  }
  int main(void) {
    pthread_t thread;
    pthread_mutex_lock(&guard);
    pthread_create(&thread, NULL, transfer, NULL);
    printf("%p %p %p\\n", (void *)&counter, (void *)&zeroed[3], (void *)&guard);
    puts("ready");
    fflush(stdout);
    pthread_join(thread, NULL); // LINE: join
    return (int)zeroed[0];
  }
  """

@Suite("Symbols")
struct SymbolizerTests {
  @Test("C: functions, lines and inlined calls", arguments: ["-O0", "-O2"])
  func cFrames(optimisation: String) throws {
    let program = try Program(.c, name: "inlined", flags: ["-g", optimisation], source: inlinedC.quiet)
    let target = try Target(program, sleepers: 2)
    let frames = try target.frames(ofThread: "worker")
    func line(_ marker: String) -> String { String(program.line(marker) ?? -1) }
    #expect(
      frames.outline == [
        "take:\(line("take")) inlined", "audit:\(line("audit")) inlined", "transfer:\(line("transfer"))",
      ])
    #expect(frames.filter { !$0.isPlumbing }.allSatisfy { $0.file == program.sourcePath })
    #expect(frames.first?.isPlumbing == true)
    #expect(target.symbolizer.diagnostics == [])
    #expect(try target.frames(ofThread: "inlined").outline == ["main:\(line("join"))"])
  }

  @Test("C++: members, lambdas and guards; the library's own frames are plumbing", arguments: ["-O0", "-O2"])
  func cppFrames(optimisation: String) throws {
    let program = try Program(
      .cpp, name: "bank", flags: ["-g", optimisation],
      source: """
        #include <cstdio>
        #include <mutex>
        #include <pthread.h>
        #include <shared_mutex>
        #include <thread>
        namespace bank {
        template <class Money> struct Account {
          std::mutex guard;
          std::shared_mutex ledger;
          __attribute__((noinline)) void deposit(Money amount) {
            std::lock_guard<std::mutex> hold(guard); // LINE: deposit
            total += amount;
          }
          inline __attribute__((always_inline)) void note() {
            std::unique_lock hold(ledger); // LINE: note
            total += 1;
          }
          Money total = 0;
        };
        }
        static bank::Account<long> account;
        int main() {
          account.guard.lock();
          account.ledger.lock_shared();
          std::thread first([] {
            pthread_setname_np(pthread_self(), "first");
            account.deposit(5); // LINE: first
            account.total++;
          });
          std::thread second([] {
            pthread_setname_np(pthread_self(), "second");
            account.note(); // LINE: second
            account.total++;
          });
          puts("ready");
          fflush(stdout);
          first.join();
          second.join();
        }
        """)
    let target = try Target(program, sleepers: 3)
    func line(_ marker: String) -> String { String(program.line(marker) ?? -1) }
    let isOptimised = optimisation == "-O2"
    #expect(
      try target.frames(ofThread: "first").outline == [
        "bank::Account<long>::deposit(long):\(line("deposit"))",
        isOptimised
          ? "main::{lambda}::operator():\(line("first")) inlined"
          : "main::{lambda()#1}::operator()() const:\(line("first"))",
      ])
    let second = try target.frames(ofThread: "second")
    #expect(
      second.outline == [
        "bank::Account<long>::note():\(line("note")) inlined",
        isOptimised
          ? "main::{lambda}::operator():\(line("second")) inlined"
          : "main::{lambda()#2}::operator()() const:\(line("second"))",
      ])
    #expect(second.contains { $0.function?.hasPrefix("std::unique_lock<std::shared_mutex>") ?? false && $0.isPlumbing })
    #expect(target.symbolizer.diagnostics == [])
  }

  @Test("Rust: std's inlined lock calls are plumbing, the closure's line is the program's", arguments: ["0", "2"])
  func rustFrames(optimisation: String) throws {
    let program = try Program(
      .rust, name: "relay", flags: ["-g", "-C", "opt-level=\(optimisation)"],
      source: """
        use std::sync::{Arc, Mutex};
        use std::thread;
        #[inline(never)]
        fn deliver(mailbox: &Mutex<u32>) {
            *mailbox.lock().unwrap() += 1; // LINE: deliver
        }
        fn main() {
            let mailbox = Arc::new(Mutex::new(0));
            let other = mailbox.clone();
            let held = mailbox.lock().unwrap();
            let worker = thread::Builder::new().name("worker".into()).spawn(move || {
                deliver(&other); // LINE: closure
                println!("never");
            }).unwrap();
            println!("ready");
            worker.join().unwrap();
            drop(held);
        }
        """)
    let target = try Target(program, sleepers: 2)
    let frames = try target.frames(ofThread: "worker")
    func line(_ marker: String) -> String { String(program.line(marker) ?? -1) }
    let inlined = optimisation == "2" ? " inlined" : ""
    #expect(
      frames.outline == [
        "program::deliver:\(line("deliver"))", "program::main::{{closure}}:\(line("closure"))\(inlined)",
      ])
    #expect(frames.contains { $0.function == "std::sync::poison::mutex::Mutex<T>::lock" })
    #expect(frames.filter { !$0.isPlumbing }.allSatisfy { $0.file == program.sourcePath })
    #expect(target.symbolizer.diagnostics == [])
  }

  @Test("Swift: names are demangled, without what the optimiser adds")
  func swiftNames() {
    #expect(Demangler.demangled("$s4main8transferyyF") == "main.transfer() -> ()")
    #expect(Demangler.demangled("$s15Synchronization5MutexVAARi_zrlE4lockyyF").hasPrefix("Synchronization.Mutex"))
    #expect(Demangler.demangled("$s4main8transferyyFTf4d_n").hasSuffix("main.transfer() -> ()"))
  }

  @Test("C++ and Rust: names are demangled, hashes and clone suffixes left out; other names stay")
  func demangling() {
    #expect(Demangler.demangled("_ZN4bank7AccountIlE7depositEl") == "bank::Account<long>::deposit(long)")
    #expect(Demangler.demangled("_ZN4bank5auditEv.part.0.cold") == "bank::audit()")
    #expect(Demangler.demangled("_ZN5relay7deliver17h0123456789abcdefE") == "relay::deliver")
    #expect(Demangler.demangled("_RNvCs1234_5relay7deliver") == "relay::deliver")
    #expect(Demangler.demangled("pthread_mutex_lock") == "pthread_mutex_lock")
    #expect(Demangler.demangled("_Znot a name") == "_Znot a name")
    #expect(Demangler.demangled("_Z" + String(repeating: "N", count: 100_000)).utf8.count == 100_002)
  }
}

extension String {
  /// Without the line that prints addresses.
  fileprivate var quiet: String {
    split(separator: "\n", omittingEmptySubsequences: false).map { $0.contains("printf(") ? "" : String($0) }
      .joined(separator: "\n")
  }
}
