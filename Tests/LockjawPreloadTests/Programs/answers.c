// Every answer a program can get, printed: with and without the shim the output must be the same. No arena is looked at.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

// Each call is made with errno set to a value nobody sets; printed are the result and errno after it.
#define SAY(call)                                                        \
  do {                                                                   \
    errno = 4242;                                                        \
    long result_ = (long)(call);                                         \
    int error_ = errno;                                                  \
    printf("%-90s -> %ld, errno %d\n", #call, result_, error_);          \
  } while (0)

static struct timespec at(clockid_t clock, long ms) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_sec += ms / 1000;
  t.tv_nsec += ms % 1000 * 1000000;
  if (t.tv_nsec >= 1000000000) t.tv_nsec -= 1000000000, t.tv_sec++;
  return t;
}
static const struct timespec bad_nanoseconds = {.tv_sec = 1, .tv_nsec = 1000000000}, negative = {.tv_nsec = -1},
                             past = {.tv_sec = 1}, before_epoch = {.tv_sec = -5};
static struct timespec soon(clockid_t clock) { return at(clock, 5); }

static void in_thread(void *(*body)(void *), void *argument) {
  pthread_t thread;
  pthread_create(&thread, NULL, body, argument);
  pthread_join(thread, NULL);
}

static void *try_mutex(void *argument) {
  pthread_mutex_t *mutex = argument;
  struct timespec t;
  SAY(pthread_mutex_trylock(mutex));
  SAY((t = soon(CLOCK_REALTIME), pthread_mutex_timedlock(mutex, &t)));
  SAY(pthread_mutex_timedlock(mutex, &past));
  SAY(pthread_mutex_timedlock(mutex, &before_epoch));
  SAY(pthread_mutex_timedlock(mutex, &bad_nanoseconds));
  SAY(pthread_mutex_timedlock(mutex, &negative));
  SAY((t = soon(CLOCK_MONOTONIC), pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &t)));
  SAY((t = soon(CLOCK_REALTIME), pthread_mutex_clocklock(mutex, CLOCK_REALTIME, &t)));
  SAY(pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &bad_nanoseconds));
  SAY(pthread_mutex_clocklock(mutex, CLOCK_THREAD_CPUTIME_ID, &past));
  SAY(pthread_mutex_clocklock(mutex, -1, &past));
  return NULL;
}
static void *unlock_mutex(void *argument) {
  SAY(pthread_mutex_unlock(argument));
  return NULL;
}
static void *lock_and_end(void *argument) {
  SAY(pthread_mutex_lock(argument));
  return NULL;
}

static void one_mutex(const char *name, int type, int protocol, int robust, int shared) {
  printf("-- mutex %s\n", name);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, type);
  pthread_mutexattr_setprotocol(&attributes, protocol);
  pthread_mutexattr_setrobust(&attributes, robust);
  pthread_mutexattr_setpshared(&attributes, shared);
  static pthread_mutex_t mutex;
  SAY(pthread_mutex_init(&mutex, &attributes));
  struct timespec later = at(CLOCK_REALTIME, 60000), later_monotonic = at(CLOCK_MONOTONIC, 60000);
  SAY(pthread_mutex_lock(&mutex));
  if (type == PTHREAD_MUTEX_RECURSIVE || type == PTHREAD_MUTEX_ERRORCHECK) SAY(pthread_mutex_lock(&mutex));
  SAY(pthread_mutex_trylock(&mutex));
  SAY(pthread_mutex_timedlock(&mutex, &past));
  in_thread(try_mutex, &mutex);
  if (type == PTHREAD_MUTEX_ERRORCHECK || type == PTHREAD_MUTEX_RECURSIVE || robust == PTHREAD_MUTEX_ROBUST)
    in_thread(unlock_mutex, &mutex);
  SAY(pthread_mutex_destroy(&mutex));
  for (int i = 0; i < 4; i++)
    if (i == 0 || type == PTHREAD_MUTEX_RECURSIVE) SAY(pthread_mutex_unlock(&mutex));
  if (type == PTHREAD_MUTEX_ERRORCHECK || type == PTHREAD_MUTEX_RECURSIVE) SAY(pthread_mutex_unlock(&mutex));
  SAY(pthread_mutex_timedlock(&mutex, &later));
  SAY(pthread_mutex_unlock(&mutex));
  SAY(pthread_mutex_timedlock(&mutex, &bad_nanoseconds)); // free: is the deadline looked at?
  SAY(pthread_mutex_unlock(&mutex));
  SAY(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &later_monotonic));
  if (mutex.__data.__owner) SAY(pthread_mutex_unlock(&mutex));
  SAY(pthread_mutex_clocklock(&mutex, CLOCK_PROCESS_CPUTIME_ID, &later));
  SAY(pthread_mutex_clocklock(&mutex, INT_MIN, &later));
  if (robust == PTHREAD_MUTEX_ROBUST) {
    in_thread(lock_and_end, &mutex);
    SAY(pthread_mutex_trylock(&mutex));
    SAY(pthread_mutex_consistent(&mutex));
    SAY(pthread_mutex_unlock(&mutex));
    in_thread(lock_and_end, &mutex);
    SAY(pthread_mutex_lock(&mutex));
    SAY(pthread_mutex_unlock(&mutex)); // not made consistent: lost for good
    SAY(pthread_mutex_lock(&mutex));
    SAY(pthread_mutex_lock(&mutex));
    SAY(pthread_mutex_timedlock(&mutex, &later));
    SAY(pthread_mutex_clocklock(&mutex, CLOCK_REALTIME, &later));
    SAY(pthread_mutex_lock(&mutex));
    SAY(pthread_mutex_unlock(&mutex));
  }
  SAY(pthread_mutex_destroy(&mutex));
  SAY(pthread_mutex_lock(&mutex));
  SAY(pthread_mutex_unlock(&mutex));
}

static void recursion_has_a_limit(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &attributes);
  SAY(pthread_mutex_lock(&mutex));
  mutex.__data.__count = UINT_MAX;
  SAY(pthread_mutex_lock(&mutex));
  SAY(pthread_mutex_trylock(&mutex));
  SAY(pthread_mutex_timedlock(&mutex, &past));
  mutex.__data.__count = 1;
  SAY(pthread_mutex_unlock(&mutex));
}

static void a_priority_ceiling(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_PROTECT);
  pthread_mutexattr_setprioceiling(&attributes, 1);
  pthread_mutex_t mutex;
  SAY(pthread_mutex_init(&mutex, &attributes));
  SAY(pthread_mutex_lock(&mutex));
  SAY(pthread_mutex_trylock(&mutex));
  SAY(pthread_mutex_unlock(&mutex));
}

static void *try_rwlock(void *argument) {
  pthread_rwlock_t *lock = argument;
  struct timespec t;
  SAY(pthread_rwlock_tryrdlock(lock));
  SAY(pthread_rwlock_trywrlock(lock));
  SAY((t = soon(CLOCK_REALTIME), pthread_rwlock_timedrdlock(lock, &t)));
  SAY((t = soon(CLOCK_REALTIME), pthread_rwlock_timedwrlock(lock, &t)));
  SAY((t = soon(CLOCK_MONOTONIC), pthread_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, &t)));
  SAY((t = soon(CLOCK_MONOTONIC), pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &t)));
  SAY(pthread_rwlock_timedrdlock(lock, &past));
  SAY(pthread_rwlock_timedwrlock(lock, &before_epoch));
  SAY(pthread_rwlock_timedwrlock(lock, &negative));
  return NULL;
}

static void rwlocks(int kind) {
  printf("-- rwlock of kind %d\n", kind);
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, kind);
  static pthread_rwlock_t lock;
  SAY(pthread_rwlock_init(&lock, &attributes));
  struct timespec later = at(CLOCK_REALTIME, 60000);
  // A free lock: bad deadlines and clocks are refused all the same.
  SAY(pthread_rwlock_timedrdlock(&lock, &bad_nanoseconds));
  SAY(pthread_rwlock_timedwrlock(&lock, &bad_nanoseconds));
  SAY(pthread_rwlock_clockrdlock(&lock, CLOCK_THREAD_CPUTIME_ID, &later));
  SAY(pthread_rwlock_clockwrlock(&lock, -7, &later));
  SAY(pthread_rwlock_clockrdlock(&lock, CLOCK_REALTIME, &negative));
  SAY(pthread_rwlock_timedrdlock(&lock, &past));
  SAY(pthread_rwlock_rdlock(&lock));
  SAY(pthread_rwlock_tryrdlock(&lock));
  SAY(pthread_rwlock_trywrlock(&lock));
  SAY(pthread_rwlock_timedwrlock(&lock, &past));
  in_thread(try_rwlock, &lock);
  while (lock.__data.__readers >> 3) SAY(pthread_rwlock_unlock(&lock));
  SAY(pthread_rwlock_wrlock(&lock));
  SAY(pthread_rwlock_wrlock(&lock));
  SAY(pthread_rwlock_rdlock(&lock));
  SAY(pthread_rwlock_tryrdlock(&lock));
  SAY(pthread_rwlock_trywrlock(&lock));
  SAY(pthread_rwlock_timedrdlock(&lock, &later));
  in_thread(try_rwlock, &lock);
  SAY(pthread_rwlock_unlock(&lock));
  SAY(pthread_rwlock_clockwrlock(&lock, CLOCK_REALTIME, &later));
  SAY(pthread_rwlock_unlock(&lock));
  // No deadline at all; the headers forbid it, and glibc waits without limit.
  const struct timespec *volatile none = NULL;
  SAY(pthread_rwlock_timedrdlock(&lock, none));
  SAY(pthread_rwlock_unlock(&lock));
  SAY(pthread_rwlock_clockwrlock(&lock, CLOCK_MONOTONIC, none));
  SAY(pthread_rwlock_unlock(&lock));
  SAY(pthread_rwlock_destroy(&lock));
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static void conditions(void) {
  printf("-- conditions\n");
  struct timespec t;
  pthread_mutex_lock(&mutex);
  SAY(pthread_cond_timedwait(&cond, &mutex, &bad_nanoseconds));
  SAY(pthread_cond_timedwait(&cond, &mutex, &past));
  SAY(pthread_cond_timedwait(&cond, &mutex, &before_epoch));
  SAY((t = soon(CLOCK_REALTIME), pthread_cond_timedwait(&cond, &mutex, &t)));
  SAY((t = soon(CLOCK_MONOTONIC), pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &t)));
  SAY(pthread_cond_clockwait(&cond, &mutex, CLOCK_THREAD_CPUTIME_ID, &past));
  SAY(pthread_mutex_unlock(&mutex));
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_t checked;
  pthread_mutex_init(&checked, &attributes);
  SAY(pthread_cond_timedwait(&cond, &checked, &past)); // not locked by us
  SAY(pthread_mutex_lock(&checked));
  SAY(pthread_cond_timedwait(&cond, &checked, &past));
  SAY(pthread_mutex_unlock(&checked));
  SAY(pthread_mutex_unlock(&checked));
}

static void semaphores(void) {
  printf("-- semaphores\n");
  struct timespec t;
  static sem_t semaphore;
  SAY(sem_init(&semaphore, 0, 2));
  SAY(sem_init(&semaphore, 0, UINT_MAX));
  SAY(sem_init(&semaphore, 0, 2));
  SAY(sem_timedwait(&semaphore, &bad_nanoseconds)); // a permit is there, the deadline is refused
  SAY(sem_clockwait(&semaphore, CLOCK_THREAD_CPUTIME_ID, &past));
  SAY(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &negative));
  SAY(sem_wait(&semaphore));
  SAY(sem_timedwait(&semaphore, &past));
  SAY(sem_trywait(&semaphore));
  SAY(sem_timedwait(&semaphore, &past));
  SAY(sem_timedwait(&semaphore, &before_epoch));
  SAY((t = soon(CLOCK_REALTIME), sem_timedwait(&semaphore, &t)));
  SAY((t = soon(CLOCK_MONOTONIC), sem_clockwait(&semaphore, CLOCK_MONOTONIC, &t)));
  SAY(sem_post(&semaphore));
  SAY(sem_wait(&semaphore));
  SAY(sem_init(&semaphore, 0, SEM_VALUE_MAX));
  SAY(sem_post(&semaphore));
  SAY(sem_destroy(&semaphore));
}

static void *wait_for_nothing(void *unused) {
  pause();
  return unused;
}
static void *end_at_once(void *value) { return value; }
static void joins(void) {
  printf("-- joins\n");
  struct timespec t;
  pthread_t thread;
  void *value = NULL;
  SAY(pthread_join(pthread_self(), NULL));
  pthread_create(&thread, NULL, wait_for_nothing, NULL);
  SAY((t = soon(CLOCK_REALTIME), pthread_timedjoin_np(thread, &value, &t)));
  SAY((t = soon(CLOCK_MONOTONIC), pthread_clockjoin_np(thread, &value, CLOCK_MONOTONIC, &t)));
  SAY(pthread_clockjoin_np(thread, &value, CLOCK_THREAD_CPUTIME_ID, &past));
  SAY(pthread_timedjoin_np(thread, &value, &past));
  SAY(pthread_tryjoin_np(thread, &value));
  SAY(pthread_cancel(thread));
  SAY(pthread_join(thread, &value));
  SAY(value == PTHREAD_CANCELED);
  pthread_create(&thread, NULL, end_at_once, (void *)99);
  SAY(pthread_timedjoin_np(thread, &value, NULL));
  SAY((long)value);
  pthread_create(&thread, NULL, wait_for_nothing, NULL);
  SAY(pthread_detach(thread));
  SAY(pthread_join(thread, NULL));
}

static void others(void) {
  printf("-- others\n");
  pthread_spinlock_t spin;
  pthread_spin_init(&spin, 0);
  SAY(pthread_spin_lock(&spin));
  SAY(pthread_spin_trylock(&spin));
  SAY(pthread_spin_unlock(&spin));
  pthread_barrier_t barrier;
  SAY(pthread_barrier_init(&barrier, NULL, 1));
  SAY(pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD);
  SAY(pthread_setname_np(pthread_self(), "a name that is far too long"));
  SAY(pthread_setname_np(pthread_self(), "short"));
  mtx_t c11;
  SAY(mtx_init(&c11, mtx_recursive | mtx_timed));
  SAY(mtx_lock(&c11));
  SAY(mtx_trylock(&c11));
  SAY(mtx_timedlock(&c11, &past));
  SAY(mtx_unlock(&c11));
  SAY(mtx_unlock(&c11));
  SAY(mtx_unlock(&c11));
  SAY(mtx_unlock(&c11));
  mtx_destroy(&c11);
  cnd_t condition;
  SAY(mtx_init(&c11, mtx_plain));
  SAY(cnd_init(&condition));
  SAY(mtx_lock(&c11));
  SAY(mtx_trylock(&c11));
  SAY(cnd_timedwait(&condition, &c11, &past));
  SAY(cnd_timedwait(&condition, &c11, &bad_nanoseconds));
  SAY(mtx_unlock(&c11));
}

static void initialising(void) {
  printf("-- initialising and destroying\n");
  pthread_mutex_t plain;
  SAY(pthread_mutex_init(&plain, NULL));
  SAY(pthread_mutex_consistent(&plain)); // not robust
  int ceiling;
  SAY(pthread_mutex_getprioceiling(&plain, &ceiling));
  SAY(pthread_mutex_setprioceiling(&plain, 1, &ceiling));
  SAY(pthread_mutex_trylock(&plain));
  SAY(pthread_mutex_destroy(&plain)); // locked
  SAY(pthread_mutex_unlock(&plain));
  pthread_mutexattr_t robust_ceiling;
  pthread_mutexattr_init(&robust_ceiling);
  pthread_mutexattr_setrobust(&robust_ceiling, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setprotocol(&robust_ceiling, PTHREAD_PRIO_PROTECT);
  SAY(pthread_mutex_init(&plain, &robust_ceiling)); // not supported
  pthread_rwlock_t rwlock;
  SAY(pthread_rwlock_init(&rwlock, NULL));
  rwlock.__data.__readers = 0x7FFFFFF8; // as many as can be counted
  SAY(pthread_rwlock_rdlock(&rwlock));
  SAY(pthread_rwlock_tryrdlock(&rwlock));
  SAY(pthread_rwlock_timedrdlock(&rwlock, &past));
  rwlock.__data.__readers = 0;
  SAY(pthread_rwlock_destroy(&rwlock));
  pthread_barrier_t barrier;
  SAY(pthread_barrier_init(&barrier, NULL, 0));
  SAY(pthread_barrier_init(&barrier, NULL, 2));
  SAY(pthread_barrier_destroy(&barrier));
  pthread_spinlock_t spin;
  SAY(pthread_spin_init(&spin, PTHREAD_PROCESS_SHARED));
  SAY(pthread_spin_lock(&spin));
  SAY(pthread_spin_trylock(&spin));
  SAY(pthread_spin_unlock(&spin));
  SAY(pthread_spin_destroy(&spin));
  pthread_cond_t condition;
  SAY(pthread_cond_init(&condition, NULL));
  SAY(pthread_cond_signal(&condition));
  SAY(pthread_cond_broadcast(&condition));
  SAY(pthread_cond_destroy(&condition));
  cnd_t c11;
  SAY(cnd_init(&c11));
  SAY(cnd_signal(&c11));
  SAY(cnd_broadcast(&c11));
  cnd_destroy(&c11);
}

static void named_semaphores(void) {
  printf("-- named semaphores\n");
  char name[64];
  snprintf(name, sizeof name, "/lockjaw-answers-%d", getpid());
  SAY(sem_open(name, 0) == SEM_FAILED);
  sem_t *semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
  SAY(semaphore != SEM_FAILED);
  SAY(sem_open(name, O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED);
  SAY(sem_unlink(name));
  SAY(sem_unlink(name));
  SAY(sem_wait(semaphore));
  SAY(sem_trywait(semaphore));
  SAY(sem_timedwait(semaphore, &past));
  SAY(sem_post(semaphore));
  int value = -1;
  SAY(sem_getvalue(semaphore, &value));
  SAY(value);
  SAY(sem_close(semaphore));
}

static void nothing(int signal) { (void)signal; }
static sem_t waited_for;
static void *interrupt(void *thread) {
  int tid = *(int *)thread;
  char path[64], line[64] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
  while (strncmp(line, "202 ", 4)) { // asleep in a futex call
    FILE *file = fopen(path, "r");
    if (!file || !fgets(line, sizeof line, file)) line[0] = 0;
    if (file) fclose(file);
  }
  syscall(SYS_tgkill, getpid(), tid, SIGUSR2);
  return NULL;
}
static void interruptions(void) {
  printf("-- interrupted\n");
  struct sigaction action = {.sa_handler = nothing};
  sigaction(SIGUSR2, &action, NULL);
  sem_init(&waited_for, 0, 0);
  int tid = gettid();
  pthread_t thread;
  pthread_create(&thread, NULL, interrupt, &tid);
  SAY(sem_wait(&waited_for));
  pthread_join(thread, NULL);
  pthread_create(&thread, NULL, interrupt, &tid);
  struct timespec later = at(CLOCK_REALTIME, 60000);
  SAY(sem_timedwait(&waited_for, &later));
  pthread_join(thread, NULL);
}

// The mutex of a condition wait whose owner died meanwhile.
static pthread_mutex_t robust;
static pthread_cond_t robust_cond = PTHREAD_COND_INITIALIZER;
static void *die_with_it(void *unused) {
  SAY(pthread_mutex_lock(&robust));
  SAY(pthread_cond_signal(&robust_cond));
  return unused;
}
static void owners_that_die(void) {
  printf("-- a dead owner, seen from a condition wait\n");
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  SAY(pthread_mutex_init(&robust, &attributes));
  SAY(pthread_mutex_lock(&robust));
  pthread_t thread;
  pthread_create(&thread, NULL, die_with_it, NULL);
  SAY(pthread_cond_wait(&robust_cond, &robust));
  SAY(pthread_mutex_unlock(&robust)); // not made consistent
  struct timespec later = at(CLOCK_REALTIME, 60000);
  SAY(pthread_cond_timedwait(&robust_cond, &robust, &later));
  SAY(pthread_mutex_lock(&robust));
  pthread_join(thread, NULL);
}

static void futexes(void) {
  printf("-- futexes\n");
  static uint32_t word = 5;
  struct timespec soon = {.tv_nsec = 5000000};
  SAY(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 4, NULL));
  SAY(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &soon));
  SAY(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 5, &past, NULL, 1));
  SAY(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 5, &past, NULL, 0));
  SAY(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1));
  SAY(syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1L, &word + 1, 4));
  SAY(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI_PRIVATE));
  SAY(syscall(SYS_futex, (char *)&word + 1, FUTEX_WAIT_PRIVATE, 5, NULL));
  SAY(syscall(SYS_futex, NULL, FUTEX_WAKE_PRIVATE, 1));
  SAY(syscall(449 /* futex_waitv */, NULL, 1, 0, NULL, 0));
  SAY(syscall(449, &word, 1000, 0, NULL, 0));
  SAY(syscall(455 /* futex_wait */, &word, 4UL, 0xFFFFFFFFUL, 2, NULL, CLOCK_MONOTONIC));
  SAY(syscall(455, &word, 5UL, 0xFFFFFFFFUL, 2, &past, CLOCK_MONOTONIC));
  SAY(syscall(455, &word, 5UL, 0xFFFFFFFFUL, 2, &past, CLOCK_THREAD_CPUTIME_ID));
  SAY(syscall(455, NULL, 5UL, 0UL, 77, NULL, 0));
  SAY(syscall(454 /* futex_wake */, &word, 0xFFFFFFFFUL, 1, 2));
  SAY(syscall(454, &word, 0UL, 1, 77));
}

int main(void) {
  one_mutex("normal", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
  one_mutex("shared", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_SHARED);
  one_mutex("adaptive", PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
  one_mutex("recursive", PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
  one_mutex("errorcheck", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
  one_mutex("inherit", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
  one_mutex("inherit, recursive", PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED,
            PTHREAD_PROCESS_PRIVATE);
  one_mutex("robust", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
  one_mutex("robust, recursive, shared", PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST,
            PTHREAD_PROCESS_SHARED);
  one_mutex("robust, errorcheck", PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST,
            PTHREAD_PROCESS_PRIVATE);
  one_mutex("robust, inherit", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
  recursion_has_a_limit();
  a_priority_ceiling();
  rwlocks(PTHREAD_RWLOCK_PREFER_READER_NP);
  rwlocks(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  conditions();
  semaphores();
  joins();
  others();
  initialising();
  named_semaphores();
  interruptions();
  owners_that_die();
  futexes();
  return 0;
}
