// Does everything at random, from threads that come and go, and keeps its own account: an oracle that the arena must agree
// with. A reader may be attached at any moment.
//
//   stress SECONDS SEED
//
// Each thread carries a list of what it holds. Whenever it feels like it, it compares that list with its slot: same objects,
// same counts, nothing else. Before it waits where it will surely wait, it says so to an observer thread, which then must see
// the wait in the slot. At the end every total (acquires of each mutex) is compared with the arena's counts per site.
#include "probe.h"

#include <semaphore.h>
#include <stdatomic.h>

#include "lockjaw.h"

enum { MUTEXES = 12, RWLOCKS = 4, SPINS = 3, SEMAPHORES = 3, WORKERS = 10, HELD_MOST = 64 };

static pthread_mutex_t mutexes[MUTEXES]; // normal, recursive, errorcheck, robust, inheriting, adaptive in turn
static pthread_rwlock_t rwlocks[RWLOCKS];
static pthread_spinlock_t spins[SPINS];
static sem_t semaphores[SEMAPHORES];
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t cond_mutex = PTHREAD_MUTEX_INITIALIZER;
static char custom_locks[4];
static _Atomic uint64_t mutex_acquires[MUTEXES], compared, threads_run, forks, cancelled, handled;
static _Atomic bool stop;
static uint64_t deadline_ns;

typedef struct thread_oracle {
  uint64_t random;
  int count;
  const void *held[HELD_MOST]; // one for each hold
} thread_oracle;

static __thread thread_oracle *mine;

static uint32_t roll(uint32_t below) { // xorshift64*
  uint64_t x = mine->random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  mine->random = x;
  return (uint32_t)((x * 0x2545F4914F6CDD1D) >> 33) % below;
}

static void took(const void *object) { mine->held[mine->count++] = object; }
static void gave(const void *object) {
  int i = mine->count;
  while (i-- > 0 && mine->held[i] != object) {}
  CHECK(i >= 0);
  memmove(&mine->held[i], &mine->held[i + 1], (size_t)(mine->count - i - 1) * sizeof *mine->held);
  mine->count--;
}
static int holds_of(const void *object) {
  int holds = 0;
  for (int i = 0; i < mine->count; i++) holds += mine->held[i] == object;
  return holds;
}

// The slot lists what this thread holds, and nothing else.
static void compare(void) {
  const lj_slot *slot = find_slot(gettid());
  if (!slot) {
    CHECK_EQUAL(mine->count, 0);
    return;
  }
  int listed = 0;
  for (uint32_t i = 0; i < slot->held_count; i++) {
    const lj_held *entry = held_at(slot, i);
    CHECK(entry && entry->object);
    listed += (int)entry->count;
    CHECK_EQUAL(holds(slot, (const void *)entry->object), holds_of((const void *)entry->object));
  }
  CHECK_EQUAL(listed, mine->count);
  CHECK_EQUAL(slot->held_lost, 0);
  CHECK(!is_waiting(slot));
  atomic_fetch_add(&compared, 1);
}

// Locks are taken in the order of their numbers, so that nothing deadlocks; tries may break it.
static int highest_mutex(void) {
  for (int i = MUTEXES; i-- > 0;)
    if (holds_of(&mutexes[i])) return i;
  return -1;
}

IN_SECTION(stress) int lock_mutex(int i, int how) {
  struct timespec soon;
  int result;
  switch (how) {
  case 0: result = pthread_mutex_trylock(&mutexes[i]); break;
  case 1:
    soon = in_ms(CLOCK_REALTIME, roll(3));
    result = pthread_mutex_timedlock(&mutexes[i], &soon);
    break;
  default: result = pthread_mutex_lock(&mutexes[i]);
  }
  __asm__ volatile("" : "+r"(result));
  if (result == EOWNERDEAD) {
    CHECK_EQUAL(pthread_mutex_consistent(&mutexes[i]), 0);
    result = 0;
  }
  if (result != 0) return result;
  atomic_fetch_add_explicit(&mutex_acquires[i], 1, memory_order_relaxed);
  took(&mutexes[i]);
  return 0;
}

static void unlock_mutex(int i) {
  gave(&mutexes[i]);
  CHECK_EQUAL(pthread_mutex_unlock(&mutexes[i]), 0);
}

static void use_mutexes(void) {
  int from = highest_mutex() + 1;
  if (mine->count > 20) return;
  for (int depth = (int)roll(4); depth-- > 0 && from < MUTEXES; from += 1 + (int)roll(3)) {
    if (lock_mutex(from, (int)roll(4)) != 0) continue;
    if (from % 6 == 1 && roll(2)) CHECK_EQUAL(lock_mutex(from, 2), 0); // recursive
    if (from % 6 == 2 && roll(4) == 0) CHECK_EQUAL(pthread_mutex_lock(&mutexes[from]), EDEADLK);
  }
}

static void let_go_of_some(void) {
  for (int times = (int)roll(4); times-- > 0 && mine->count > 0;) {
    const void *object = mine->held[roll((uint32_t)mine->count)];
    for (int i = 0; i < MUTEXES; i++)
      if (object == &mutexes[i]) unlock_mutex(i);
    for (int i = 0; i < RWLOCKS; i++)
      if (object == &rwlocks[i]) {
        gave(object);
        CHECK_EQUAL(pthread_rwlock_unlock(&rwlocks[i]), 0);
      }
    for (size_t i = 0; i < sizeof custom_locks; i++)
      if (object == &custom_locks[i]) {
        gave(object);
        lockjaw_releasing(object);
      }
  }
}

static void use_rwlock(void) {
  int i = (int)roll(RWLOCKS);
  if (mine->count > 20) return;
  int result;
  // Tries only: rwlocks are taken in no order.
  if (roll(3)) result = pthread_rwlock_tryrdlock(&rwlocks[i]);
  else result = pthread_rwlock_trywrlock(&rwlocks[i]);
  if (result == 0) took(&rwlocks[i]);
  else CHECK(result == EBUSY || result == EDEADLK);
}

static void use_spin(void) {
  int i = (int)roll(SPINS);
  CHECK_EQUAL(pthread_spin_lock(&spins[i]), 0);
  took((const void *)&spins[i]);
  if (roll(8) == 0) compare();
  gave((const void *)&spins[i]);
  pthread_spin_unlock(&spins[i]);
}

static void use_semaphore(void) {
  sem_t *semaphore = &semaphores[roll(SEMAPHORES)];
  struct timespec soon = in_ms(CLOCK_REALTIME, 1 + roll(2));
  if (sem_timedwait(semaphore, &soon) == 0) CHECK_EQUAL(sem_post(semaphore), 0);
  else CHECK(errno == ETIMEDOUT || errno == EINTR);
}

static void use_condition(void) {
  // Held mutexes would make others wait for as long; but that is what programs do.
  CHECK_EQUAL(pthread_mutex_lock(&cond_mutex), 0);
  took(&cond_mutex);
  if (roll(2)) {
    struct timespec soon = in_ms(CLOCK_REALTIME, roll(3));
    int result = pthread_cond_timedwait(&cond, &cond_mutex, &soon);
    CHECK(result == 0 || result == ETIMEDOUT);
  } else if (roll(2)) {
    pthread_cond_broadcast(&cond);
  } else {
    pthread_cond_signal(&cond);
  }
  compare();
  gave(&cond_mutex);
  CHECK_EQUAL(pthread_mutex_unlock(&cond_mutex), 0);
}

static void use_custom_lock(void) {
  char *lock = &custom_locks[roll(sizeof custom_locks)];
  if (mine->count > 20) return;
  if (roll(2)) {
    lockjaw_wait_begin_to_read(lock);
    sched_yield();
    if (roll(3) == 0) {
      lockjaw_wait_end(lock);
      return;
    }
  }
  lockjaw_acquired_to_read(lock);
  took(lock);
  if (roll(4) == 0) lockjaw_breadcrumb("stress");
  if (roll(16) == 0) lockjaw_heartbeat("stress", 1000);
}

// A handler that locks, inside whatever goes on.
static void on_signal(int signal) {
  (void)signal;
  int saved = errno;
  static pthread_mutex_t try_only = PTHREAD_MUTEX_INITIALIZER;
  if (pthread_mutex_trylock(&try_only) == 0) pthread_mutex_unlock(&try_only);
  sem_post(&semaphores[0]);
  sem_trywait(&semaphores[0]);
  atomic_fetch_add(&handled, 1);
  errno = saved;
}

// A child locks, compares its own arena, and is gone. Some begin with locks of their parent's.
static void fork_one(void) {
  int parents = mine->count;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    for (int i = 0; i < 100; i++) {
      CHECK_EQUAL(pthread_mutex_lock(&own), 0);
      CHECK_EQUAL(pthread_mutex_unlock(&own), 0);
    }
    arena = map_arena_of(getpid());
    const lj_slot *slot = arena ? find_slot_in(arena, gettid()) : NULL;
    CHECK(slot && slot->held_count == 0 && (int)slot->held_lost <= parents);
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) CHECK_EQUAL(errno, EINTR);
  CHECK_EQUAL(status, 0);
  atomic_fetch_add(&forks, 1);
}

static void let_go_of_all(void) {
  while (mine->count > 0) let_go_of_some();
}

static void step(void) {
  switch (roll(14)) {
  case 0: case 1: case 2: case 3: use_mutexes(); break;
  case 4: case 5: case 6: let_go_of_some(); break;
  case 7: use_rwlock(); break;
  case 8: use_spin(); break;
  case 9: use_semaphore(); break;
  case 10: if (mine->count < 4) use_condition(); break;
  case 11: use_custom_lock(); break;
  case 12: compare(); break;
  default:
    if (roll(40) == 0) fork_one();
    else kill(getpid(), SIGUSR1); // whichever thread takes it
  }
}

static void *work(void *seed) {
  thread_oracle oracle = {.random = (uint64_t)(uintptr_t)seed * 0x9E3779B97F4A7C15 | 1};
  mine = &oracle;
  for (int steps = (int)roll(2000); steps-- > 0 && !atomic_load(&stop);) step();
  compare();
  let_go_of_all();
  compare();
  atomic_fetch_add(&threads_run, 1);
  return NULL;
}

// Ends in a condition wait or a semaphore wait by cancellation; what it held is released by its cleanup.
static void unlock_condition(void *unused) {
  (void)unused;
  const lj_slot *slot = find_slot(gettid());
  CHECK(slot && !is_waiting(slot) && holds(slot, &cond_mutex) == 1);
  CHECK_EQUAL(pthread_mutex_unlock(&cond_mutex), 0);
}
static void *wait_to_be_cancelled(void *how) {
  if (how) {
    CHECK_EQUAL(pthread_mutex_lock(&cond_mutex), 0);
    pthread_cleanup_push(unlock_condition, NULL);
    for (;;) pthread_cond_wait(&cond, &cond_mutex);
    pthread_cleanup_pop(1);
  }
  static sem_t never;
  for (;;) sem_wait(&never);
  return NULL;
}
static void *cancel_others(void *seed) {
  thread_oracle oracle = {.random = (uint64_t)(uintptr_t)seed | 1};
  mine = &oracle;
  while (!atomic_load(&stop)) {
    worker w;
    start(&w, wait_to_be_cancelled, (void *)(uintptr_t)roll(2));
    EVENTUALLY(find_slot(w.tid) && is_waiting(find_slot(w.tid)));
    CHECK_EQUAL(pthread_cancel(w.thread), 0);
    join(&w);
    atomic_fetch_add(&cancelled, 1);
  }
  return NULL;
}

static void make_objects(void) {
  pthread_mutexattr_t kind;
  for (int i = 0; i < MUTEXES; i++) {
    pthread_mutexattr_init(&kind);
    if (i % 6 == 1) pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    if (i % 6 == 2) pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
    if (i % 6 == 3) pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    if (i % 6 == 4) pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
    if (i % 6 == 5) pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP);
    CHECK_EQUAL(pthread_mutex_init(&mutexes[i], &kind), 0);
  }
  for (int i = 0; i < RWLOCKS; i++) pthread_rwlock_init(&rwlocks[i], NULL);
  for (int i = 0; i < SPINS; i++) pthread_spin_init(&spins[i], PTHREAD_PROCESS_PRIVATE);
  for (int i = 0; i < SEMAPHORES; i++) sem_init(&semaphores[i], 0, 2);
}

int main(int count, char **arguments) {
  CHECK_EQUAL(count, 3);
  open_arena();
  make_objects();
  deadline_ns = now_ns() + strtoull(arguments[1], NULL, 10) * 1000000000u;
  uint64_t seed = strtoull(arguments[2], NULL, 10);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  worker canceller, workers[WORKERS];
  start(&canceller, cancel_others, (void *)(uintptr_t)(seed * 31 + 7));
  for (int i = 0; i < WORKERS; i++) start(&workers[i], work, (void *)(uintptr_t)(seed * 1000 + (uint64_t)i));
  for (uint64_t round = 1; now_ns() < deadline_ns; round++) {
    worker *w = &workers[round % WORKERS];
    join(w);
    start(w, work, (void *)(uintptr_t)(seed * 1000 + round * WORKERS));
  }
  atomic_store(&stop, true);
  for (int i = 0; i < WORKERS; i++) join(&workers[i]);
  join(&canceller);
  for (int cause = 0; cause < LJ_LOSS_COUNT; cause++) // a handler that comes at the wrong moment, nothing else
    CHECK(arena->losses[cause] == 0 || cause == LJ_LOSS_REENTRANT || cause == LJ_LOSS_UNCOUNTED || cause == LJ_LOSS_NO_RING ||
          cause == LJ_LOSS_PERMIT || cause == LJ_LOSS_LATE || cause == LJ_LOSS_ANNOTATIONS);
  extern const char __start_code_stress[], __stop_code_stress[];
  for (int i = 0; i < MUTEXES; i++)
    printf("use %lx %lx %lx %lu\n", (unsigned long)&mutexes[i], (unsigned long)__start_code_stress,
           (unsigned long)__stop_code_stress, (unsigned long)mutex_acquires[i]);
  printf("compared %lu, threads %lu, forks %lu, cancelled %lu, signals %lu\n", (unsigned long)compared,
         (unsigned long)threads_run, (unsigned long)forks, (unsigned long)cancelled, (unsigned long)handled);
  puts("ok");
  fflush(stdout);
  kill(getpid(), SIGKILL); // the arena stays for the reader
}
