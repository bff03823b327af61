// Threads come and go: slots are reused, ends are recorded, releases by others are attributed.
#include "probe.h"
#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *lock_once(void *unused) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}

static void slots_are_reused(void) {
  lock_once(NULL);
  uint32_t before = arena->slot_count;
  for (int round = 0; round < 100; round++) {
    worker workers[4];
    for (int i = 0; i < 4; i++) start(&workers[i], lock_once, NULL);
    for (int i = 0; i < 4; i++) join(&workers[i]);
  }
  CHECK(arena->slot_count <= before + 4);
  uint32_t users = 0;
  for (uint32_t i = 0; i < arena->slot_count; i++) users += slot_in(arena, i)->generation;
  CHECK(users > 400);
  CHECK_EQUAL(arena->losses[LJ_LOSS_NO_SLOT], 0);
}

static pthread_mutex_t orphan = PTHREAD_MUTEX_INITIALIZER;
static void *end_holding(void *unused) {
  pthread_mutex_lock(&orphan);
  return unused;
}

static void an_end_while_holding_is_evidence(void) {
  worker w;
  start(&w, end_holding, NULL);
  join(&w);
  const lj_slot *slot = find_slot(w.tid);
  CHECK(slot);
  CHECK_EQUAL(slot->phase, LJ_PHASE_EXITED_HOLDING);
  CHECK(slot->exited_ns >= slot->started_ns);
  CHECK_EQUAL(holds(slot, &orphan), 1);
  // Other threads leave it alone.
  slots_are_reused();
  CHECK_EQUAL(slot->phase, LJ_PHASE_EXITED_HOLDING);
  CHECK_EQUAL(holds(slot, &orphan), 1);
  // Unlocked by another after all: the evidence is gone and the slot is free.
  CHECK_EQUAL(pthread_mutex_unlock(&orphan), 0);
  CHECK_EQUAL(slot->phase, LJ_PHASE_FREE);
  CHECK_EQUAL(slot->held_count, 0);
}

static pthread_key_t key;
static pthread_mutex_t in_destructor = PTHREAD_MUTEX_INITIALIZER;
static void lock_in_destructor(void *rounds) {
  pthread_mutex_lock(&in_destructor);
  CHECK_EQUAL(holds(my_slot(), &in_destructor), 1);
  pthread_mutex_unlock(&in_destructor);
  if ((uintptr_t)rounds > 1) pthread_setspecific(key, (void *)((uintptr_t)rounds - 1));
}
static void *end_with_destructors(void *rounds) {
  pthread_setspecific(key, rounds);
  lock_once(NULL);
  return NULL;
}

static void destructors_may_lock(void) {
  pthread_key_create(&key, lock_in_destructor);
  worker w;
  uint64_t late = arena->losses[LJ_LOSS_LATE];
  start(&w, end_with_destructors, (void *)3);
  join(&w);
  CHECK_EQUAL(arena->losses[LJ_LOSS_LATE], late);
  CHECK(!find_slot(w.tid));
}

// A thread that ends without running destructors leaves its slot behind, until somebody looks.
static void *vanish(void *unused) {
  pthread_mutex_t mine = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mine);
  pthread_mutex_unlock(&mine);
  syscall(SYS_exit, 0);
  return unused;
}
static sem_t gate;
static void *wait_at_gate(void *unused) {
  lock_once(NULL);
  while (sem_wait(&gate) != 0);
  sem_post(&gate);
  return unused;
}
static void vanished_threads_are_swept(void) {
  enum { VANISHED = 50, LIVE = 300 };
  int tids[VANISHED];
  for (int i = 0; i < VANISHED; i++) {
    worker w;
    start(&w, vanish, NULL);
    tids[i] = w.tid;
    EVENTUALLY(syscall(SYS_tgkill, getpid(), tids[i], 0) < 0);
  }
  int left = 0;
  for (int i = 0; i < VANISHED; i++) left += find_slot(tids[i]) != NULL;
  CHECK(left > 0);
  static worker workers[LIVE];
  sem_init(&gate, 0, 0);
  for (int i = 0; i < LIVE; i++) start(&workers[i], wait_at_gate, NULL);
  for (int i = 0; i < LIVE; i++) EVENTUALLY(waits_for(find_slot(workers[i].tid), &gate));
  left = 0;
  for (int i = 0; i < VANISHED; i++) left += find_slot(tids[i]) != NULL;
  CHECK_EQUAL(left, 0);
  CHECK(arena->slot_count < 1 + VANISHED + LIVE);
  sem_post(&gate);
  for (int i = 0; i < LIVE; i++) join(&workers[i]);
}

static pthread_mutex_t passed = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t passed_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t passed_spinlock;
static void *take_and_wait(void *unused) {
  pthread_mutex_lock(&passed);
  pthread_rwlock_rdlock(&passed_rwlock);
  pthread_spin_lock(&passed_spinlock);
  while (sem_wait(&gate) != 0);
  // What the other thread released is off the list at this thread's next operation.
  lock_once(NULL);
  CHECK_EQUAL(my_slot()->held_count, 0);
  CHECK_EQUAL(my_slot()->foreign_pending, 0);
  for (int i = 0; i < LJ_FOREIGN; i++) CHECK_EQUAL(my_slot()->foreign[i].object, 0);
  return unused;
}

static void releases_by_others_are_attributed(void) {
  sem_init(&gate, 0, 0);
  pthread_spin_init(&passed_spinlock, PTHREAD_PROCESS_PRIVATE);
  uint32_t before = arena->foreign_releases;
  worker w;
  start(&w, take_and_wait, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &gate));
  const lj_slot *slot = find_slot(w.tid);
  CHECK_EQUAL(holds(slot, &passed), 1);
  CHECK_EQUAL(holds(slot, &passed_rwlock), 1);
  CHECK_EQUAL(pthread_mutex_unlock(&passed), 0);
  CHECK_EQUAL(holds(slot, &passed), 0);
  CHECK_EQUAL(slot->foreign[0].by_tid, gettid());
  CHECK_EQUAL(arena->foreign_releases, before + 1);
  CHECK_EQUAL(pthread_rwlock_unlock(&passed_rwlock), 0);
  CHECK_EQUAL(holds(slot, &passed_rwlock), 0);
  CHECK_EQUAL(arena->foreign_releases, before + 2);
  CHECK_EQUAL(holds(slot, (void *)&passed_spinlock), 1);
  pthread_spin_unlock(&passed_spinlock);
  CHECK_EQUAL(holds(slot, (void *)&passed_spinlock), 0);
  CHECK_EQUAL(arena->foreign_releases, before + 3);
  CHECK_EQUAL(my_slot()->held_count, 0);
  sem_post(&gate);
  join(&w);
  CHECK_EQUAL(arena->losses[LJ_LOSS_FOREIGN], 0);
}

// A destructor in the last round comes after the shim has given the slot back, since the shim's key is older; it may
// release what a living thread has taken all the same.
static pthread_key_t late_key;
static pthread_mutex_t released_late = PTHREAD_MUTEX_INITIALIZER;
static void release_in_last_round(void *round) {
  if ((uintptr_t)round < PTHREAD_DESTRUCTOR_ITERATIONS) {
    CHECK(find_slot(gettid()));
    pthread_setspecific(late_key, (void *)((uintptr_t)round + 1));
    return;
  }
  CHECK(!find_slot(gettid()));
  CHECK_EQUAL(pthread_mutex_unlock(&released_late), 0);
  // The holder takes the note into account at its next operation; now it waits for this thread, or is about to.
  const lj_slot *holder = find_slot(getpid());
  CHECK_EQUAL(holds(holder, &released_late), 0);
  CHECK_EQUAL(holder->foreign[0].by_tid, gettid());
}
static void *end_releasing(void *unused) {
  pthread_setspecific(late_key, (void *)1);
  lock_once(NULL);
  return unused;
}

static void a_thread_without_its_slot_may_release_anothers_lock(void) {
  CHECK_EQUAL(pthread_key_create(&late_key, release_in_last_round), 0);
  pthread_mutex_lock(&released_late);
  CHECK_EQUAL(holds(my_slot(), &released_late), 1);
  uint32_t before = arena->foreign_releases;
  worker w;
  start(&w, end_releasing, NULL);
  join(&w);
  CHECK_EQUAL(arena->foreign_releases, before + 1);
  // The note may have come after the join had begun.
  lock_once(NULL);
  CHECK(!find_held(my_slot(), &released_late));
}

// A mutex used as a signal, locked in one thread and unlocked in the other, as fast as they can.
static pthread_mutex_t ping = PTHREAD_MUTEX_INITIALIZER, pong = PTHREAD_MUTEX_INITIALIZER;
enum { EXCHANGES = 2000 };
static void *play_pong(void *unused) {
  for (int i = 0; i < EXCHANGES; i++) {
    pthread_mutex_lock(&pong);
    pthread_mutex_unlock(&ping);
  }
  return unused;
}
static void mutexes_as_signals(void) {
  worker w;
  pthread_mutex_lock(&ping);
  pthread_mutex_lock(&pong);
  start(&w, play_pong, NULL);
  for (int i = 0; i < EXCHANGES; i++) {
    pthread_mutex_unlock(&pong);
    pthread_mutex_lock(&ping);
  }
  join(&w);
  lock_once(NULL);
  CHECK_EQUAL(holds(my_slot(), &ping), 1);
  CHECK_EQUAL(my_slot()->held_lost, 0);
  CHECK(my_slot()->held_count <= 2);
  pthread_mutex_unlock(&ping);
  pthread_mutex_t *as_found = &pong;
  if (pthread_mutex_trylock(as_found) == 0) pthread_mutex_unlock(as_found);
  else pthread_mutex_unlock(as_found);
}

// The main thread may end before the others.
static void *outlive_main(void *main_thread) {
  CHECK_EQUAL(pthread_join(*(pthread_t *)main_thread, NULL), 0);
  CHECK(!find_slot(getpid()));
  lock_once(NULL);
  CHECK(find_slot(gettid()));
  exit(done());
}

int main(void) {
  open_arena();
  slots_are_reused();
  an_end_while_holding_is_evidence();
  destructors_may_lock();
  releases_by_others_are_attributed();
  a_thread_without_its_slot_may_release_anothers_lock();
  mutexes_as_signals();
  vanished_threads_are_swept();
  static pthread_t main_thread;
  main_thread = pthread_self();
  worker w;
  start(&w, outlive_main, &main_thread);
  pthread_exit(NULL);
}
