import Glibc
import LockjawGraph
import LockjawInspect
import LockjawModel
import LockjawTestPrograms
import Testing

@testable import LockjawDiagnosis

/// A program whose threads each wait for something else, in a process without the shim.
@Suite("Waits of a process that was never preloaded")
struct SnapshotWaitTests {
  private static let source = """
    #define _GNU_SOURCE
    #include <pthread.h>
    #include <semaphore.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/syscall.h>
    #include <linux/futex.h>
    #include <time.h>
    #include <unistd.h>
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, robust, inherit, cond_mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_rwlock_t written, read_by_main, writers_first;
    static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    static sem_t sem;
    static pthread_barrier_t barrier;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static unsigned word;
    static struct timespec never = {.tv_sec = 4000000000};
    static pthread_t main_thread;
    static void forever(void) { for (;;) pause(); }
    static void *run(void *name) {
      const char *n = name;
      pthread_setname_np(pthread_self(), n);
      if (!strcmp(n, "mutex")) pthread_mutex_lock(&mutex);
      if (!strcmp(n, "timedmutex")) pthread_mutex_timedlock(&mutex, &never);
      if (!strcmp(n, "robust")) pthread_mutex_lock(&robust);
      if (!strcmp(n, "inherit")) pthread_mutex_lock(&inherit);
      if (!strcmp(n, "reader")) pthread_rwlock_rdlock(&written);
      if (!strcmp(n, "timedreader")) pthread_rwlock_timedrdlock(&written, &never);
      if (!strcmp(n, "writer")) pthread_rwlock_wrlock(&read_by_main);
      if (!strcmp(n, "writer2")) pthread_rwlock_wrlock(&written);
      if (!strcmp(n, "first")) pthread_rwlock_wrlock(&writers_first);
      if (!strcmp(n, "behind")) pthread_rwlock_rdlock(&writers_first);
      if (!strcmp(n, "cond")) { pthread_mutex_lock(&cond_mutex); pthread_cond_wait(&cond, &cond_mutex); }
      if (!strcmp(n, "sem")) sem_wait(&sem);
      if (!strcmp(n, "barrier")) pthread_barrier_wait(&barrier);
      if (!strcmp(n, "once1") || !strcmp(n, "once2")) pthread_once(&once, forever);
      if (!strcmp(n, "join")) pthread_join(main_thread, NULL);
      if (!strcmp(n, "futex")) syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
      forever();
      return NULL;
    }
    static void await(pid_t tid) {
      char path[64], line[64] = "";
      snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
      do { FILE *f = fopen(path, "r"); if (f) { if (!fgets(line, sizeof line, f)) line[0] = 'r'; fclose(f); } usleep(1000); }
      while (line[0] < '0' || line[0] > '9');
    }
    static pid_t newest; static pthread_barrier_t started;
    static void *begin(void *name) { newest = gettid(); pthread_barrier_wait(&started); return run(name); }
    int main(void) {
      main_thread = pthread_self();
      pthread_barrier_init(&started, NULL, 2);
      pthread_mutexattr_t a; pthread_mutexattr_init(&a);
      pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST); pthread_mutex_init(&robust, &a);
      pthread_mutexattr_init(&a); pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT); pthread_mutex_init(&inherit, &a);
      pthread_rwlockattr_t r; pthread_rwlockattr_init(&r); pthread_rwlock_init(&written, &r); pthread_rwlock_init(&read_by_main, &r);
      pthread_rwlockattr_setkind_np(&r, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP); pthread_rwlock_init(&writers_first, &r);
      sem_init(&sem, 0, 0); pthread_barrier_init(&barrier, NULL, 2);
      pthread_mutex_lock(&mutex); pthread_mutex_lock(&robust); pthread_mutex_lock(&inherit);
      pthread_rwlock_wrlock(&written); pthread_rwlock_rdlock(&read_by_main); pthread_rwlock_rdlock(&writers_first);
      const char *names[] = {"mutex", "timedmutex", "robust", "inherit", "reader", "timedreader", "writer", "writer2", "first",
        "behind", "cond", "sem", "barrier", "once1", "once2", "join", "futex"};
      for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        pthread_t t; pthread_create(&t, NULL, begin, (void *)names[i]);
        pthread_barrier_wait(&started); usleep(1000); await(newest);
      }
      printf("mutex %p robust %p inherit %p written %p read_by_main %p writers_first %p cond %p sem %p barrier %p once %p "
        "word %p main %p\\n", (void *)&mutex, (void *)&robust, (void *)&inherit, (void *)&written, (void *)&read_by_main,
        (void *)&writers_first, (void *)&cond, (void *)&sem, (void *)&barrier, (void *)&once, (void *)&word, (void *)main_thread);
      fflush(stdout);
      forever();
    }
    """

  private struct Expected {
    var type: LockType
    var mode: LockMode
    var object: String
    var hasLimit = false
  }
  private static let expected: [String: Expected] = [
    "mutex": .init(type: .mutex, mode: .exclusive, object: "mutex"),
    "timedmutex": .init(type: .mutex, mode: .exclusive, object: "mutex", hasLimit: true),
    "robust": .init(type: .mutex, mode: .exclusive, object: "robust"),
    "inherit": .init(type: .mutex, mode: .exclusive, object: "inherit"),
    "reader": .init(type: .rwlock, mode: .read, object: "written"),
    "timedreader": .init(type: .rwlock, mode: .read, object: "written", hasLimit: true),
    "writer": .init(type: .rwlock, mode: .write, object: "read_by_main"),
    "writer2": .init(type: .rwlock, mode: .write, object: "written"),
    "first": .init(type: .rwlock, mode: .write, object: "writers_first"),
    "behind": .init(type: .rwlock, mode: .read, object: "writers_first"),
    "cond": .init(type: .condition, mode: .signal, object: "cond"),
    "sem": .init(type: .semaphore, mode: .exclusive, object: "sem"),
    "barrier": .init(type: .barrier, mode: .signal, object: "barrier"),
    "once2": .init(type: .once, mode: .exclusive, object: "once"),
    "join": .init(type: .join, mode: .signal, object: "main"),
    "futex": .init(type: .futex, mode: .signal, object: "word"),
  ]

  private let running: RunningProgram
  private let program: Program
  private let process: LiveProcess
  private let addresses: [String: Address]

  private init(flags: [String]) throws {
    program = try Program(.c, name: "waits", flags: flags, source: Self.source)
    running = try RunningProgram(program)
    let words = try running.readLine().split(separator: " ").map { String($0) }
    addresses = Dictionary(
      uniqueKeysWithValues: stride(from: 0, to: words.count - 1, by: 2).map {
        (words[$0], Address(UInt64(words[$0 + 1].dropFirst(2), radix: 16) ?? 0))
      })
    process = try LiveProcess(pid: running.pid)
  }

  init() throws { try self.init(flags: ["-g", "-O0"]) }

  private func check(_ target: SnapshotTarget, _ source: String) {
    let threads = Examination.glance(target).threads
    #expect(threads.count == Self.expected.count + 2, "\(source)")
    for thread in threads {
      guard let expected = Self.expected[thread.name] else {
        // The main thread pauses, and so does who runs the once function.
        #expect(thread.wait == nil, "\(source): \(thread.name)")
        continue
      }
      guard let wait = thread.wait else {
        Issue.record("\(source): no wait was seen of \(thread.name)")
        continue
      }
      #expect(
        wait.type == expected.type && wait.mode == expected.mode,
        "\(source): \(thread.name) is \(wait.type) \(wait.mode)")
      #expect(wait.object == addresses[expected.object], "\(source): \(thread.name)")
      #expect((wait.deadline != nil) == expected.hasLimit, "\(source): \(thread.name)")
      if thread.name == "join" { #expect(wait.companion.rawValue == UInt64(running.pid), "\(source)") }
    }
  }

  @Test("Every kind of pthread wait is known by function and word, in a stopped process and in its minicore")
  func kinds() throws {
    let snapshot = try Snapshot.take(pid: running.pid)
    check(SnapshotTarget(running: snapshot, process: process), "live")
    #expect(
      RunningProgram.wait {
        process.threads.allSatisfy { if case .running = process.kernelState(of: $0.tid) { false } else { true } }
      })
    // The first stop has interrupted the waits with a time limit: they go on as restart_syscall.
    check(SnapshotTarget(running: try Snapshot.take(pid: running.pid), process: process), "again")
    let path = program.directory.path + "/mini"
    _ = try Minicore(snapshot, of: process).write(to: path)
    check(SnapshotTarget(core: try CoreFile(path: path)), "minicore")
  }

  @Test("Waits are seen without symbols of the program, with optimised code and without stopping it")
  func stripped() throws {
    let other = try Self(flags: ["-O2", "-s"])
    other.check(
      SnapshotTarget(running: try Snapshot.take(pid: other.running.pid), process: other.process), "stripped")
    // Threads that were stopped run for a moment before they sleep again; what runs cannot be read without stopping it.
    let clock = ContinuousClock()
    let limit = clock.now + .seconds(10)
    while clock.now < limit, other.process.threadIDs.contains(where: { other.process.kernelState(of: $0) == .running })
    {
      usleep(1000)
    }
    other.check(
      SnapshotTarget(running: try Snapshot.takeWithoutStopping(pid: other.running.pid), process: other.process),
      "not stopped")
  }

  @Test("Holders come from the words: a mutex' owner, an rwlock's writer, a joined thread; a reader has no name")
  func holders() throws {
    let target = SnapshotTarget(running: try Snapshot.take(pid: running.pid), process: process)
    let examination = Examination(Examination.glance(target), arena: nil, target: target, stall: 10)
    let main = ThreadID(running.pid)
    var holders: [String: [ThreadID]] = [:]
    var evidence: [String: HolderEvidence] = [:]
    for edge in examination.graph.edges {
      let name = examination.threads.first { $0.tid == edge.waiter }?.name ?? ""
      (holders[name], evidence[name]) = (edge.holders, edge.evidence)
    }
    for name in ["mutex", "timedmutex", "robust", "inherit", "reader", "writer2", "join"] {
      #expect(holders[name] == [main], "\(name)")
    }
    for name in ["mutex", "robust", "inherit", "reader", "writer2"] {
      #expect(evidence[name] == .ownerField, "\(name)")
    }
    #expect(holders["writer"] == [])
    let first = examination.threads.first { $0.name == "first" }?.tid
    #expect(holders["behind"] == [first].compactMap { $0 })
    #expect(holders["once2"] == [])
    #expect(examination.words[addresses["read_by_main"] ?? Address(0)]?.readerCount == 1)
  }

  @Test("A name alone is not believed: a word in no plausible object is a plain futex")
  func implausible() {
    func decoded(_ names: [String], _ bytes: UInt8) -> DecodedWait {
      let memory = MemoryImage(base: Address(0xF00), bytes: [UInt8](repeating: bytes, count: 0x400))
      return WaitDecoder(memory: memory).decode(
        SleepingThread(
          tid: ThreadID(1),
          futex: FutexWait(word: Address(0x1000), operation: 0x80, expected: 2, hasTimeLimit: false),
          stack: names.map {
            Frame(
              function: $0, module: $0 == "main" ? "program" : "libc.so.6", offset: 0, isPlumbing: $0 != "main")
          }, stackPointer: Address(0x7000)))
    }
    for name in ["pthread_mutex_lock", "__pthread_rwlock_rdlock", "pthread_rwlock_wrlock"] {
      #expect(decoded([name], 0xA5).library == .unknown)
    }
    let mutex = decoded(["__lll_lock_wait", "___pthread_mutex_lock"], 0)
    #expect(mutex.type == .mutex && mutex.library == .glibc && mutex.lock == Address(0x1000))
    #expect(decoded(["__lll_lock_wait_private", "malloc"], 0).library == .unknown)
    #expect(decoded([], 0).library == .unknown)
  }

  @Test("A glibc function counts where it sleeps itself, not where what it called does")
  func outerFunction() {
    let memory = MemoryImage(base: Address(0xF00), bytes: [UInt8](repeating: 0, count: 0x400))
    func library(_ frames: [(name: String, isPlumbing: Bool)]) -> LockLibrary {
      WaitDecoder(memory: memory).decode(
        SleepingThread(
          tid: ThreadID(1), futex: FutexWait(word: Address(0x1000), operation: 0, expected: 1, hasTimeLimit: false),
          stack: frames.map {
            Frame(
              function: $0.name, module: $0.isPlumbing ? "libc.so.6" : "program", offset: 0, isPlumbing: $0.isPlumbing)
          }, stackPointer: Address(0x7000))
      ).library
    }
    #expect(library([("__futex_wait", true), ("__pthread_once_slow", true), ("main", false)]) == .glibc)
    #expect(library([("syscall", true), ("initialise", false), ("__pthread_once_slow", true)]) == .unknown)
    // Inlined into the library, without a frame of the program's between: still another's call.
    #expect(library([("syscall", true), ("__pthread_once_slow", true)]) == .unknown)
  }
}
