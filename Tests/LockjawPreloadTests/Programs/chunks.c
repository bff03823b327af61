// An arena that grows beyond what is mapped at set-up.
//   chunks small            little address space is taken, and a limit set later leaves room to work in
//   chunks many [ROOT]      600 threads and 6,000 locks, all recorded; in a changed root directory, where ROOT is given
//   chunks forked           the same in a forked child, whose parent had grown
#include "probe.h"
#include <semaphore.h>

enum { THREADS = 600, LOCKS = 6000 };
static sem_t gate;
static worker workers[THREADS];
static pthread_mutex_t own[THREADS], locks[LOCKS];

static void small(void) {
  long bytes = mapped_arena_bytes();
  printf("%ld KiB\n", bytes / 1024);
  CHECK(bytes > 0 && bytes <= 8 << 20);
  struct rlimit limit = {200 << 20, 200 << 20};
  CHECK_EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
  CHECK(malloc(100 << 20) != NULL);
}

static void *hold_own(void *lock) {
  CHECK_EQUAL(pthread_mutex_lock(lock), 0);
  while (sem_wait(&gate) != 0);
  CHECK_EQUAL(sem_post(&gate), 0);
  CHECK_EQUAL(pthread_mutex_unlock(lock), 0);
  return NULL;
}

static void grow(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 << 10);
  pthread_setattr_default_np(&attributes);
  sem_init(&gate, 0, 0);
  for (int i = 0; i < THREADS; i++) start(&workers[i], hold_own, &own[i]);
  for (int i = 0; i < LOCKS; i++) CHECK_EQUAL(pthread_mutex_lock(&locks[i]), 0);
  for (int i = 0; i < THREADS; i++) {
    const lj_slot *slot;
    EVENTUALLY((slot = find_slot(workers[i].tid)) && lj_load_acquire32(&slot->held_count) == 1);
    CHECK_EQUAL(holds(slot, &own[i]), 1);
    CHECK_EQUAL(slot->ring_offset, (const char *)slot->ring - (const char *)arena);
  }
  CHECK_EQUAL(my_slot()->held_count, LOCKS);
  for (int i = 0; i < LOCKS; i += 97) CHECK_EQUAL(holds(my_slot(), &locks[i]), 1);
  CHECK(arena->extent_count > 64 && arena->slot_count > THREADS);
  for (int i = 0; i < LOCKS; i++) CHECK_EQUAL(pthread_mutex_unlock(&locks[i]), 0);
  CHECK_EQUAL(my_slot()->held_count, 0);
  sem_post(&gate);
  for (int i = 0; i < THREADS; i++) join(&workers[i]);
  for (int i = 0; i < LJ_LOSS_COUNT; i++) CHECK_EQUAL(arena->losses[i], 0);
}

static void forked(void) {
  open_arena();
  grow();
  long before = mapped_arena_bytes();
  pid_t child = fork();
  if (child == 0) {
    pthread_mutex_lock(&locks[0]);
    pthread_mutex_unlock(&locks[0]);
    // Only its own, and no larger than a fresh one.
    char line[1024], name[40];
    snprintf(name, sizeof name, "lockjaw-%d-", getppid());
    FILE *maps = fopen("/proc/self/maps", "r");
    // The parent's view of this probe, read-only and from the file's beginning, is still there.
    while (fgets(line, sizeof line, maps)) CHECK(!strstr(line, name) || strstr(line, "r--s 00000000"));
    fclose(maps);
    open_arena();
    grow();
    _exit(0);
  }
  int status;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK_EQUAL(status, 0);
  CHECK_EQUAL(mapped_arena_bytes(), before);
}

int main(int argc, char **argv) {
  CHECK(argc > 1);
  if (!strcmp(argv[1], "small")) small();
  else if (!strcmp(argv[1], "forked")) forked();
  else {
    open_arena();
    if (argc > 2) CHECK_EQUAL(chroot(argv[2]), 0);
    grow();
  }
  return done();
}
