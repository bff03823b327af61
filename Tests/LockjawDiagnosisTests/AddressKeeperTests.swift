import Glibc
import LockjawGraph
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawDiagnosis
@testable import LockjawEmulator

/// A read lock that no frame gives back, one thread that keeps its address, one that waits for it, one that knows nothing.
@Suite("Who has the address of a lock whose holder nobody found")
struct AddressKeeperTests {
  private static let source = """
    #define _GNU_SOURCE
    #include <pthread.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <unistd.h>
    static pthread_barrier_t taken;
    __attribute__((noinline)) static void remember(pthread_rwlock_t *lock) {
      pthread_rwlock_t *volatile kept = lock;
      pthread_rwlock_rdlock(kept);
      pthread_barrier_wait(&taken);
      for (;;) pause();
    }
    static void *forgetful(void *lock) { pthread_setname_np(pthread_self(), "forgetful"); remember(lock); return NULL; }
    static void *writer(void *lock) {
      pthread_setname_np(pthread_self(), "writer"); pthread_barrier_wait(&taken); pthread_rwlock_wrlock(lock); return NULL;
    }
    static void *stranger(void *unused) { pthread_setname_np(pthread_self(), "stranger"); for (;;) pause(); return unused; }
    __attribute__((noinline)) static void begin(void) {
      pthread_rwlock_t *lock = aligned_alloc(64, 64 * ((sizeof *lock + 63) / 64));
      pthread_rwlock_init(lock, NULL); pthread_barrier_init(&taken, NULL, 2);
      pthread_t t; pthread_create(&t, NULL, stranger, NULL); pthread_create(&t, NULL, forgetful, lock);
      pthread_create(&t, NULL, writer, lock); printf("%p\\n", (void *)lock); fflush(stdout);
    }
    int main(void) { begin(); for (;;) pause(); }
    """

  @Test(
    "is listed as having the address, is no holder and in no edge; the waiter and strangers are not listed",
    arguments: ["-O0", "-O2"])
  func listed(level: String) throws {
    let program = try Program(.c, name: "keepers", flags: ["-g", level], source: Self.source)
    let running = try RunningProgram(program)
    let lock = Address(UInt64(try running.readLine().dropFirst(2), radix: 16) ?? 0)
    let process = try LiveProcess(pid: running.pid)
    func tid(_ name: String) -> ThreadID? { process.threads.first { $0.name == name }?.tid }
    #expect(
      RunningProgram.wait {
        guard let writer = tid("writer"), case .futexWait(let word) = process.kernelState(of: writer) else {
          return false
        }
        let distance = word.rawValue &- lock.rawValue
        return distance < 56
          && process.threads.allSatisfy { if case .running = process.kernelState(of: $0.tid) { false } else { true } }
      })
    let target = SnapshotTarget(running: try Snapshot.take(pid: running.pid, deadline: .seconds(10)), process: process)
    let examination = Examination(Examination.glance(target), arena: nil, target: target, stall: 0)
    let (forgetful, writer, stranger) = (tid("forgetful"), tid("writer"), tid("stranger"))
    let owners = try #require(examination.owners[lock])
    #expect(owners.owners == [])
    #expect(owners.check.contains("1 read hold has no owning frame"))
    let note = try #require(owners.notes.first { $0.hasPrefix("stack: ") })
    #expect(note.contains("thread \(try #require(forgetful)) in remember"), "\(note)")
    #expect(note.hasSuffix("who has the address need not hold the lock."))
    for other in [writer, stranger] { #expect(!note.contains("thread \(try #require(other))"), "\(note)") }
    #expect(examination.graph.edges.filter { $0.object == lock }.map(\.holders) == [[]])
    #expect(examination.threads.allSatisfy { thread in thread.held.allSatisfy { $0.object != lock } })
    let finding = try #require(examination.diagnosis.findings.first { $0.members == [writer].compactMap { $0 } })
    #expect(finding.certainty == .suspect)
    #expect(finding.edges.allSatisfy { $0.holders.isEmpty })
  }

  /// The guard's frame loops for good in a call that cannot throw: no pad, and no way on leads to a release. The call behind
  /// has another pad, so that the compiler leaves a gap in the table between the two.
  private static let endless = """
    #include <cstdio>
    #include <shared_mutex>
    #include <sys/syscall.h>
    #include <thread>
    #include <unistd.h>
    static std::shared_mutex registry;
    static volatile int word, forever = 1;
    __attribute__((noinline)) void may_throw(int value) { if (value > 100) throw value; word = value; }
    struct Other { ~Other() { word = 7; } };
    void keep() {
      std::shared_lock<std::shared_mutex> guard(registry);
      may_throw(1);
      if (forever) for (;;) syscall(SYS_pause);
      { Other other; may_throw(2); }
    }
    int main() {
      std::thread keeper(keep);
      while (word != 1) usleep(1000);
      std::printf("%p %p\\n", (void *)&registry, (void *)&registry); std::fflush(stdout);
      registry.lock();
    }
    """

  @Test("A frame between two calls that would release the lock is a possible holder, in words and in no edge")
  func possibleHolder() throws {
    let program = try Program(.cpp, name: "endless", source: Self.endless)
    let running = try RunningProgram(program)
    let line = try running.readLine()
    let lock = Address(UInt64(line.split(separator: " ")[0].dropFirst(2), radix: 16) ?? 0)
    let process = try LiveProcess(pid: running.pid)
    #expect(
      RunningProgram.wait {
        process.threads.count == 2
          && process.threads.allSatisfy { if case .running = process.kernelState(of: $0.tid) { false } else { true } }
          && { if case .futexWait = process.kernelState(of: ThreadID(running.pid)) { true } else { false } }()
      })
    let keeper = try #require(process.threads.first { $0.tid != ThreadID(running.pid) }).tid
    let target = SnapshotTarget(running: try Snapshot.take(pid: running.pid, deadline: .seconds(10)), process: process)
    let glance = Examination.glance(target)
    let owners = try #require(glance.owners[lock])
    #expect(owners.owners == [])
    #expect(owners.check.contains("1 read hold has no owning frame"))
    let note = try #require(owners.notes.first { $0.contains("may hold") })
    #expect(note.hasPrefix("holders: thread \(keeper) in keep() may hold rwlock \(lock)"), "\(note)")
    #expect(glance.threads.allSatisfy { thread in thread.held.allSatisfy { $0.object != lock } })
  }

  @Test("More finds than the word counts are told, and not claimed; the same thread's outer frame is no contradiction")
  func contradictions() {
    func hold(_ tid: Int32, _ rung: FoundHold.Rung) -> FoundHold {
      FoundHold(
        tid: ThreadID(tid), frame: 2, mode: .exclusive, rung: rung, strength: .run, releasedAt: Address(1),
        scopeEndsAt: Address(1), scopeEndIsReturnAddress: false)
    }
    let word = LockWord(
      address: Address(0x5000), type: .mutex, recordsOwner: false, isTaken: true, description: "locked", byteCount: 4,
      library: .rustStd)
    func answer(_ holds: [FoundHold], _ dismissed: [FoundHold]) -> FoundHolders {
      FoundHolders(
        lock: word.address, holds: holds, check: .confirmed, dismissed: dismissed, doubtful: [], unansweredFrames: 0)
    }
    #expect(HolderLadder.contradictions(answer([hold(1, .landingPad)], [hold(1, .forwardRun)]), word) == [])
    let told = HolderLadder.contradictions(
      answer([hold(1, .landingPad)], [hold(2, .forwardRun), hold(2, .forwardRun)]), word)
    #expect(
      told == [
        "holders: mutex 0x5000 would also be released by frames of thread 2 (forward-run, exclusive); its word (locked) "
          + "contradicts that, so they are not claimed."
      ])
    let many = HolderLadder.contradictions(answer([], (1...6).map { hold($0, .forwardRun) }), word)
    #expect(many.first?.contains("thread 4 (forward-run, exclusive), and 2 more;") == true)
  }
}
