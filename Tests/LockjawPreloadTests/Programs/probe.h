// A program's view of its own arena, through the file a collector would read: the tests look from inside the process
// whose locks they take. Finds the file by $LOCKJAW_DIR and the process id, maps it read-only.
#ifndef PROBE_H
#define PROBE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lockjaw_arena.h"

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);       \
      _exit(1);                                                                       \
    }                                                                                 \
  } while (0)
#define CHECK_EQUAL(value, expected)                                                  \
  do {                                                                                \
    long long got_ = (long long)(value), wanted_ = (long long)(expected);             \
    if (got_ != wanted_) {                                                            \
      fprintf(stderr, "%s:%d: %s is %lld, not %lld (%s)\n", __FILE__, __LINE__, #value, got_, wanted_, #expected); \
      _exit(1);                                                                       \
    }                                                                                 \
  } while (0)

// Waits for a state of another thread; a minute is for ever.
#define EVENTUALLY(condition)                                                         \
  do {                                                                                \
    uint64_t give_up_ = now_ns() + 60000000000u;                                      \
    while (!(condition)) {                                                            \
      if (now_ns() > give_up_) {                                                      \
        fprintf(stderr, "%s:%d: never became true: %s\n", __FILE__, __LINE__, #condition); \
        _exit(1);                                                                     \
      }                                                                               \
      sched_yield();                                                                  \
    }                                                                                 \
  } while (0)

static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline struct timespec in_ms(clockid_t clock, long ms) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_nsec += ms % 1000 * 1000000;
  t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  return t;
}

static const lj_arena_header *arena;

static inline int count_arenas_of(int pid, char *path, size_t bytes) {
  char prefix[40];
  int found = 0;
  snprintf(prefix, sizeof prefix, "lockjaw-%d-", pid);
  const char *directory = getenv("LOCKJAW_DIR");
  DIR *entries = opendir(directory);
  if (!entries) return 0;
  for (struct dirent *entry; (entry = readdir(entries));)
    if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) {
      if (path) snprintf(path, bytes, "%s/%s", directory, entry->d_name);
      found++;
    }
  closedir(entries);
  return found;
}

static inline const lj_arena_header *map_arena_of(int pid) {
  char path[600];
  if (count_arenas_of(pid, path, sizeof path) != 1) return NULL;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0) return NULL;
  // Under a limit the file has no place; its beginning has.
  struct rlimit space;
  getrlimit(RLIMIT_AS, &space);
  size_t bytes = (size_t)status.st_size;
  if (space.rlim_cur != RLIM_INFINITY && bytes > 4 << 20) bytes = 4 << 20;
  void *mapped = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  return mapped == MAP_FAILED ? NULL : mapped;
}

// Bytes of this process's mappings of arenas, this probe's included.
static inline long mapped_arena_bytes(void) {
  char line[1024];
  long bytes = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  CHECK(maps);
  while (fgets(line, sizeof line, maps)) {
    unsigned long from, to;
    if (strstr(line, ".arena") && sscanf(line, "%lx-%lx", &from, &to) == 2) bytes += (long)(to - from);
  }
  fclose(maps);
  return bytes;
}

static inline void open_arena(void) {
  arena = map_arena_of(getpid());
  CHECK(arena);
  CHECK(arena->magic == LJ_ARENA_MAGIC);
  CHECK_EQUAL(arena->image_state, LJ_IMAGE_LIVE);
}

static inline const lj_slot *slot_in(const lj_arena_header *in, uint32_t index) {
  return (const lj_slot *)((const char *)in + in->slots_offset + (uint64_t)index * in->slot_bytes);
}
static inline const lj_slot *find_slot_in(const lj_arena_header *in, int tid) {
  for (uint32_t i = 0; i < lj_load_acquire32(&in->slot_count); i++) {
    const lj_slot *slot = slot_in(in, i);
    uint32_t phase = lj_load_acquire32(&slot->phase);
    if ((phase == LJ_PHASE_LIVE || phase == LJ_PHASE_EXITED_HOLDING) && slot->tid == (uint32_t)tid) return slot;
  }
  return NULL;
}
static inline const lj_slot *find_slot(int tid) { return find_slot_in(arena, tid); }
static inline const lj_slot *my_slot(void) {
  const lj_slot *slot = find_slot(gettid());
  CHECK(slot);
  return slot;
}

static inline const lj_held *held_at(const lj_slot *slot, uint32_t index) {
  if (index < LJ_HELD_INLINE) return &slot->held[index];
  index -= LJ_HELD_INLINE;
  uint32_t link = slot->held_extent;
  const lj_extent *extents = (const lj_extent *)((const char *)arena + arena->extents_offset);
  for (; link && index >= LJ_HELD_PER_EXTENT; index -= LJ_HELD_PER_EXTENT) link = extents[link - 1].next;
  return link ? &extents[link - 1].held[index] : NULL;
}
static inline const lj_held *find_held(const lj_slot *slot, const void *object) {
  for (uint32_t i = slot->held_count; i-- > 0;)
    if (held_at(slot, i)->object == (uint64_t)(uintptr_t)object) return held_at(slot, i);
  return NULL;
}
// How many holds of `object` the slot lists, recursion and foreign releases counted.
static inline int holds(const lj_slot *slot, const void *object) {
  int count = 0;
  for (uint32_t i = 0; i < slot->held_count; i++)
    if (held_at(slot, i)->object == (uint64_t)(uintptr_t)object) count += (int)held_at(slot, i)->count;
  for (int i = 0; i < LJ_FOREIGN; i++)
    if (slot->foreign[i].object == (uint64_t)(uintptr_t)object) count -= (int)slot->foreign[i].count;
  return count;
}

static inline bool waits_for(const lj_slot *slot, const void *object) {
  return slot && (lj_load_acquire64(&slot->wait.seq) & 1) && slot->wait.object == (uint64_t)(uintptr_t)object;
}
static inline bool is_waiting(const lj_slot *slot) { return lj_load_acquire64(&slot->wait.seq) & 1; }
// Whether a thread of this process sleeps, as the kernel says.
static inline bool sleeps(int tid) {
  char path[64], line[256] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  FILE *file = fopen(path, "r");
  if (!file) return false;
  char *read = fgets(line, sizeof line, file);
  fclose(file);
  const char *name_end = read ? strrchr(line, ')') : NULL;
  return name_end && name_end[1] == ' ' && name_end[2] == 'S';
}
static inline const lj_event *newest_event(const lj_slot *slot) {
  CHECK(slot->ring_head > 0);
  return &slot->ring[(slot->ring_head - 1) % slot->ring_capacity];
}

// Whether an address lies in a certain function: each such function has a section of its own, whose bounds the linker
// names.
#define IN_SECTION(name) __attribute__((noinline, noipa, section("code_" #name)))
#define IS_IN_SECTION(name, address)                                   \
  ({                                                                   \
    extern const char __start_code_##name[], __stop_code_##name[];               \
    (uint64_t)(address) >= (uint64_t)(uintptr_t)__start_code_##name &&      \
        (uint64_t)(address) < (uint64_t)(uintptr_t)__stop_code_##name;      \
  })

// A thread that runs `body`, and its tid, known before anything else happens.
typedef struct worker {
  pthread_t thread;
  void *(*body)(void *);
  void *argument;
  int tid;
} worker;
static inline void *worker_main(void *self) {
  worker *w = self;
  __atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
  return w->body(w->argument);
}
static inline void start(worker *w, void *(*body)(void *), void *argument) {
  *w = (worker){.body = body, .argument = argument};
  CHECK_EQUAL(pthread_create(&w->thread, NULL, worker_main, w), 0);
  EVENTUALLY(__atomic_load_n(&w->tid, __ATOMIC_ACQUIRE));
}
static inline void join(worker *w) { CHECK_EQUAL(pthread_join(w->thread, NULL), 0); }

static inline int done(void) {
  puts("ok");
  return 0;
}
#endif
