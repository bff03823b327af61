// A correct program for a sanitizer to look at: with the shim in between it must find nothing either.
//
//   sanitized             locks, waits and counts, all threads at once
//   sanitized slots       threads whose slot in the arena was another's just before. Only the shim knows that the first was
//                         done with it: nothing of the program orders the two, so a copy into the slot that the sanitizer
//                         sees is a race. Joined one after another, and ended beside each other
//   sanitized stack       a thread waits, and so has its stack copied, while another writes to a variable there and though
//                         bytes of it are poisoned
#include "probe.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int under_mutex, under_rwlock, go;

static void *work(void *unused) {
  for (int i = 0; i < 5000; i++) {
    pthread_mutex_lock(&mutex);
    under_mutex++;
    pthread_mutex_unlock(&mutex);
    if (i % 10 == 0) pthread_rwlock_wrlock(&rwlock);
    else pthread_rwlock_rdlock(&rwlock);
    if (i % 10 == 0) under_rwlock++;
    pthread_rwlock_unlock(&rwlock);
  }
  pthread_mutex_lock(&mutex);
  while (!go) pthread_cond_wait(&cond, &mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}

static void all_at_once(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, NULL);
  pthread_mutex_lock(&mutex);
  go = 1;
  pthread_cond_broadcast(&cond);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  printf("%d %d\n", under_mutex, under_rwlock);
}

// Relaxed: orders nothing, for the sanitizer as for the language. x86's own order is all that is needed.
static int read_word(const int *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
static void write_word(int *word, int value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }

typedef struct runner {
  pthread_t thread;
  pthread_mutex_t own; // no other thread's
  int tid;             // 0: not running yet
  const int *after;    // the tid of the thread that must have ended before this one locks; NULL: none
  int uses;
} runner;

static void *lock_and_end(void *argument) {
  runner *self = argument;
  write_word(&self->tid, (int)syscall(SYS_gettid));
  if (self->after) {
    int before;
    while (!(before = read_word(self->after))) sched_yield();
    while (syscall(SYS_tgkill, getpid(), before, 0) == 0) sched_yield();
  }
  // Its first operation is its claim of a slot: the one that was given back last.
  pthread_mutex_lock(&self->own);
  self->uses++;
  pthread_mutex_unlock(&self->own);
  return NULL;
}

static void slots_change_hands(void) {
  enum { ROUNDS = 50, CHAIN = 4 };
  int uses = 0;
  for (int round = 0; round < ROUNDS; round++) {
    // All are created first, so that none begins after another's end in the sanitizer's eyes; then each waits for the
    // one before it to be gone.
    static runner chain[CHAIN];
    memset(chain, 0, sizeof chain);
    for (int i = 0; i < CHAIN; i++) {
      pthread_mutex_init(&chain[i].own, NULL);
      chain[i].after = i ? &chain[i - 1].tid : NULL;
    }
    for (int i = CHAIN; i-- > 0;) pthread_create(&chain[i].thread, NULL, lock_and_end, &chain[i]);
    for (int i = 0; i < CHAIN; i++) pthread_join(chain[i].thread, NULL);
    for (int i = 0; i < CHAIN; i++) uses += chain[i].uses;
    // And one after another.
    runner alone = {.own = PTHREAD_MUTEX_INITIALIZER};
    pthread_create(&alone.thread, NULL, lock_and_end, &alone);
    pthread_join(alone.thread, NULL);
    uses += alone.uses;
  }
  open_arena();
  CHECK(arena->slot_count < CHAIN * 8); // of 250 threads: slots did change hands
  printf("%d\n", uses);
}

typedef struct on_stack {
  pthread_mutex_t held;
  int tid;
  int waiter_tid;
  long written; // the waiter looks at it only after the join
} on_stack;

static void *write_to_a_stack(void *argument) {
  on_stack *there = argument;
  pthread_mutex_lock(&there->held);
  there->written = 1;
  write_word(&there->tid, (int)syscall(SYS_gettid));
  while (!sleeps(there->waiter_tid)) sched_yield();
  there->written = 2;
  pthread_mutex_unlock(&there->held);
  return NULL;
}

__attribute__((noinline)) static long wait_with_a_stack(void) {
  volatile char around_with_red_zones[64] = "";
  on_stack here = {.held = PTHREAD_MUTEX_INITIALIZER, .waiter_tid = (int)syscall(SYS_gettid)};
  volatile char around_too[64] = "";
  pthread_t writer;
  pthread_create(&writer, NULL, write_to_a_stack, &here);
  while (!read_word(&here.tid)) sched_yield();
  pthread_mutex_lock(&here.held);
  pthread_mutex_unlock(&here.held);
  pthread_join(writer, NULL);
  return here.written + around_with_red_zones[0] + around_too[0];
}

static void stacks_are_copied(void) {
  long written = 0;
  for (int i = 0; i < 20; i++) written += wait_with_a_stack();
  printf("%ld\n", written);
}

int main(int count, char **arguments) {
  if (count == 1) all_at_once();
  else if (!strcmp(arguments[1], "slots")) slots_change_hands();
  else if (!strcmp(arguments[1], "stack")) stacks_are_copied();
  else return 2;
  return 0;
}
