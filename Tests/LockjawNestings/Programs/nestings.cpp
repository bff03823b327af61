// The C++ twin of nestings.rs: threads that nest random lock patterns, and a table in memory of who holds what.
// Even locks are std::mutex, odd ones std::shared_mutex; taken in rising order. See nestings.rs for the protocol.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <poll.h>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {
constexpr int kLocks = 14, kThreads = 128;
struct Row {
  std::atomic<uint32_t> tid, phase, awaited, awaited_mode, holds[kLocks];
};
Row table[kThreads];
std::mutex mutexes[kLocks / 2];
std::shared_mutex shared[kLocks / 2];

struct Context {
  Row *row;
  uint64_t random;
  uint64_t next(uint64_t below) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return (random >> 11) % below;
  }
  void await(int lock, uint32_t mode) {
    row->awaited_mode = mode;
    row->awaited = static_cast<uint32_t>(lock) + 1;
    row->phase = 2;
  }
  void acquired(int lock, uint32_t mode) {
    row->phase = 0;
    row->holds[lock] = mode;
  }
  void released(int lock) {
    row->phase = 0;
    row->holds[lock] = 0;
  }
};

// Strikes the lock from the table before the guard that was declared earlier lets it go.
struct Strike {
  Context &c;
  int lock;
  ~Strike() { c.released(lock); }
};

struct Session {
  std::string name;
  std::unique_lock<std::mutex> guard;
};

void leaf(Context &c) {
  uint64_t kind = c.next(3), microseconds = 200 + c.next(2000);
  c.row->phase = 1;
  if (kind == 0) poll(nullptr, 0, 1 + static_cast<int>(microseconds / 1000));
  else if (kind == 1) usleep(static_cast<useconds_t>(microseconds));
  else std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
  c.row->phase = 0;
}

void nest(Context &c, int from);

template <class Guard> __attribute__((noinline)) void consume(Context &c, [[maybe_unused]] Guard guard, int lock, int from) {
  Strike strike{c, lock};
  nest(c, from);
}

__attribute__((noinline)) std::unique_lock<std::mutex> take(Context &c, int lock) {
  c.await(lock, 1);
  std::unique_lock<std::mutex> guard(mutexes[lock / 2]);
  c.acquired(lock, 1);
  return guard;
}

void with_mutex(Context &c, int lock, int below) {
  std::mutex &m = mutexes[lock / 2];
  switch (c.next(10)) {
  case 0: {
    c.await(lock, 1);
    std::lock_guard<std::mutex> guard(m);
    c.acquired(lock, 1);
    Strike strike{c, lock};
    nest(c, below);
    break;
  }
  case 1: {
    auto guard = take(c, lock);
    Strike strike{c, lock};
    nest(c, below);
    break;
  }
  case 2: consume(c, take(c, lock), lock, below); break;
  case 3: {
    auto session = std::make_unique<Session>(Session{std::string("session"), take(c, lock)});
    Strike strike{c, lock};
    nest(c, below);
    break;
  }
  case 4: {
    std::vector<std::unique_lock<std::mutex>> guards;
    guards.push_back(take(c, lock));
    Strike strike{c, lock};
    nest(c, below);
    break;
  }
  case 5: {
    std::optional<std::unique_lock<std::mutex>> maybe;
    if (c.next(2)) maybe = take(c, lock);
    Strike strike{c, lock};
    nest(c, below);
    break;
  }
  case 6: {
    auto guard = take(c, lock);
    nest(c, below);
    c.released(lock);
    guard.unlock();
    nest(c, below);
    break;
  }
  case 7: { // By hand, as C does.
    c.await(lock, 1);
    m.lock();
    c.acquired(lock, 1);
    nest(c, below);
    c.released(lock);
    m.unlock();
    break;
  }
  case 8: {
    auto guard = take(c, lock);
    std::function<void()> work = [&c, below] { nest(c, below); };
    Strike strike{c, lock};
    work();
    break;
  }
  default:
    do {
      auto guard = take(c, lock);
      Strike strike{c, lock};
      nest(c, below);
    } while (c.next(2));
  }
}

void with_shared(Context &c, int lock, int below) {
  std::shared_mutex &m = shared[lock / 2];
  switch (c.next(6)) {
  case 0: {
    c.await(lock, 2);
    std::shared_lock<std::shared_mutex> guard(m);
    c.acquired(lock, 2);
    Strike strike{c, lock};
    nest(c, below);
    break;
  }
  case 1: {
    c.await(lock, 3);
    std::unique_lock<std::shared_mutex> guard(m);
    c.acquired(lock, 3);
    Strike strike{c, lock};
    nest(c, below);
    break;
  }
  case 2: {
    c.await(lock, 2);
    std::shared_lock<std::shared_mutex> guard(m);
    c.acquired(lock, 2);
    consume(c, std::move(guard), lock, below);
    leaf(c);
    break;
  }
  case 3: {
    c.await(lock, 3);
    m.lock();
    c.acquired(lock, 3);
    nest(c, below);
    c.released(lock);
    m.unlock();
    break;
  }
  case 4: {
    c.await(lock, 2);
    m.lock_shared();
    c.acquired(lock, 2);
    nest(c, below);
    c.released(lock);
    m.unlock_shared();
    nest(c, below);
    break;
  }
  default: {
    c.await(lock, 2);
    auto guard = std::make_unique<std::shared_lock<std::shared_mutex>>(m);
    c.acquired(lock, 2);
    Strike strike{c, lock};
    nest(c, below);
  }
  }
}

void nest(Context &c, int from) {
  if (from >= kLocks || c.next(5) == 0) return leaf(c);
  int room = kLocks - from;
  int lock = from + static_cast<int>(c.next(static_cast<uint64_t>(room < 4 ? room : 4)));
  if (lock % 2 == 0) with_mutex(c, lock, lock + 1);
  else with_shared(c, lock, lock + 1);
}
} // namespace

int main(int argc, char **argv) {
  alarm(600);
  uint64_t seed = argc > 1 ? strtoull(argv[1], nullptr, 10) : 1;
  int threads = argc > 2 ? atoi(argv[2]) : 8;
  if (threads > kThreads) threads = kThreads;
  printf("table %lx %zu %d %d\n", reinterpret_cast<unsigned long>(table), sizeof(Row), threads, kLocks);
  for (int lock = 0; lock < kLocks; lock++)
    printf("lock %d %s %lx\n", lock, lock % 2 ? "glibcRwlock" : "glibcMutex",
           lock % 2 ? reinterpret_cast<unsigned long>(shared[lock / 2].native_handle())
                    : reinterpret_cast<unsigned long>(mutexes[lock / 2].native_handle()));
  std::vector<std::thread> running;
  for (int index = 0; index < threads; index++)
    running.emplace_back([=] {
      Context c{&table[index], (seed + 1) * 0x9E3779B97F4A7C15u ^ static_cast<uint64_t>(index + 1) << 32};
      c.row->tid = static_cast<uint32_t>(gettid());
      for (;;) nest(c, static_cast<int>(c.next(6)));
    });
  puts("ready");
  fflush(stdout);
  for (auto &thread : running) thread.join();
}
