import Glibc
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawInspect

/// Asleep in each of the newer calls, for one word and for two. Says which of them the kernel has, and where the words are.
private let program = """
  #include <errno.h>
  #include <pthread.h>
  #include <stdint.h>
  #include <stdio.h>
  #include <stdlib.h>
  #include <string.h>
  #include <unistd.h>
  #include <sys/syscall.h>
  struct entry { uint64_t expected, word; uint32_t flags, zero; };
  static uint32_t words[3];
  static void *named(void *name) {
    // Not on the stack, which every capture has.
    struct entry *entries = aligned_alloc(65536, 65536);
    memset(entries, 0, 2 * sizeof *entries);
    entries[0] = (struct entry){0, (uint64_t)&words[0], 0x82, 0};  // 32 bits, private
    entries[1] = (struct entry){0, (uint64_t)&words[1], 0x82, 0};
    pthread_setname_np(pthread_self(), name);
    if (!strcmp(name, "one")) syscall(449, entries, 1, 0, NULL, 0);
    if (!strcmp(name, "two")) syscall(449, entries, 2, 0, NULL, 0);
    if (!strcmp(name, "new")) syscall(455, &words[2], 0UL, 0xFFUL, 0x82, NULL, 0);
    return NULL;
  }
  static int has(long call) { return syscall(call, NULL, 0, 0, NULL, 0, 0) != -1 || errno != ENOSYS; }
  int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, named, "one");
    pthread_create(&thread, NULL, named, "two");
    pthread_create(&thread, NULL, named, "new");
    printf("%d %d %p\\n", has(449), has(455), (void *)words);
    fflush(stdout);
    for (;;) pause();
  }
  """

@Suite("The newer futex calls")
struct FutexCallTests {
  @Test(
    "A wait by futex_waitv or futex_wait for one word is that wait, live and from a core; for several it is for none")
  func calls() throws {
    let built = try Program(.c, name: "futexes", source: program)
    let running = try RunningProgram(built)
    let said = try running.readLine().split(separator: " ")
    guard said[0] == "1" else { try Test.cancel("this kernel has no futex_waitv (Linux 5.16)") }
    let hasNewWait = said[1] == "1"
    let base = try #require(UInt64(said[2].dropFirst(2), radix: 16))
    let process = try LiveProcess(pid: running.pid)
    func thread(_ name: String) -> ThreadID? { process.threads.first { $0.name == name }?.tid }
    func settles(_ name: String, _ isExpected: (KernelState) -> Bool) -> Bool {
      RunningProgram.wait { thread(name).map { isExpected(process.kernelState(of: $0)) } ?? false }
    }
    try #require(settles("one") { $0 == .futexWait(word: Address(base)) })
    try #require(settles("two") { $0 == .systemCall(number: 449, name: "futex_waitv") })
    if hasNewWait { try #require(settles("new") { $0 == .futexWait(word: Address(base + 8)) }) }

    let (one, two) = (try #require(thread("one")), try #require(thread("two")))
    #expect(process.activity(of: one) == "asleep in a futex wait on \(Address(base))")
    #expect(process.activity(of: two) == "asleep until any of 2 futex words is woken (futex_waitv)")
    let sleepers = process.sleepers(limit: 16).sleepers
    #expect(sleepers[one]?.isInFutexWait == true && sleepers[two]?.isInFutexWait == true)

    let snapshot = try Snapshot.take(pid: running.pid)
    let path = "\(built.directory.path)/futexes.core"
    _ = try Minicore(snapshot, of: process).write(to: path)
    for taken in [snapshot, try CoreFile(path: path).snapshot(), try Snapshot.takeWithoutStopping(pid: running.pid)] {
      let wait = try #require(taken.thread(one)?.futexWait)
      #expect(wait == FutexWait(word: Address(base), operation: 0x80, expected: 0, hasTimeLimit: false))
      #expect(taken.thread(one)?.kernelState == .futexWait(word: Address(base)))
      #expect(taken.thread(two)?.futexWait == nil)
      #expect(taken.activity(of: two) == "asleep until any of 2 futex words is woken (futex_waitv)")
      guard hasNewWait, let new = thread("new") else { continue }
      // A mask makes it what futex(2) calls FUTEX_WAIT_BITSET.
      #expect(
        taken.thread(new)?.futexWait
          == FutexWait(word: Address(base + 8), operation: 0x89, expected: 0, hasTimeLimit: false))
      #expect(taken.activity(of: new) == "asleep in a futex wait on \(Address(base + 8))")
    }
  }

  private func call(_ arguments: [UInt64]) -> ThreadActivity {
    ThreadActivity(place: .systemCall(number: ThreadActivity.futexVector, arguments: arguments + [0, 0, 0]))
  }

  @Test("An array that is not there, names no word or claims to be endless leaves the call as it is")
  func damagedArrays() {
    func entry(word: UInt64) -> MemoryImage {
      var bytes = [UInt8](repeating: 0, count: 24)
      withUnsafeBytes(of: word.littleEndian) { bytes.replaceSubrange(8..<16, with: $0) }
      return MemoryImage(base: Address(0x1000), bytes: bytes)
    }
    #expect(call([0x1000, 1, 0]).asFutexCall(entry(word: 0x2000)).futexWord == Address(0x2000))
    for arguments: [UInt64] in [
      [0x1000, 0, 0], [0x1000, 2, 0], [0x1000, UInt64(UInt32.max), 0], [0x1001, 1, 0], [0, 1, 0], [.max, 1, 0],
    ] {
      let activity = call(arguments).asFutexCall(entry(word: 0x2000))
      #expect(activity.futexWord == nil && activity == call(arguments))
    }
    #expect(call([0x1000, 1, 0]).asFutexCall(entry(word: 0)).futexWord == nil)
    #expect(
      call([0x1000, 1, 0]).asFutexCall(MemoryImage(base: Address(0x1000), bytes: Array(repeating: 1, count: 23)))
        .futexWord == nil)
  }

  @Test("A time limit stays one")
  func timeLimits() {
    let memory = MemoryImage(base: Address(0x1000), bytes: [UInt8](repeating: 1, count: 24))
    let vector = ThreadActivity(place: .systemCall(number: 449, arguments: [0x1000, 1, 0, 0x3000, 0, 0]))
    let new = ThreadActivity(place: .systemCall(number: 455, arguments: [0x2000, 7, 0xFFFF_FFFF, 0x82, 0x3000, 0]))
    #expect(vector.asFutexCall(memory).futexWait?.hasTimeLimit == true)
    #expect(
      new.asFutexCall(memory).futexWait
        == FutexWait(word: Address(0x2000), operation: 0x80, expected: 7, hasTimeLimit: true))
  }
}
