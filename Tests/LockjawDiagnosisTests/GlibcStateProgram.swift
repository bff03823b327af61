import Foundation
import LockjawModel

/// Real glibc objects in known states: a C program brings each into its state and prints its own bytes, one line per
/// object: label, type, thread id of the main thread, thread id of the other thread in the scene (0: none), bytes.
struct GlibcStateProgram {
  struct Object {
    var type: LockType
    var main: ThreadID
    var other: ThreadID
    var bytes: [UInt8]
  }

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// By label. Compiled and run once per test run.
  static let objects = Result { try run() }

  private static func run() throws -> [String: Object] {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("lockjaw-glibc-\(ProcessInfo.processInfo.processIdentifier)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let code = directory.appendingPathComponent("states.c")
    let program = directory.appendingPathComponent("states")
    try source.write(to: code, atomically: true, encoding: .utf8)
    _ = try output(of: "/usr/bin/env", ["cc", "-Wall", "-Werror", "-O1", "-pthread", code.path, "-o", program.path])
    // The program ends itself by alarm(2) should a state never come.
    return try parse(output(of: program.path, []))
  }

  private static func output(of path: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0, process.terminationReason == .exit else {
      throw Failure(description: "\(path) \(arguments) ended with status \(process.terminationStatus).")
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func parse(_ output: String) throws -> [String: Object] {
    var objects: [String: Object] = [:]
    for line in output.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count == 5, let type = LockType(rawValue: String(fields[1])), let main = Int32(fields[2]),
        let other = Int32(fields[3])
      else { throw Failure(description: "A line that is none of ours: \(line)") }
      let digits = Array(fields[4].utf8)
      let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
        UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
      }
      objects[String(fields[0])] = Object(type: type, main: ThreadID(main), other: ThreadID(other), bytes: bytes)
    }
    return objects
  }

  private static let source = #"""
    #define _GNU_SOURCE
    #include <errno.h>
    #include <fcntl.h>
    #include <linux/futex.h>
    #include <pthread.h>
    #include <semaphore.h>
    #include <stdatomic.h>
    #include <stdint.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/syscall.h>
    #include <unistd.h>

    static int mytid(void) { return (int)syscall(SYS_gettid); }

    static void dump(const char *label, const char *type, int other, const void *object, size_t bytes) {
      printf("%s %s %d %d ", label, type, getpid(), other);
      for (size_t i = 0; i < bytes; i++) printf("%02x", ((const unsigned char *)object)[i]);
      printf("\n");
    }

    // A thread that runs `act(object)` and tells its id; the scene waits until the kernel shows it in a futex call.
    struct actor { void *(*act)(void *); void *object; atomic_int tid; pthread_t thread; };
    static void *enter(void *p) {
      struct actor *a = p;
      atomic_store(&a->tid, mytid());
      return a->act(a->object);
    }
    static int start(struct actor *a, void *(*act)(void *), void *object) {
      a->act = act; a->object = object; atomic_store(&a->tid, 0);
      if (pthread_create(&a->thread, NULL, enter, a)) abort();
      while (!atomic_load(&a->tid)) sched_yield();
      return atomic_load(&a->tid);
    }
    static int start_and_block(struct actor *a, void *(*act)(void *), void *object) {
      int tid = start(a, act, object);
      char path[64], line[64];
      snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
      for (;;) {
        int fd = open(path, O_RDONLY);
        ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
        if (fd >= 0) close(fd);
        line[n > 0 ? n : 0] = 0;
        if (!strncmp(line, "202 ", 4)) return tid;
        sched_yield();
      }
    }
    static void finish(struct actor *a) { pthread_join(a->thread, NULL); }

    static void *lock_mutex(void *m) { pthread_mutex_lock(m); return NULL; }
    static void *lock_unlock(void *m) { pthread_mutex_lock(m); pthread_mutex_unlock(m); return NULL; }
    static void *read_unlock(void *l) { pthread_rwlock_rdlock(l); pthread_rwlock_unlock(l); return NULL; }
    static void *write_unlock(void *l) { pthread_rwlock_wrlock(l); pthread_rwlock_unlock(l); return NULL; }
    static void *sem_wait_(void *s) { sem_wait(s); return NULL; }
    static void *barrier_wait_(void *b) { pthread_barrier_wait(b); return NULL; }

    static void mutex_init(pthread_mutex_t *m, int type, int robust, int protocol, int shared) {
      pthread_mutexattr_t a;
      pthread_mutexattr_init(&a);
      pthread_mutexattr_settype(&a, type);
      pthread_mutexattr_setrobust(&a, robust);
      pthread_mutexattr_setprotocol(&a, protocol);
      pthread_mutexattr_setpshared(&a, shared);
      if (pthread_mutex_init(m, &a)) abort();
    }

    static void mutexes(void) {
      struct actor a;
      pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
      dump("mutex-free", "mutex", 0, &m, sizeof m);
      pthread_mutex_lock(&m);
      dump("mutex-locked", "mutex", 0, &m, sizeof m);
      int tid = start_and_block(&a, lock_unlock, &m);
      dump("mutex-contended", "mutex", tid, &m, sizeof m);
      pthread_mutex_unlock(&m);
      finish(&a);
      dump("mutex-released", "mutex", 0, &m, sizeof m);
      pthread_mutex_destroy(&m);
      dump("mutex-destroyed", "mutex", 0, &m, sizeof m);

      mutex_init(&m, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, PTHREAD_PROCESS_PRIVATE);
      tid = start(&a, lock_mutex, &m);
      finish(&a);
      dump("mutex-owner-exited", "mutex", tid, &m, sizeof m);

      static const struct { const char *name; int type; } types[] = {
        {"recursive", PTHREAD_MUTEX_RECURSIVE}, {"errorcheck", PTHREAD_MUTEX_ERRORCHECK},
        {"adaptive", PTHREAD_MUTEX_ADAPTIVE_NP}};
      for (int i = 0; i < 3; i++) {
        char label[32];
        mutex_init(&m, types[i].type, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, PTHREAD_PROCESS_PRIVATE);
        pthread_mutex_lock(&m);
        if (i == 0) { pthread_mutex_lock(&m); pthread_mutex_lock(&m); }
        snprintf(label, sizeof label, "mutex-%s", types[i].name);
        dump(label, "mutex", 0, &m, sizeof m);
      }
      mutex_init(&m, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE, PTHREAD_PROCESS_SHARED);
      pthread_mutex_lock(&m);
      dump("mutex-shared", "mutex", 0, &m, sizeof m);
      mutex_init(&m, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_PROTECT, PTHREAD_PROCESS_PRIVATE);
      dump("mutex-protected-free", "mutex", 0, &m, sizeof m);
      if (pthread_mutex_lock(&m) == 0) dump("mutex-protected", "mutex", 0, &m, sizeof m);

      static pthread_mutex_t robust;
      mutex_init(&robust, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE, PTHREAD_PROCESS_PRIVATE);
      pthread_mutex_lock(&robust);
      tid = start_and_block(&a, lock_unlock, &robust);
      dump("robust-contended", "mutex", tid, &robust, sizeof robust);
      pthread_mutex_unlock(&robust);
      finish(&a);
      tid = start(&a, lock_mutex, &robust);
      finish(&a);
      dump("robust-owner-died", "mutex", tid, &robust, sizeof robust);
      if (pthread_mutex_lock(&robust) != EOWNERDEAD) abort();
      dump("robust-inconsistent", "mutex", tid, &robust, sizeof robust);
      pthread_mutex_unlock(&robust);
      if (pthread_mutex_lock(&robust) != ENOTRECOVERABLE) abort();
      dump("robust-not-recoverable", "mutex", 0, &robust, sizeof robust);

      static pthread_mutex_t pi;
      mutex_init(&pi, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT, PTHREAD_PROCESS_PRIVATE);
      pthread_mutex_lock(&pi);
      dump("pi-locked", "mutex", 0, &pi, sizeof pi);
      tid = start_and_block(&a, lock_unlock, &pi);
      dump("pi-contended", "mutex", tid, &pi, sizeof pi);
      pthread_mutex_unlock(&pi);
      finish(&a);
      tid = start(&a, lock_mutex, &pi);
      finish(&a);
      dump("pi-owner-exited", "mutex", tid, &pi, sizeof pi);
    }

    static void rwlock_init(pthread_rwlock_t *l, int kind) {
      pthread_rwlockattr_t a;
      pthread_rwlockattr_init(&a);
      pthread_rwlockattr_setkind_np(&a, kind);
      if (pthread_rwlock_init(l, &a)) abort();
    }

    static void rwlocks(void) {
      static const struct { const char *name; int kind; } kinds[] = {
        {"default", PTHREAD_RWLOCK_PREFER_READER_NP}, {"writer", PTHREAD_RWLOCK_PREFER_WRITER_NP},
        {"nonrecursive", PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP}};
      char label[64];
      for (int i = 0; i < 3; i++) {
        struct actor writer, second, reader;
        pthread_rwlock_t l;
        rwlock_init(&l, kinds[i].kind);
    #define SHOW(state, tid) (snprintf(label, sizeof label, "rwlock-%s-%s", kinds[i].name, state), \
                              dump(label, "rwlock", tid, &l, sizeof l))
        SHOW("free", 0);
        pthread_rwlock_rdlock(&l);
        SHOW("read", 0);
        pthread_rwlock_rdlock(&l);
        SHOW("read-twice", 0);
        int tid = start_and_block(&writer, write_unlock, &l);
        SHOW("writer-pending", tid);
        if (kinds[i].kind == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) {
          tid = start_and_block(&reader, read_unlock, &l);
          SHOW("reader-behind-pending-writer", tid);
        }
        pthread_rwlock_unlock(&l);
        pthread_rwlock_unlock(&l);
        finish(&writer);
        if (kinds[i].kind == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) finish(&reader);
        pthread_rwlock_wrlock(&l);
        SHOW("written", 0);
        tid = start_and_block(&reader, read_unlock, &l);
        SHOW("reader-behind-writer", tid);
        tid = start_and_block(&second, write_unlock, &l);
        SHOW("writer-behind-writer", tid);
        pthread_rwlock_unlock(&l);
        finish(&reader);
        finish(&second);
        pthread_rwlock_wrlock(&l);
        pthread_rwlock_unlock(&l);
        SHOW("free-in-write-phase", 0);
      }
    }

    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static void run_once(void) { dump("once-in-progress", "once", 0, &once, sizeof once); }

    static pthread_mutex_t cond_mutex = PTHREAD_MUTEX_INITIALIZER;
    static int cond_go;
    static void *cond_wait_(void *c) {
      pthread_mutex_lock(&cond_mutex);
      while (!cond_go) pthread_cond_wait(c, &cond_mutex);
      pthread_mutex_unlock(&cond_mutex);
      return NULL;
    }

    static void others(void) {
      struct actor a, b;
      sem_t s;
      sem_init(&s, 0, 2);
      dump("sem-two", "semaphore", 0, &s, sizeof s);
      sem_wait(&s);
      sem_wait(&s);
      dump("sem-zero", "semaphore", 0, &s, sizeof s);
      int tid = start_and_block(&a, sem_wait_, &s);
      dump("sem-waiter", "semaphore", tid, &s, sizeof s);
      sem_post(&s);
      finish(&a);

      pthread_spinlock_t spin;
      pthread_spin_init(&spin, 0);
      dump("spin-free", "spinlock", 0, (const void *)&spin, sizeof spin);
      pthread_spin_lock(&spin);
      if (pthread_spin_trylock(&spin) != EBUSY) abort();
      dump("spin-locked", "spinlock", 0, (const void *)&spin, sizeof spin);

      pthread_barrier_t barrier;
      pthread_barrier_init(&barrier, NULL, 2);
      tid = start_and_block(&a, barrier_wait_, &barrier);
      dump("barrier-one-of-two", "barrier", tid, &barrier, sizeof barrier);
      pthread_barrier_wait(&barrier);
      finish(&a);

      pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
      dump("cond-idle", "condition", 0, &cond, sizeof cond);
      start_and_block(&a, cond_wait_, &cond);
      tid = start_and_block(&b, cond_wait_, &cond);
      dump("cond-two-waiters", "condition", tid, &cond, sizeof cond);
      pthread_mutex_lock(&cond_mutex);
      cond_go = 1;
      pthread_cond_broadcast(&cond);
      pthread_mutex_unlock(&cond_mutex);
      finish(&a);
      finish(&b);

      dump("once-fresh", "once", 0, &once, sizeof once);
      pthread_once(&once, run_once);
      dump("once-done", "once", 0, &once, sizeof once);

      static uint32_t word;
      syscall(SYS_futex, &word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
      dump("pi-futex-locked", "pi-futex", 0, &word, sizeof word);
    }

    int main(void) {
      alarm(30);
      mutexes();
      rwlocks();
      others();
      return 0;
    }
    """#
}
