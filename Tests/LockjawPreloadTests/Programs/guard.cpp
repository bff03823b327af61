// Function-local statics: who initialises holds the guard, who comes meanwhile waits for it, an initialiser that throws
// lets the next one try.
#include <stdexcept>

extern "C" {
#define restrict
#define _Static_assert static_assert
#include "lockjaw_arena.h"
}
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

static const lj_arena_header *arena;

static void require(bool condition, const char *what, int line) {
  if (condition) return;
  fprintf(stderr, "guard.cpp:%d: not true: %s\n", line, what);
  _exit(1);
}
#define REQUIRE(condition) require((condition), #condition, __LINE__)

static void open_arena() {
  std::string prefix = "lockjaw-" + std::to_string(getpid()) + "-", path;
  DIR *directory = opendir(getenv("LOCKJAW_DIR"));
  REQUIRE(directory);
  while (dirent *entry = readdir(directory))
    if (!strncmp(entry->d_name, prefix.c_str(), prefix.size())) path = std::string(getenv("LOCKJAW_DIR")) + "/" + entry->d_name;
  closedir(directory);
  int file = open(path.c_str(), O_RDONLY);
  struct stat status;
  REQUIRE(file >= 0 && fstat(file, &status) == 0);
  void *mapped = mmap(nullptr, (size_t)status.st_size, PROT_READ, MAP_SHARED, file, 0);
  REQUIRE(mapped != MAP_FAILED);
  close(file);
  arena = (const lj_arena_header *)mapped;
}

static const lj_slot *slot_of(int tid) {
  for (uint32_t i = 0; i < lj_load_acquire32(&arena->slot_count); i++) {
    auto slot = (const lj_slot *)((const char *)arena + arena->slots_offset + i * sizeof(lj_slot));
    if (lj_load_acquire32(&slot->phase) == LJ_PHASE_LIVE && slot->tid == (uint32_t)tid) return slot;
  }
  return nullptr;
}

static std::atomic<int> waiter{0}, initialisations{0}, entered{0};
static std::atomic<bool> begun{false};

struct Slow {
  Slow() {
    const lj_slot *me = slot_of(gettid());
    REQUIRE(me && me->held_count == 1 && me->held[0].kind == LJ_KIND_CXX_GUARD);
    begun = true;
    ++entered;
    const lj_slot *other;
    while (!waiter || !(other = slot_of(waiter)) || !(lj_load_acquire64(&other->wait.seq) & 1)) sched_yield();
    REQUIRE(other->wait.kind == LJ_KIND_CXX_GUARD && other->wait.object == me->held[0].object);
    if (++initialisations == 1) throw std::runtime_error("not this time");
  }
};

static void use() {
  static Slow slow;
}

int main() {
  open_arena();
  std::thread other([] {
    while (!begun) sched_yield();
    waiter = gettid();
    use(); // waits, and then has to do it itself
    const lj_slot *me = slot_of(gettid());
    REQUIRE(me && me->held_count == 0 && !(me->wait.seq & 1));
  });
  bool thrown = false;
  try {
    use();
  } catch (const std::runtime_error &) {
    thrown = true;
    waiter = gettid();
    while (entered < 2) sched_yield(); // or this thread might be the next to try
  }
  REQUIRE(thrown);
  const lj_slot *me = slot_of(gettid());
  REQUIRE(me->held_count == 0);
  use(); // the other one is at it: waits
  other.join();
  REQUIRE(initialisations == 2 && me->held_count == 0 && !(me->wait.seq & 1));
  puts("ok");
}
