// C++: exceptions through the shim's frames, thread_local destructors that lock, the standard library's locks.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <thread>

extern "C" {
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lockjaw_arena.h"
}
#include <cstring>

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      std::fprintf(stderr, "cpp.cpp:%d: not true: %s\n", __LINE__, #condition); \
      _exit(1);                                                               \
    }                                                                         \
  } while (0)

static const lj_arena_header *arena;
static void open_arena() {
  char prefix[40], path[600] = "";
  std::snprintf(prefix, sizeof prefix, "lockjaw-%d-", getpid());
  DIR *entries = opendir(std::getenv("LOCKJAW_DIR"));
  CHECK(entries);
  while (dirent *entry = readdir(entries))
    if (!std::strncmp(entry->d_name, prefix, std::strlen(prefix)))
      std::snprintf(path, sizeof path, "%s/%s", std::getenv("LOCKJAW_DIR"), entry->d_name);
  closedir(entries);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  CHECK(file >= 0 && fstat(file, &status) == 0);
  arena = static_cast<const lj_arena_header *>(mmap(nullptr, status.st_size, PROT_READ, MAP_SHARED, file, 0));
  close(file);
}
static const lj_slot *my_slot() {
  for (uint32_t i = 0; i < arena->slot_count; i++) {
    auto slot = reinterpret_cast<const lj_slot *>(reinterpret_cast<const char *>(arena) + arena->slots_offset) + i;
    if (slot->phase == LJ_PHASE_LIVE && slot->tid == static_cast<uint32_t>(gettid())) return slot;
  }
  CHECK(false);
  return nullptr;
}
static bool lists(const void *object) {
  for (uint32_t i = 0; i < my_slot()->held_count; i++)
    if (my_slot()->held[i].object == reinterpret_cast<uintptr_t>(object)) return true;
  return false;
}

static std::mutex mutex;
static std::once_flag once;

struct locks_at_thread_end {
  ~locks_at_thread_end() {
    std::lock_guard<std::mutex> guard(mutex);
    CHECK(lists(&mutex));
  }
};
static thread_local locks_at_thread_end at_end;

int main() {
  {
    std::lock_guard<std::mutex> guard(mutex);
    open_arena();
    CHECK(lists(&mutex));
  }
  // An exception leaves call_once through the shim; the flag is free again and nobody holds it.
  try {
    std::call_once(once, [] { throw std::runtime_error("out"); });
    CHECK(false);
  } catch (const std::runtime_error &) {
  }
  int runs = 0;
  std::call_once(once, [&] { runs++; });
  std::call_once(once, [&] { runs++; });
  CHECK(runs == 1);
  std::condition_variable condition;
  {
    std::unique_lock<std::mutex> guard(mutex);
    condition.wait_for(guard, std::chrono::milliseconds(5)); // looks at what the exception left, and drops it
    CHECK(lists(&mutex));
    CHECK(my_slot()->held_count == 1);
  }
  CHECK(my_slot()->held_count == 0);
  std::shared_mutex shared;
  {
    std::shared_lock<std::shared_mutex> guard(shared);
    CHECK(lists(&shared) && my_slot()->held[0].mode == LJ_MODE_READ);
    CHECK(!shared.try_lock());
  }
  {
    std::unique_lock<std::shared_mutex> guard(shared);
    CHECK(my_slot()->held[0].mode == LJ_MODE_WRITE);
  }
  std::timed_mutex timed;
  CHECK(timed.try_lock_for(std::chrono::seconds(60)));
  CHECK(lists(&timed));
  timed.unlock();
  for (int i = 0; i < 20; i++) {
    std::thread thread([] {
      (void)&at_end;
      std::lock_guard<std::mutex> guard(mutex);
    });
    thread.join();
  }
  auto future = std::async(std::launch::async, [] { return 42; });
  CHECK(future.get() == 42);
  CHECK(my_slot()->held_count == 0);
  CHECK(arena->losses[LJ_LOSS_LATE] == 0);
  std::puts("ok");
}
