extension WaitPrograms {
  /// Runs on glibc and musl alike.
  static let pthreadSource = #"""
    #define _GNU_SOURCE
    #include <pthread.h>
    #include <semaphore.h>
    #include <stdio.h>
    #include <sys/syscall.h>
    #include <unistd.h>

    static pthread_mutex_t before, mutex = PTHREAD_MUTEX_INITIALIZER, checked, own = PTHREAD_MUTEX_INITIALIZER;
    static pthread_rwlock_t read_locked = PTHREAD_RWLOCK_INITIALIZER, written = PTHREAD_RWLOCK_INITIALIZER;
    static sem_t semaphore;
    static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    static volatile int started;

    static int tid(void) { return (int)syscall(SYS_gettid); }
    static void *lock(void *x) { started = tid(); pthread_mutex_lock(x); return 0; }
    static void *rdlock(void *x) { started = tid(); pthread_rwlock_rdlock(x); return 0; }
    static void *wrlock(void *x) { started = tid(); pthread_rwlock_wrlock(x); return 0; }
    static void *take(void *x) { started = tid(); sem_wait(x); return 0; }
    static void *join(void *x) { started = tid(); pthread_join(*(pthread_t *)x, 0); return 0; }
    static void *wait_for(void *x) {
      started = tid();
      pthread_mutex_lock(&own);
      for (;;) pthread_cond_wait(x, &own);
    }

    static pthread_t start(const char *label, const char *kind, void *x, void *(*body)(void *), void *address) {
      pthread_t thread;
      started = 0;
      pthread_create(&thread, 0, body, x);
      while (!started) usleep(100);
      printf("%s %s %lx %d\n", label, kind, (long)address, started);
      return thread;
    }

    int main(void) {
      alarm(120);
      pthread_mutexattr_t attributes;
      pthread_mutexattr_init(&attributes);
      pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
      pthread_mutex_init(&checked, &attributes);
      pthread_mutex_init(&before, 0);
      pthread_mutex_lock(&mutex);
      pthread_mutex_lock(&checked);
      pthread_rwlock_rdlock(&read_locked);
      pthread_rwlock_rdlock(&read_locked);
      pthread_rwlock_wrlock(&written);
      sem_init(&semaphore, 0, 0);
      static pthread_t first;
      first = start("mutex", "mutex exclusive", &mutex, lock, &mutex);
      start("checked", "mutex exclusive", &checked, lock, &checked);
      start("read", "rwlock read", &written, rdlock, &written);
      start("write", "rwlock write", &read_locked, wrlock, &read_locked);
      start("semaphore", "semaphore exclusive", &semaphore, take, &semaphore);
      start("condition", "condition signal", &condition, wait_for, &condition);
      start("join", "join signal", &first, join, 0);
      puts("end");
      fflush(stdout);
      for (;;) pause();
    }
    """#

  static let abseilSource = #"""
    #include <absl/synchronization/mutex.h>

    #include <atomic>
    #include <cstdio>
    #include <thread>
    #include <unistd.h>

    static absl::Mutex locked, read_locked, written, own, awaited;
    static absl::CondVar condition;
    static bool never;

    template <class Body> static void start(const char *label, const char *kind, void *address, Body body) {
      std::atomic<int> tid{0};
      std::thread([&tid, body] { tid = gettid(); body(); }).detach();
      while (!tid) usleep(100);
      std::printf("%s %s %lx %d\n", label, kind, (long)address, tid.load());
    }

    int main() {
      alarm(120);
      locked.Lock();
      read_locked.ReaderLock();
      written.WriterLock();
      std::thread([] { read_locked.ReaderLock(); }).join();
      start("first", "rwlock write", &locked, [] { locked.Lock(); });
      start("second", "rwlock write", &locked, [] { locked.Lock(); });
      start("write", "rwlock write", &read_locked, [] { read_locked.WriterLock(); });
      start("read", "rwlock read", &written, [] { written.ReaderLock(); });
      start("condition", "condition signal", &condition, [] { own.Lock(); while (!never) condition.Wait(&own); });
      start("await", "condition signal", &awaited, [] { awaited.LockWhen(absl::Condition(&never)); });
      std::puts("end");
      std::fflush(stdout);
      for (;;) pause();
    }
    """#

  static let cxxSource = #"""
    #include <atomic>
    #include <cstdio>
    #include <mutex>
    #include <semaphore>
    #include <shared_mutex>
    #include <thread>
    #include <unistd.h>

    static std::mutex mutex;
    static std::shared_mutex shared;
    static std::atomic<bool> inside;
    static int slow() { inside = true; for (;;) pause(); }
    static void *guarded() { static int value = slow(); return &value; }

    template <class Body> static void start(const char *label, const char *kind, void *address, Body body) {
      std::atomic<int> tid{0};
      std::thread([&tid, body] { tid = gettid(); body(); }).detach();
      while (!tid) usleep(100);
      std::printf("%s %s %lx %d\n", label, kind, (long)address, tid.load());
    }

    int main() {
      alarm(120);
      mutex.lock();
      shared.lock_shared();
      std::thread([] { guarded(); }).detach();
      while (!inside) usleep(100);
      start("mutex", "mutex exclusive", &mutex, [] { mutex.lock(); });
      start("write", "rwlock write", &shared, [] { shared.lock(); });
      start("guard", "once exclusive", nullptr, [] { guarded(); });
      std::puts("end");
      std::fflush(stdout);
      for (;;) pause();
    }
    """#

  static let libcxxSource = #"""
    #include <atomic>
    #include <cstdio>
    #include <latch>
    #include <semaphore>
    #include <thread>
    #include <unistd.h>

    static std::atomic<int> number{7};
    static std::atomic<bool> boolean{false};
    static std::atomic_flag flag;
    static std::latch latch{5};
    static std::counting_semaphore<9> semaphore{0};

    template <class Body> static void start(const char *label, const void *address, Body body) {
      std::atomic<int> tid{0};
      std::thread([&tid, body] { tid = gettid(); body(); }).detach();
      while (!tid) usleep(100);
      std::printf("%s futex signal %lx %d\n", label, (long)address, tid.load());
    }

    int main() {
      alarm(120);
      start("int", &number, [] { number.wait(7); });
      start("bool", nullptr, [] { boolean.wait(false); });
      start("flag", nullptr, [] { flag.wait(false); });
      start("latch", nullptr, [] { latch.wait(); });
      start("semaphore", nullptr, [] { semaphore.acquire(); });
      std::puts("end");
      std::fflush(stdout);
      for (;;) pause();
    }
    """#

  /// A class has two words before its first stored property.
  static let swiftSource = #"""
    import Glibc
    import Synchronization

    final class Account: Sendable { let balance = Mutex(0) }
    let account = Account()
    let waiter = Atomic<Int32>(0)

    // A closure written inside main would belong to the main actor, and trap on another thread.
    func startWaiter() {
      var other = pthread_t()
      pthread_create(&other, nil, { _ in
        waiter.store(Int32(gettid()), ordering: .releasing)
        account.balance.withLock { $0 += 1 }
        return nil
      }, nil)
    }

    @main struct Waits {
      static func main() {
        alarm(120)
        let word = UInt(bitPattern: Unmanaged.passUnretained(account).toOpaque()) + 16
        account.balance.withLock { _ in
          startWaiter()
          while waiter.load(ordering: .acquiring) == 0 { usleep(100) }
          print("mutex pi-futex exclusive \(String(word, radix: 16)) \(waiter.load(ordering: .acquiring))")
          print("end")
          fflush(nil)
          while true { pause() }
        }
      }
    }
    """#
}
