// Threads that no pthread function made: clone(2), each with a stack of its own.
//
//   raw_threads borrowed    on the first thread's thread-local storage, as clone leaves it. glibc itself takes the two for
//                           one, so does the shim; both go on locking, and no list grows
//   raw_threads own         with thread-local storage of its own (CLONE_SETTLS): a thread like any other
//   raw_threads anonymous   the same, where glibc's descriptor does not say the thread's number
#include "probe.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <sched.h>

static char stack[65536] __attribute__((aligned(16)));
static pthread_mutex_t its_own = PTHREAD_MUTEX_INITIALIZER, ours = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t kept = PTHREAD_MUTEX_INITIALIZER, fleeting = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int done_with, told;
static _Atomic int gone; // the kernel clears it when the thread has ended

static int begin(int (*body)(void *), int flags, void *storage) {
  flags |= CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
  __atomic_store_n(&gone, 1, __ATOMIC_RELEASE);
  int tid = clone(body, stack + sizeof stack, flags, NULL, NULL, storage, &gone);
  CHECK(tid > 0);
  return tid;
}
static void end(void) { EVENTUALLY(!__atomic_load_n(&gone, __ATOMIC_ACQUIRE)); }
static void wait_to_be_told(int number) {
  while (__atomic_load_n(&told, __ATOMIC_ACQUIRE) != number) sched_yield();
}

// --- on another's thread-local storage
enum { PAIRS = 200000, ROOM = 2 * (LJ_HELD_INLINE + LJ_HELD_PER_EXTENT) };
static int borrows(void *unused) {
  (void)unused;
  static uint32_t word;
  struct timespec soon = {.tv_nsec = 1000000};
  for (int i = 0; i < 20; i++) (void)syscall(SYS_futex, &word, FUTEX_WAIT, 0, &soon);
  for (int i = 0; i < PAIRS; i++) {
    if (pthread_mutex_lock(&its_own) != 0 || pthread_mutex_unlock(&its_own) != 0) _exit(2);
  }
  __atomic_store_n(&done_with, 1, __ATOMIC_RELEASE);
  wait_to_be_told(1);
  if (pthread_mutex_lock(&kept) != 0) _exit(3);
  syscall(SYS_exit, 0);
  return 0;
}

// Two locks, so that two threads wait; each is given back when it is time.
static void *keep_both(void *unused) {
  CHECK_EQUAL(pthread_mutex_lock(&kept), 0);
  CHECK_EQUAL(pthread_mutex_lock(&fleeting), 0);
  __atomic_store_n(&done_with, 2, __ATOMIC_RELEASE);
  wait_to_be_told(2);
  CHECK_EQUAL(pthread_mutex_unlock(&fleeting), 0);
  wait_to_be_told(3);
  CHECK_EQUAL(pthread_mutex_unlock(&kept), 0);
  return unused;
}

typedef struct both_asleep {
  int first, other;
} both_asleep;
static void *tell_when_they_sleep(void *argument) {
  const both_asleep *threads = argument;
  EVENTUALLY(waits_for(find_slot(threads->first), &fleeting));
  // Its wait is on record. Now the other one, which has no record of its own.
  __atomic_store_n(&told, 1, __ATOMIC_RELEASE);
  EVENTUALLY(sleeps(threads->other));
  CHECK(waits_for(find_slot(threads->first), &fleeting));
  __atomic_store_n(&told, 2, __ATOMIC_RELEASE);
  return NULL;
}

// Lies where the shim's part of the first thread's stack was while it waited.
__attribute__((noinline)) static void stay_whole_until_it_ends(void) {
  volatile unsigned char lower_stack[8192];
  for (size_t i = 0; i < sizeof lower_stack; i++) lower_stack[i] = 0x5A;
  __atomic_store_n(&told, 3, __ATOMIC_RELEASE);
  end();
  for (size_t i = 0; i < sizeof lower_stack; i++) CHECK_EQUAL(lower_stack[i], 0x5A);
}

static void borrowed(void) {
  // Both write into one list, so what is on it in between is anybody's; but the program's locks work, and what a race
  // of the two leaves behind does not pile up.
  int tid = begin(borrows, 0, NULL);
  do {
    CHECK_EQUAL(pthread_mutex_lock(&ours), 0);
    CHECK_EQUAL(pthread_mutex_unlock(&ours), 0);
    CHECK(my_slot()->held_count < ROOM);
  } while (!__atomic_load_n(&done_with, __ATOMIC_ACQUIRE));
  pthread_mutex_init(&ours, NULL);
  CHECK_EQUAL(holds(my_slot(), &ours), 0);
  CHECK_EQUAL(pthread_mutex_lock(&ours), 0);
  CHECK_EQUAL(holds(my_slot(), &ours), 1);
  CHECK_EQUAL(pthread_mutex_unlock(&ours), 0);
  CHECK_EQUAL(holds(my_slot(), &ours), 0);
  // Both wait at once. What is recorded is the wait of the thread whose slot it is.
  worker keeper, teller;
  start(&keeper, keep_both, NULL);
  EVENTUALLY(__atomic_load_n(&done_with, __ATOMIC_ACQUIRE) == 2);
  both_asleep threads = {.first = gettid(), .other = tid};
  uint64_t waits = my_slot()->ring_head;
  start(&teller, tell_when_they_sleep, &threads);
  CHECK_EQUAL(pthread_mutex_lock(&fleeting), 0);
  CHECK_EQUAL(newest_event(my_slot())->object, (uintptr_t)&fleeting);
  stay_whole_until_it_ends();
  CHECK(!is_waiting(my_slot()));
  CHECK_EQUAL(my_slot()->ring_head, waits + 1);
  CHECK_EQUAL(pthread_mutex_unlock(&fleeting), 0);
  join(&keeper);
  join(&teller);
}

// --- with its own
static int owns(void *unused) {
  (void)unused;
  if (pthread_mutex_lock(&its_own) != 0) _exit(2);
  __atomic_store_n(&done_with, 1, __ATOMIC_RELEASE);
  wait_to_be_told(1);
  if (pthread_mutex_lock(&ours) != 0) _exit(3); // the first thread has it: a wait
  if (pthread_mutex_unlock(&ours) != 0 || pthread_mutex_unlock(&its_own) != 0) _exit(4);
  if (pthread_mutex_lock(&kept) != 0) _exit(5);
  __atomic_store_n(&done_with, 2, __ATOMIC_RELEASE);
  wait_to_be_told(2);
  syscall(SYS_exit, 0); // without a destructor
  return 0;
}

static void *lock_and_stay(void *unused) {
  pthread_mutex_lock(&fleeting);
  pthread_mutex_unlock(&fleeting);
  wait_to_be_told(3);
  return unused;
}

// Words of glibc's descriptor of a thread that its own code needs (x86-64, sysdeps/x86_64/nptl/tls.h): addresses of
// itself, and the guards, which are the process'.
static void *make_storage(bool names_the_thread, int **tid_field) {
  enum { SELF = 0, SELF_TOO = 2, STACK_GUARD = 5, POINTER_GUARD = 6, TID_BYTES = 0x2d0 };
  void *(*allocate)(void *) = (void *(*)(void *))dlsym(RTLD_DEFAULT, "_dl_allocate_tls");
  CHECK(allocate);
  uint64_t *descriptor = allocate(NULL), stack_guard, pointer_guard;
  CHECK(descriptor);
  __asm__("movq %%fs:40, %0" : "=r"(stack_guard));
  __asm__("movq %%fs:48, %0" : "=r"(pointer_guard));
  descriptor[SELF] = descriptor[SELF_TOO] = (uintptr_t)descriptor;
  descriptor[STACK_GUARD] = stack_guard;
  descriptor[POINTER_GUARD] = pointer_guard;
  CHECK_EQUAL(*(int *)((char *)pthread_self() + TID_BYTES), gettid());
  *tid_field = names_the_thread ? (int *)((char *)descriptor + TID_BYTES) : NULL;
  return descriptor;
}

static void with_storage(bool names_the_thread) {
  CHECK_EQUAL(pthread_mutex_lock(&ours), 0);
  int *tid_field;
  void *storage = make_storage(names_the_thread, &tid_field);
  int tid = begin(owns, CLONE_SETTLS, storage);
  if (tid_field) *tid_field = tid;
  EVENTUALLY(__atomic_load_n(&done_with, __ATOMIC_ACQUIRE) == 1);
  const lj_slot *slot = find_slot(tid);
  CHECK(slot && slot != my_slot());
  CHECK_EQUAL(holds(slot, &its_own), 1);
  CHECK_EQUAL(holds(my_slot(), &its_own), 0);
  CHECK_EQUAL(holds(my_slot(), &ours), 1);
  __atomic_store_n(&told, 1, __ATOMIC_RELEASE);
  EVENTUALLY(waits_for(slot, &ours));
  CHECK_EQUAL(slot->wait.owner_tid, gettid());
  CHECK_EQUAL(slot->held_count, 1);
  CHECK_EQUAL(pthread_mutex_unlock(&ours), 0);
  EVENTUALLY(__atomic_load_n(&done_with, __ATOMIC_ACQUIRE) == 2);
  CHECK_EQUAL(slot->held_count, 1);
  CHECK_EQUAL(holds(slot, &kept), 1);
  struct timespec soon = in_ms(CLOCK_REALTIME, 5);
  CHECK_EQUAL(pthread_mutex_timedlock(&kept, &soon), ETIMEDOUT);
  __atomic_store_n(&told, 2, __ATOMIC_RELEASE);
  end();
  // Nobody gave its slot back. Once there are many threads somebody looks, and finds that it ended holding.
  enum { MANY = 300 };
  static worker workers[MANY];
  for (int i = 0; i < MANY; i++) start(&workers[i], lock_and_stay, NULL);
  EVENTUALLY(slot->phase == LJ_PHASE_EXITED_HOLDING);
  CHECK_EQUAL(slot->tid, tid);
  CHECK_EQUAL(holds(slot, &kept), 1);
  __atomic_store_n(&told, 3, __ATOMIC_RELEASE);
  for (int i = 0; i < MANY; i++) join(&workers[i]);
}

static void *stay(void *unused) {
  for (;;) pause();
  return unused;
}

int main(int count, char **arguments) {
  CHECK(count == 2);
  open_arena();
  // As long as pthread_create was never called, glibc takes the process for single-threaded: its locks are no atomics and wake
  // nobody.
  worker w;
  start(&w, stay, NULL);
  if (!strcmp(arguments[1], "borrowed")) borrowed();
  else if (!strcmp(arguments[1], "own")) with_storage(true);
  else if (!strcmp(arguments[1], "anonymous")) with_storage(false);
  else return 2;
  return done();
}
