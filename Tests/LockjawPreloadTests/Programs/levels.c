// Uses locks and counts what it does, then says so and kills itself: the test reads what the arena says of the same.
//
//   levels sites           several threads, every kind of object, known numbers of operations
//   levels many            more locks than a thread's tables have rows
//   levels ring N          one thread, N pairs of a lock, and when: a line "span BEGIN END", CLOCK_MONOTONIC in nanoseconds
//   levels switch          waits for the level to be raised from outside between two rounds
//   levels lives           threads one after the other in the same slot
//   levels handler         a signal handler locks while the thread does
//   levels step            the same after every single instruction of every operation, each time with another lock
//   levels fork            a handler that forks there, and a child that goes on with what was interrupted
//   levels bait            a call whose frame pointer register points at something else
//   levels cond            a condition wait, a broadcast, a semaphore
//
// A line "use OBJECT FROM TO OPERATIONS FAILURES WAITS": what was done to OBJECT by code between the addresses FROM and TO.
#include "probe.h"

#include <inttypes.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define SAY_USE(object, section, operations, failures, waits)                                                       \
  do {                                                                                                              \
    extern const char __start_code_##section[], __stop_code_##section[];                                            \
    printf("use %" PRIxPTR " %" PRIxPTR " %" PRIxPTR " %ld %ld %ld\n", (uintptr_t)(object),                        \
           (uintptr_t)__start_code_##section, (uintptr_t)__stop_code_##section, (long)(operations), (long)(failures), \
           (long)(waits));                                                                                          \
  } while (0)

static void end(void) {
  fflush(stdout);
  kill(getpid(), SIGKILL);
}

enum { THREADS = 4, PAIRS = 5000 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static sem_t semaphore;
static int futex_word;

IN_SECTION(locks) void lock_here(pthread_mutex_t *m) {
  CHECK_EQUAL(pthread_mutex_lock(m), 0);
}
// Without the empty statement the call would be a jump, and its return address the caller's.
IN_SECTION(tries) int try_here(pthread_mutex_t *m) {
  int result = pthread_mutex_trylock(m);
  __asm__ volatile("" : "+r"(result));
  return result;
}
IN_SECTION(reads) void read_here(void) { CHECK_EQUAL(pthread_rwlock_rdlock(&rwlock), 0); }
IN_SECTION(writes) void write_here(void) { CHECK_EQUAL(pthread_rwlock_wrlock(&rwlock), 0); }
IN_SECTION(spins) void spin_here(void) { CHECK_EQUAL(pthread_spin_lock(&spin), 0); }
IN_SECTION(posts) void post_here(void) { CHECK_EQUAL(sem_post(&semaphore), 0); }
IN_SECTION(waits) void wait_here(void) { CHECK_EQUAL(sem_wait(&semaphore), 0); }
IN_SECTION(wakes) void wake_here(void) {
  CHECK_EQUAL(syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
}
IN_SECTION(inits) void init_here(pthread_mutex_t *m) { CHECK_EQUAL(pthread_mutex_init(m, NULL), 0); }

// What there is beside mutexes that do not nest.
static void use_the_others(void) {
  lock_here(&recursive);
  lock_here(&recursive);
  pthread_mutex_unlock(&recursive);
  pthread_mutex_unlock(&recursive);
  read_here();
  read_here();
  pthread_rwlock_unlock(&rwlock);
  pthread_rwlock_unlock(&rwlock);
  write_here();
  pthread_rwlock_unlock(&rwlock);
  spin_here();
  pthread_spin_unlock(&spin);
  post_here();
  wait_here();
  wake_here();
}

static void *one_thread(void *unused) {
  for (int i = 0; i < PAIRS; i++) {
    lock_here(&mutex);
    lock_here(&other);
    pthread_mutex_unlock(&mutex); // out of order
    pthread_mutex_unlock(&other);
    use_the_others();
  }
  return unused;
}

static void *fail_to_try(void *unused) {
  for (int i = 0; i < 1000; i++) CHECK_EQUAL(try_here(&mutex), EBUSY);
  return unused;
}
static void *wait_for_it(void *unused) {
  lock_here(&mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}

static void exact_counts(void) {
  worker w[THREADS];
  pthread_spin_init(&spin, 0);
  sem_init(&semaphore, 0, 0);
  for (int i = 0; i < THREADS; i++) start(&w[i], one_thread, NULL);
  for (int i = 0; i < THREADS; i++) join(&w[i]);
  for (int i = 0; i < 7; i++) init_here(&other);
  SAY_USE(&other, inits, 7, 0, 0);
  // Contention that is certain: one that fails to try, one that waits.
  lock_here(&mutex);
  start(&w[0], fail_to_try, NULL);
  join(&w[0]);
  start(&w[0], wait_for_it, NULL);
  EVENTUALLY(find_slot(w[0].tid) && waits_for(find_slot(w[0].tid), &mutex));
  pthread_mutex_unlock(&mutex);
  join(&w[0]);
  for (int i = 0; i < 3; i++) {
    CHECK_EQUAL(try_here(&mutex), 0);
    pthread_mutex_unlock(&mutex);
  }
  SAY_USE(&mutex, locks, THREADS * PAIRS + 2, 0, -1);
  SAY_USE(&mutex, tries, 3, 1000, 0);
  SAY_USE(&other, locks, THREADS * PAIRS, 0, -1);
  SAY_USE(&recursive, locks, 2 * THREADS * PAIRS, 0, -1);
  SAY_USE(&rwlock, reads, 2 * THREADS * PAIRS, 0, -1);
  SAY_USE(&rwlock, writes, THREADS * PAIRS, 0, -1);
  SAY_USE(&spin, spins, THREADS * PAIRS, 0, -1);
  SAY_USE(&semaphore, posts, THREADS * PAIRS, 0, 0);
  SAY_USE(&semaphore, waits, THREADS * PAIRS, 0, -1);
  SAY_USE(&futex_word, wakes, THREADS * PAIRS, 0, 0);
}

static void many_locks(void) {
  enum { LOCKS = 20000 };
  pthread_mutex_t *locks = calloc(LOCKS, sizeof *locks);
  for (int round = 0; round < 2; round++)
    for (int i = 0; i < LOCKS; i++) {
      lock_here(&locks[i]);
      pthread_mutex_unlock(&locks[i]);
    }
  SAY_USE(NULL, locks, 2 * LOCKS, 0, 0);
}

static void pairs(long count) {
  for (long i = 0; i < count; i++) {
    lock_here(&mutex);
    pthread_mutex_unlock(&mutex);
  }
}

static uint64_t monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// The pairs, in two halves with a pause between them: long enough for a wrong rate to show.
static void dated_pairs(long count) {
  struct timespec pause = {.tv_nsec = 50000000};
  uint64_t begin = monotonic_ns();
  pairs(count / 2);
  nanosleep(&pause, NULL);
  pairs(count - count / 2);
  printf("span %" PRIu64 " %" PRIu64 "\n", begin, monotonic_ns());
}

// At the level it was started with, then at the one that somebody sets in between.
static void *two_rounds(void *unused) {
  const lj_collector_page *page = (const lj_collector_page *)((const char *)arena + LJ_COLLECTOR_OFFSET);
  pairs(100);
  puts("ready");
  fflush(stdout);
  EVENTUALLY(lj_load_acquire32(&page->level) != LJ_LEVEL_STATE);
  pairs(200);
  puts("end");
  return unused;
}

static void *a_life(void *number) {
  for (long i = 0; i <= (long)number; i++) {
    lock_here(&mutex);
    pthread_mutex_unlock(&mutex);
  }
  printf("life %d %ld\n", gettid(), (long)number + 1);
  return NULL;
}

static int go;
static volatile sig_atomic_t handled;
static void lock_in_handler(int signal) {
  (void)signal;
  lock_here(&other);
  pthread_mutex_unlock(&other);
  handled++;
}
// Code without frame pointers keeps anything in that register: here the address of two words on the stack that look like
// a frame, and of which the second is no address of code.
__attribute__((noinline, aligned(16))) static void lock_over_bait(pthread_mutex_t *m) {
  uint64_t bait[2] __attribute__((aligned(16))) = {0, 0x12345678};
  pthread_mutex_unlock(m); // a call, which also keeps the stack aligned for the next
  __asm__ volatile(
      "leaq -128(%%rsp), %%rsp\n\tpushq %%rbp\n\tpushq %%rbp\n\tmovq %1, %%rbp\n\t"
      "call pthread_mutex_lock@PLT\n\tpopq %%rbp\n\tpopq %%rbp\n\tleaq 128(%%rsp), %%rsp"
      : "+D"(m)
      : "a"(bait)
      : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
        "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
}
static void baited(void) {
  pthread_mutex_lock(&mutex);
  lock_over_bait(&mutex);
  CHECK_EQUAL(my_slot()->held[0].caller_count, 1); // it was taken for a frame
  pthread_mutex_unlock(&mutex);
}

// As many signals as fit in between are enough: on a busy machine a yield may last a time slice.
static void *signals(void *target) {
  enum { SIGNALS = 3000 };
  uint64_t end = monotonic_ns() + 3000000000u;
  for (int i = 0; i < SIGNALS && monotonic_ns() < end; i++) {
    pthread_kill(*(pthread_t *)target, SIGUSR1);
    for (int j = 0; j < 50; j++) sched_yield();
  }
  return NULL;
}

static void handlers(void) {
  struct sigaction action = {.sa_handler = lock_in_handler};
  sigaction(SIGUSR1, &action, NULL);
  pthread_t self = pthread_self();
  worker w;
  start(&w, signals, &self);
  long done = 0;
  while (pthread_tryjoin_np(w.thread, NULL) != 0) {
    pairs(100);
    done += 100;
  }
  signal(SIGUSR1, SIG_IGN);
  SAY_USE(&mutex, locks, done, 0, 0);
  SAY_USE(&other, locks, handled, 0, 0);
}

// The processor's trap flag makes a signal of every instruction. The handler runs without it.
enum { TRAP_FLAG = 0x100, STEP_LOCKS = 3000, STEP_ROUNDS = 10 };
static pthread_mutex_t step_locks[STEP_LOCKS];
static volatile long steps_done;
IN_SECTION(steps) void lock_at_step(pthread_mutex_t *m) { CHECK_EQUAL(pthread_mutex_lock(m), 0); }
static void step(int signal) {
  (void)signal;
  pthread_mutex_t *m = &step_locks[steps_done % STEP_LOCKS];
  lock_at_step(m);
  pthread_mutex_unlock(m);
  steps_done++;
}
static void begin_steps(void) { __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG); }
__attribute__((noinline)) static void end_steps(void) { __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~(uint64_t)TRAP_FLAG); }

static void *let_it_wait(void *stepping) {
  const lj_slot *slot = stepping;
  pthread_mutex_lock(&other);
  __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
  EVENTUALLY(waits_for(slot, &other));
  pthread_mutex_unlock(&other);
  return NULL;
}

static void stepped(void) {
  pthread_mutex_t fresh[STEP_ROUNDS] = {0};
  lock_here(&mutex);
  pthread_mutex_unlock(&mutex);
  pthread_spin_init(&spin, 0);
  sem_init(&semaphore, 0, 0);
  struct sigaction action = {.sa_handler = step};
  sigaction(SIGTRAP, &action, NULL);
  for (int i = 0; i < STEP_ROUNDS; i++) {
    begin_steps();
    lock_here(&fresh[i]);
    lock_here(&mutex);
    pthread_mutex_unlock(&fresh[i]);
    CHECK_EQUAL(try_here(&mutex), EBUSY);
    pthread_mutex_unlock(&mutex);
    use_the_others();
    end_steps();
    CHECK_EQUAL(my_slot()->held_count, 0);
    // A wait that really is one, from its first instruction to its last.
    go = 0;
    worker w;
    start(&w, let_it_wait, (void *)my_slot());
    EVENTUALLY(__atomic_load_n(&go, __ATOMIC_ACQUIRE));
    begin_steps();
    lock_here(&other);
    end_steps();
    CHECK_EQUAL(my_slot()->wait.seq & 1, 0);
    CHECK_EQUAL(my_slot()->interrupted, 0);
    CHECK_EQUAL(my_slot()->held_count, 1);
    CHECK_EQUAL(holds(my_slot(), &other), 1);
    CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_ACQUIRED);
    CHECK_EQUAL(newest_event(my_slot())->object, (uintptr_t)&other);
    pthread_mutex_unlock(&other);
    join(&w);
  }
  CHECK(steps_done > STEP_ROUNDS * 1000);
  SAY_USE(&mutex, locks, STEP_ROUNDS + 1, 0, 0);
  SAY_USE(&mutex, tries, 0, STEP_ROUNDS, 0);
  SAY_USE(&fresh[STEP_ROUNDS - 1], locks, 1, 0, 0);
  SAY_USE(&other, locks, STEP_ROUNDS, 0, STEP_ROUNDS);
  SAY_USE(&recursive, locks, 2 * STEP_ROUNDS, 0, 0);
  SAY_USE(&rwlock, reads, 2 * STEP_ROUNDS, 0, 0);
  SAY_USE(&rwlock, writes, STEP_ROUNDS, 0, 0);
  SAY_USE(&spin, spins, STEP_ROUNDS, 0, 0);
  SAY_USE(&semaphore, posts, STEP_ROUNDS, 0, 0);
  SAY_USE(&semaphore, waits, STEP_ROUNDS, 0, 0);
  SAY_USE(&futex_word, wakes, STEP_ROUNDS, 0, 0);
  SAY_USE(NULL, steps, steps_done, 0, 0);
}

// After every single instruction a handler forks, and the child takes another lock there before it goes on with what the
// handler interrupted.
static volatile bool is_child;
static volatile long children, children_lost;
static void fork_at_step(int signal, siginfo_t *about, void *context) {
  (void)signal, (void)about;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  // The vdso reads the clock anew whenever the kernel has moved it meanwhile; a fork at each step takes so long that it always has.
  enum { VDSO_BYTES = 16384 };
  if (is_child || (uint64_t)registers[REG_RIP] - getauxval(AT_SYSINFO_EHDR) < VDSO_BYTES) return;
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    is_child = true;
    CHECK_EQUAL(pthread_mutex_lock(&other), 0);
    CHECK_EQUAL(pthread_mutex_unlock(&other), 0);
    registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    return;
  }
  int status;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  children++;
  if (status) children_lost++;
}

static void forked(void) {
  pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
  lock_here(&mutex);
  pthread_mutex_unlock(&mutex);
  struct sigaction action = {.sa_sigaction = fork_at_step, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &action, NULL);
  begin_steps();
  CHECK_EQUAL(pthread_mutex_lock(&fresh), 0);
  CHECK_EQUAL(pthread_mutex_trylock(&fresh), EBUSY);
  CHECK_EQUAL(pthread_mutex_unlock(&fresh), 0);
  end_steps();
  if (is_child) _exit(0);
  CHECK(children > 100);
  CHECK_EQUAL(children_lost, 0);
}

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
IN_SECTION(condwaits) void cond_wait_here(void) { CHECK_EQUAL(pthread_cond_wait(&cond, &mutex), 0); }
IN_SECTION(broadcasts) void broadcast_here(void) { CHECK_EQUAL(pthread_cond_broadcast(&cond), 0); }
static void *waiter(void *unused) {
  lock_here(&mutex);
  while (!go) cond_wait_here();
  pthread_mutex_unlock(&mutex);
  return unused;
}
static void conditions(void) {
  worker w;
  start(&w, waiter, NULL);
  EVENTUALLY(find_slot(w.tid) && waits_for(find_slot(w.tid), &cond));
  lock_here(&mutex);
  go = 1;
  broadcast_here();
  pthread_mutex_unlock(&mutex);
  join(&w);
  SAY_USE(&mutex, locks, 2, 0, -1);
  SAY_USE(&cond, condwaits, 0, 0, 1);
  SAY_USE(&cond, broadcasts, 1, 0, 0);
}

int main(int count, char **arguments) {
  CHECK(count >= 2);
  const char *mode = arguments[1];
  open_arena();
  printf("mutex %" PRIxPTR " tid %d\n", (uintptr_t)&mutex, gettid());
  if (!strcmp(mode, "sites")) exact_counts();
  else if (!strcmp(mode, "many")) many_locks();
  else if (!strcmp(mode, "fork")) forked();
  else if (!strcmp(mode, "ring")) dated_pairs(atol(arguments[2]));
  else if (!strcmp(mode, "switch")) two_rounds(NULL);
  else if (!strcmp(mode, "handler")) handlers();
  else if (!strcmp(mode, "step")) stepped();
  else if (!strcmp(mode, "bait")) baited();
  else if (!strcmp(mode, "cond")) conditions();
  else if (!strcmp(mode, "lives"))
    for (long i = 0; i < 20; i++) {
      pthread_t thread;
      CHECK_EQUAL(pthread_create(&thread, NULL, a_life, (void *)i), 0);
      CHECK_EQUAL(pthread_join(thread, NULL), 0);
    }
  else return 2;
  end();
  return 1;
}
