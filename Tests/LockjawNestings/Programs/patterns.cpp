// The C++ twin of patterns.rs, over several kinds of lock: one thread for each way a guard can be kept, all asleep for
// good. See patterns.rs for the protocol. With -DABSEIL the locks are absl::Mutex instead.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <linux/futex.h>
#include <memory>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <shared_mutex>
#include <string>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>
#ifdef ABSEIL
#include "absl/synchronization/mutex.h"
#endif

namespace patterns {
std::atomic<int> asleep{0};

// A call that can throw, as far as the compiler knows, and never comes back.
__attribute__((noinline)) int never() {
  asleep++;
  for (;;) pause();
}
int (*volatile never_at)() = never;
__attribute__((noinline)) int sleeps() { return never_at() + 1; }

#ifdef ABSEIL
struct Lock {
  absl::Mutex mutex;
  static constexpr const char *kind = "abseilMutex", *mode = "write";
  void *word() { return &mutex; }
  void lock() { mutex.Lock(); }
  void unlock() { mutex.Unlock(); }
  bool try_lock() { return mutex.TryLock(); }
  void lock_shared() { mutex.ReaderLock(); }
  void unlock_shared() { mutex.ReaderUnlock(); }
};
using Shared = Lock;
#else
struct Plain {
  std::mutex mutex;
  static constexpr const char *kind = "glibcMutex", *mode = "exclusive";
  void *word() { return mutex.native_handle(); }
  void lock() { mutex.lock(); }
  void unlock() { mutex.unlock(); }
  bool try_lock() { return mutex.try_lock(); }
};
// Drepper, "Futexes are tricky", the second mutex.
struct Futex {
  std::atomic<int> state{0};
  static constexpr const char *kind = "futexWord", *mode = "exclusive";
  void *word() { return &state; }
  bool try_lock() {
    int free = 0;
    return state.compare_exchange_strong(free, 1);
  }
  void lock() {
    int seen = 0;
    if (state.compare_exchange_strong(seen, 1)) return;
    if (seen != 2) seen = state.exchange(2);
    while (seen != 0) {
      syscall(SYS_futex, &state, FUTEX_WAIT_PRIVATE, 2, nullptr, nullptr, 0);
      seen = state.exchange(2);
    }
  }
  void unlock() {
    if (state.fetch_sub(1) != 1) {
      state = 0;
      syscall(SYS_futex, &state, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }
  }
};
// What C++20 offers for the same.
struct Atomic {
  std::atomic<int> state{0};
  static constexpr const char *kind = "futexWord", *mode = "exclusive";
  void *word() { return &state; }
  bool try_lock() { return state.exchange(1) == 0; }
  void lock() {
    while (state.exchange(1) != 0) state.wait(1);
  }
  void unlock() {
    state.store(0);
    state.notify_one();
  }
};
struct Shared {
  std::shared_mutex mutex;
  static constexpr const char *kind = "glibcRwlock", *mode = "write";
  void *word() { return mutex.native_handle(); }
  void lock() { mutex.lock(); }
  void unlock() { mutex.unlock(); }
  void lock_shared() { mutex.lock_shared(); }
  void unlock_shared() { mutex.unlock_shared(); }
};
#endif

template <class M> struct Session {
  std::string name;
  std::unique_lock<M> guard;
};

#define PATTERN template <class M> __attribute__((noinline)) int

PATTERN scope(M &lock) {
  std::lock_guard<M> guard(lock);
  return sleeps();
}
PATTERN middle(M &lock) {
  std::string text(reinterpret_cast<unsigned long>(&lock) % 40, 'x');
  return sleeps() + static_cast<int>(text.size());
}
PATTERN outer(M &lock) {
  std::lock_guard<M> guard(lock);
  return middle(lock) + 1;
}
PATTERN boxed(M &lock) {
  auto session = std::make_unique<Session<M>>(Session<M>{"session", std::unique_lock<M>(lock)});
  return sleeps() + static_cast<int>(session->name.size());
}
PATTERN vector(M &lock) {
  std::vector<std::unique_lock<M>> guards;
  guards.emplace_back(lock);
  return sleeps() + static_cast<int>(guards.size());
}
PATTERN optional(M &lock) {
  std::optional<std::unique_lock<M>> guard;
  if (asleep < 1000) guard.emplace(lock);
  return sleeps() + guard.has_value();
}
template <class M> __attribute__((noinline)) int moved_into(std::unique_lock<M> guard) {
  return sleeps() + guard.owns_lock();
}
PATTERN moves(M &lock) {
  std::unique_lock<M> guard(lock);
  return moved_into<M>(std::move(guard)) + guard.owns_lock();
}
PATTERN unlocked(M &lock) {
  std::unique_lock<M> guard(lock);
  guard.unlock();
  return sleeps() + guard.owns_lock();
}
PATTERN catches(M &lock) {
  std::lock_guard<M> guard(lock);
#if __cpp_exceptions
  try {
    return sleeps();
  } catch (...) {
    return 7;
  }
#else
  return sleeps();
#endif
}
PATTERN loop_exit(M &lock) {
  std::lock_guard<M> guard(lock);
  for (int n = 0;; n += sleeps())
    if (n > 3) return n;
}
PATTERN loop_ever(M &lock) {
  std::lock_guard<M> guard(lock);
  for (;;) sleeps();
}
PATTERN closure(M &lock) {
  auto guard = std::make_shared<std::unique_lock<M>>(lock);
  std::function<int()> work = [guard] { return sleeps() + guard->owns_lock(); };
  guard.reset();
  return work() + 1;
}
template <class M> __attribute__((noinline)) void begins(M &lock) { lock.lock(); }
template <class M> __attribute__((noinline)) void ends(M &lock) { lock.unlock(); }
PATTERN by_hand(M &lock) {
  begins(lock);
  int n = sleeps();
  ends(lock);
  return n;
}
PATTERN adopts(M &lock) {
  lock.lock();
  std::lock_guard<M> guard(lock, std::adopt_lock);
  return sleeps();
}
template <class M> __attribute__((noinline)) int both(M &a, M &b) {
  std::scoped_lock guards(a, b);
  return sleeps();
}
PATTERN forgets(M &lock) {
  new std::unique_lock<M>(lock);
  return sleeps();
}
PATTERN thread_local_guard(M &lock) {
  static thread_local std::unique_lock<M> kept;
  kept = std::unique_lock<M>(lock);
  return sleeps();
}
PATTERN self_inner(M &lock) {
  asleep++;
  std::lock_guard<M> guard(lock);
  return 1;
}
PATTERN self_outer(M &lock) {
  std::lock_guard<M> guard(lock);
  return self_inner(lock) + 1;
}
PATTERN after(M &lock) {
  int n = sleeps();
  std::lock_guard<M> guard(lock);
  return n + 1;
}
PATTERN before(M &lock) {
  { std::lock_guard<M> guard(lock); }
  return sleeps();
}
PATTERN reader(M &lock) {
  std::shared_lock<M> guard(lock);
  return middle(lock) + 1;
}
PATTERN writer(M &lock) {
  std::unique_lock<M> guard(lock);
  return middle(lock) + guard.owns_lock();
}
PATTERN upgrades(M &lock) {
  std::shared_lock<M> guard(lock);
  asleep++;
  std::lock_guard<M> second(lock);
  return guard.owns_lock();
}

// Each is started when the one before sleeps: what happens in turn is the same in every run.
void start(const std::string &name, std::function<int()> body) {
  int wanted = asleep + 1;
  std::thread thread([body] { std::exit(body() & 1); });
  pthread_setname_np(thread.native_handle(), name.c_str());
  thread.detach();
  while (asleep < wanted) usleep(200);
}
template <class M> M &holds(const std::string &thread, const char *mode, const char *function) {
  M &lock = *new M;
  std::printf("holds %s %s %lx %s %s\n", thread.c_str(), M::kind, reinterpret_cast<unsigned long>(lock.word()), mode,
              function);
  return lock;
}
template <class M> void awaits(const std::string &thread, M &lock, const char *mode) {
  std::printf("awaits %s %lx %s\n", thread.c_str(), reinterpret_cast<unsigned long>(lock.word()), mode);
}

template <class M> void exclusive(const std::string &prefix) {
  auto one = [&](const char *name, int (*body)(M &), const char *mode = M::mode) {
    M &lock = holds<M>(prefix + name, mode, *mode == 'n' ? "-" : name);
    start(prefix + name, [&lock, body] { return body(lock); });
  };
  one("scope", scope);
  one("outer", outer);
  one("boxed", boxed);
  one("vector", vector);
  one("optional", optional);
  {
    // A parameter is destroyed by the caller (Itanium C++ ABI, 3.1.3): the guard's end is in `moves`.
    M &lock = holds<M>(prefix + "moves", M::mode, "moves");
    start(prefix + "moves", [&lock] { return moves(lock); });
  }
  {
    // The lock that the first has given back is another's.
    M &lock = holds<M>(prefix + "after_it", M::mode, "scope");
    start(prefix + "unlocked", [&lock] { return unlocked(lock); });
    start(prefix + "after_it", [&lock] { return scope(lock); });
    start(prefix + "later", [&lock] { return after(lock); });
  }
  {
    M &lock = holds<M>(prefix + "held", M::mode, "scope");
    start(prefix + "before", [&lock] { return before(lock); });
    start(prefix + "held", [&lock] { return scope(lock); });
    awaits(prefix + "waits", lock, M::mode);
    start(prefix + "waits", [&lock] { return self_inner(lock); });
  }
  one("catches", catches);
  one("loop_exit", loop_exit);
  one("loop_ever", loop_ever);
  one("closure", closure);
  one("by_hand", by_hand);
  one("adopts", adopts);
  {
    M &a = holds<M>(prefix + "both", M::mode, "both"), &b = holds<M>(prefix + "both", M::mode, "both");
    start(prefix + "both", [&a, &b] { return both(a, b); });
  }
  one("forgets", forgets, "none");
  one("keeps", thread_local_guard, "none");
  {
    M &lock = holds<M>(prefix + "self", M::mode, "self_outer");
    awaits(prefix + "self", lock, M::mode);
    start(prefix + "self", [&lock] { return self_outer(lock); });
  }
}

template <class M> void shared(const std::string &prefix) {
  M &read = holds<M>(prefix + "reader", "read", "reader");
  start(prefix + "reader", [&read] { return reader(read); });
  M &written = holds<M>(prefix + "writer", "write", "writer");
  start(prefix + "writer", [&written] { return writer(written); });
  M &upgraded = holds<M>(prefix + "upgrade", "read", "upgrades");
  awaits(prefix + "upgrade", upgraded, "write");
  start(prefix + "upgrade", [&upgraded] { return upgrades(upgraded); });
}

#ifndef ABSEIL
// Woken, it waits for the mutex, which another has.
__attribute__((noinline)) int waits_again(std::mutex &mutex, std::condition_variable &condition) {
  std::unique_lock<std::mutex> guard(mutex);
  asleep++;
  while (asleep < 1000) condition.wait(guard);
  return 1;
}
__attribute__((noinline)) int notifies(std::mutex &mutex, std::condition_variable &condition) {
  std::lock_guard<std::mutex> guard(mutex);
  condition.notify_all();
  return sleeps();
}
#endif
} // namespace patterns

int main() {
  using namespace patterns;
  setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
  alarm(300);
#ifdef ABSEIL
  // A library built for debugging ends the program before it can hang.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  exclusive<Lock>("a_");
  shared<Lock>("a_");
#else
  exclusive<Plain>("m_");
  exclusive<Futex>("f_");
  exclusive<Atomic>("w_");
  shared<Shared>("s_");
  Plain &lock = holds<Plain>("notifies", "exclusive", "notifies");
  auto &condition = *new std::condition_variable;
  std::printf("reacquires again %lx exclusive\n", reinterpret_cast<unsigned long>(lock.word()));
  start("again", [&] { return waits_again(lock.mutex, condition); });
  start("notifies", [&] { return notifies(lock.mutex, condition); });
#endif
  std::puts("ready");
  std::fflush(stdout);
  for (;;) pause();
}
