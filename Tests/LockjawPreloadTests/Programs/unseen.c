// A library that sees libc's functions before the shim's (RTLD_DEEPBIND) releases what the program took, and the other way
// round. What it does is not seen; the list of holds must not grow by it, and what is really held stays on it.
//
//   unseen LIBRARY    locking_library.c
#include "probe.h"

#include <dlfcn.h>

enum { ROUNDS = 20000, MANY = 2000, HELD = 200, ROOM = 2 * (LJ_HELD_INLINE + LJ_HELD_PER_EXTENT) };

static void (*library_mutex)(pthread_mutex_t *, int), (*library_unlock)(pthread_mutex_t *);
static void (*library_rwlock_unlock)(pthread_rwlock_t *);
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, kept[HELD];
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER, kept_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t kept_spin;
static uint32_t longest;

static void note_length(void) {
  if (my_slot()->held_count > longest) longest = my_slot()->held_count;
  CHECK(longest < ROOM);
}

// What is held all the while is listed once each, as often as it is held, after whatever happened.
static void keep(pthread_mutex_t *recursive, pthread_mutex_t *robust) {
  CHECK_EQUAL(pthread_mutex_lock(&kept[0]), 0);
  CHECK_EQUAL(pthread_mutex_lock(recursive), 0);
  CHECK_EQUAL(pthread_mutex_lock(recursive), 0);
  CHECK_EQUAL(pthread_mutex_lock(robust), EOWNERDEAD); // and not made consistent: it has no owner, but a word
  CHECK_EQUAL(pthread_rwlock_rdlock(&kept_rwlock), 0);
  CHECK_EQUAL(pthread_rwlock_rdlock(&kept_rwlock), 0);
  CHECK_EQUAL(pthread_spin_lock(&kept_spin), 0);
}
static void check_kept(pthread_mutex_t *recursive, pthread_mutex_t *robust) {
  CHECK_EQUAL(holds(my_slot(), &kept[0]), 1);
  CHECK_EQUAL(holds(my_slot(), recursive), 2);
  CHECK_EQUAL(holds(my_slot(), robust), 1);
  CHECK_EQUAL(holds(my_slot(), &kept_rwlock), 2);
  CHECK_EQUAL(holds(my_slot(), (const void *)&kept_spin), 1);
}

static void one_lock_again_and_again(void) {
  for (int i = 0; i < ROUNDS; i++) {
    CHECK_EQUAL(pthread_mutex_lock(&mutex), 0);
    library_unlock(&mutex);
    CHECK_EQUAL(pthread_rwlock_rdlock(&rwlock), 0);
    library_rwlock_unlock(&rwlock);
    CHECK_EQUAL(pthread_rwlock_wrlock(&rwlock), 0);
    library_rwlock_unlock(&rwlock);
    note_length();
  }
}

// Each at another place, in memory that is gone afterwards.
static void another_lock_each_time(void) {
  size_t bytes = MANY * sizeof(pthread_mutex_t);
  for (int round = 0; round < 5; round++) {
    pthread_mutex_t *locks = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(locks != MAP_FAILED);
    for (int i = 0; i < MANY; i++) {
      CHECK_EQUAL(pthread_mutex_lock(&locks[i]), 0);
      library_unlock(&locks[i]);
      note_length();
    }
    CHECK_EQUAL(munmap(locks, bytes), 0);
  }
}

// The other way round: nothing is listed that the library took.
static void the_library_takes(void) {
  uint32_t before = my_slot()->held_count;
  for (int i = 0; i < ROUNDS; i++) {
    library_mutex(&mutex, 0);
    CHECK_EQUAL(pthread_mutex_unlock(&mutex), 0);
  }
  CHECK_EQUAL(my_slot()->held_count, before);
}

// A long list of what is really held stays whole.
static void many_at_once(void) {
  for (int i = 1; i < HELD; i++) {
    CHECK_EQUAL(pthread_mutex_lock(&mutex), 0);
    library_unlock(&mutex);
    CHECK_EQUAL(pthread_mutex_lock(&kept[i]), 0);
  }
  for (int i = 1; i < HELD; i++) CHECK_EQUAL(holds(my_slot(), &kept[i]), 1);
  CHECK(my_slot()->held_count < 2 * HELD + ROOM);
  for (int i = 1; i < HELD; i++) CHECK_EQUAL(pthread_mutex_unlock(&kept[i]), 0);
}

static void *die_holding(void *robust) {
  CHECK_EQUAL(pthread_mutex_lock(robust), 0);
  return NULL;
}

int main(int count, char **arguments) {
  CHECK(count == 2);
  open_arena();
  void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  CHECK(library);
  library_mutex = (void (*)(pthread_mutex_t *, int))dlsym(library, "library_lock");
  library_unlock = (void (*)(pthread_mutex_t *))dlsym(library, "library_unlock");
  library_rwlock_unlock = (void (*)(pthread_rwlock_t *))dlsym(library, "library_rwlock_unlock");
  CHECK(library_mutex && library_unlock && library_rwlock_unlock);
  pthread_mutex_t recursive, robust;
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&recursive, &kind);
  pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_NORMAL);
  pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &kind);
  pthread_spin_init(&kept_spin, 0);
  worker w;
  start(&w, die_holding, &robust);
  join(&w);

  // That the library is not seen is what this is about.
  CHECK_EQUAL(pthread_mutex_lock(&mutex), 0);
  library_unlock(&mutex);
  CHECK_EQUAL(holds(my_slot(), &mutex), 1);
  CHECK_EQUAL(pthread_mutex_trylock(&mutex), 0);
  library_unlock(&mutex);

  keep(&recursive, &robust);
  one_lock_again_and_again();
  check_kept(&recursive, &robust);
  another_lock_each_time();
  check_kept(&recursive, &robust);
  the_library_takes();
  many_at_once();
  check_kept(&recursive, &robust);
  CHECK(longest > LJ_HELD_INLINE / 2); // it did grow, as far as there was room
  CHECK_EQUAL(my_slot()->held_lost, 0);
  CHECK_EQUAL(arena->losses[LJ_LOSS_HELD_OVERFLOW], 0);
  return done();
}
