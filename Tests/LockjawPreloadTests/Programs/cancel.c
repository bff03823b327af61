// Cancellation points stay cancellation points, and a wait that is cancelled or left by siglongjmp leaves nothing behind.
#include "probe.h"
#include <semaphore.h>
#include <setjmp.h>

static sem_t empty, full;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_t endless;
static int cleaned;

static void check_clean(void *expect_held) {
  const lj_slot *me = my_slot();
  CHECK(!is_waiting(me));
  CHECK_EQUAL(me->interrupted, 0);
  CHECK_EQUAL(me->held_count, expect_held ? 1 : 0);
  CHECK_EQUAL(newest_event(me)->outcome, LJ_OUTCOME_CANCELLED);
  if (expect_held) pthread_mutex_unlock(expect_held);
  cleaned++;
}

static void take(void *held) {
  if (held) pthread_mutex_lock(held);
}

#define CANCELLABLE(name, held, wait)                       \
  static void *name(void *unused) {                         \
    struct timespec later = in_ms(CLOCK_REALTIME, 600000);  \
    (void)later;                                            \
    take(held);                                             \
    pthread_cleanup_push(check_clean, held);                \
    wait;                                                   \
    CHECK(false);                                           \
    pthread_cleanup_pop(0);                                 \
    return unused;                                          \
  }

CANCELLABLE(in_sem_wait, NULL, sem_wait(&empty))
CANCELLABLE(in_sem_timedwait, NULL, sem_timedwait(&empty, &later))
CANCELLABLE(in_sem_clockwait, NULL, sem_clockwait(&empty, CLOCK_REALTIME, &later))
CANCELLABLE(in_cond_wait, &mutex, pthread_cond_wait(&cond, &mutex))
CANCELLABLE(in_cond_timedwait, &mutex, pthread_cond_timedwait(&cond, &mutex, &later))
CANCELLABLE(in_cond_clockwait, &mutex, pthread_cond_clockwait(&cond, &mutex, CLOCK_REALTIME, &later))
CANCELLABLE(in_join, NULL, pthread_join(endless, NULL))
CANCELLABLE(in_timedjoin, NULL, pthread_timedjoin_np(endless, NULL, &later))

static void cancel_in(void *(*body)(void *), const void *object) {
  worker w;
  int before = cleaned;
  start(&w, body, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), object));
  const lj_slot *slot = find_slot(w.tid);
  CHECK_EQUAL(pthread_cancel(w.thread), 0);
  void *value;
  CHECK_EQUAL(pthread_join(w.thread, &value), 0);
  CHECK(value == PTHREAD_CANCELED);
  CHECK_EQUAL(cleaned, before + 1);
  CHECK_EQUAL(slot->phase, LJ_PHASE_FREE);
}

// A pending cancellation is acted upon even where there is nothing to wait for.
static void *cancelled_before(void *unused) {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  pthread_cancel(pthread_self());
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  sem_wait(&full);
  CHECK(false);
  return unused;
}
static void *cancelled_before_timed(void *unused) {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  pthread_cancel(pthread_self());
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  struct timespec later = in_ms(CLOCK_REALTIME, 600000);
  sem_timedwait(&full, &later);
  CHECK(false);
  return unused;
}
// A mutex is no cancellation point: the thread gets it, and goes at the next one.
static void *not_in_mutex(void *unused) {
  pthread_cancel(pthread_self());
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  sem_trywait(&full);
  sem_post(&full);
  cleaned++;
  pthread_testcancel();
  CHECK(false);
  return unused;
}

// Nor is sem_clockwait in glibc, as long as there is a permit.
static void *not_in_clockwait(void *unused) {
  pthread_cancel(pthread_self());
  struct timespec later = in_ms(CLOCK_REALTIME, 600000);
  CHECK_EQUAL(sem_clockwait(&full, CLOCK_REALTIME, &later), 0);
  sem_post(&full);
  cleaned++;
  pthread_testcancel();
  CHECK(false);
  return unused;
}

// --- left by siglongjmp: over at once, and the thread may end in any way afterwards

static sigjmp_buf out;
static void jump_out(int signal) { siglongjmp(out, signal); }

__attribute__((noinline, noipa)) static void overwrite_the_stack(void) {
  volatile char bytes[16384];
  memset((char *)bytes, 0x5A, sizeof bytes);
}

static void left(pthread_mutex_t *held, bool exits) {
  const lj_slot *me = my_slot();
  CHECK(!is_waiting(me));
  CHECK_EQUAL(me->interrupted, 0);
  CHECK_EQUAL(newest_event(me)->outcome, LJ_OUTCOME_CANCELLED);
  // glibc has taken the mutex again, so the thread holds it.
  CHECK_EQUAL(me->held_count, held ? 1 : 0);
  if (held) {
    CHECK_EQUAL(held->__data.__owner, gettid());
    CHECK_EQUAL(pthread_mutex_unlock(held), 0);
  }
  overwrite_the_stack();
  cleaned++;
  if (exits) pthread_exit(PTHREAD_CANCELED);
  pthread_cancel(pthread_self());
  pthread_testcancel();
  CHECK(false);
}

#define LEFT(name, held, wait)                \
  static void *name(void *exits) {            \
    take(held);                               \
    if (sigsetjmp(out, 1) == 0) {             \
      wait;                                   \
      CHECK(false);                           \
    }                                         \
    left(held, exits != NULL);                \
    return NULL;                              \
  }

LEFT(leaves_sem_wait, NULL, sem_wait(&empty))
LEFT(leaves_cond_wait, &mutex, pthread_cond_wait(&cond, &mutex))
LEFT(leaves_join, NULL, pthread_join(endless, NULL))

// In the wait, not only about to: a jump from before that is found by the next operation (interrupt.c).
static bool is_asleep_in_futex(int tid) {
  char path[64], line[64] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
  FILE *file = fopen(path, "r");
  CHECK(file);
  bool is_asleep = fgets(line, sizeof line, file) && strncmp(line, "202 ", 4) == 0;
  fclose(file);
  return is_asleep;
}

static void leave(void *(*body)(void *), const void *object, bool exits) {
  worker w;
  int before = cleaned;
  start(&w, body, exits ? &w : NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), object));
  EVENTUALLY(is_asleep_in_futex(w.tid));
  CHECK_EQUAL(pthread_kill(w.thread, SIGUSR2), 0);
  void *value;
  CHECK_EQUAL(pthread_join(w.thread, &value), 0);
  CHECK(value == PTHREAD_CANCELED);
  CHECK_EQUAL(cleaned, before + 1);
}

static void *sleep_for_ever(void *unused) {
  for (;;) pause();
  return unused;
}

static void ends_cancelled(void *(*body)(void *)) {
  worker w;
  start(&w, body, NULL);
  void *value;
  CHECK_EQUAL(pthread_join(w.thread, &value), 0);
  CHECK(value == PTHREAD_CANCELED);
}

int main(void) {
  open_arena();
  sem_init(&empty, 0, 0);
  sem_init(&full, 0, 5);
  pthread_create(&endless, NULL, sleep_for_ever, NULL);
  cancel_in(in_sem_wait, &empty);
  cancel_in(in_sem_timedwait, &empty);
  cancel_in(in_sem_clockwait, &empty);
  cancel_in(in_cond_wait, &cond);
  cancel_in(in_cond_timedwait, &cond);
  cancel_in(in_cond_clockwait, &cond);
  cancel_in(in_join, (void *)endless);
  cancel_in(in_timedjoin, (void *)endless);
  ends_cancelled(cancelled_before);
  ends_cancelled(cancelled_before_timed);
  int before = cleaned, value;
  ends_cancelled(not_in_mutex);
  ends_cancelled(not_in_clockwait);
  CHECK_EQUAL(cleaned, before + 2);
  CHECK_EQUAL(sem_getvalue(&full, &value), 0);
  CHECK_EQUAL(value, 5);
  struct sigaction action = {.sa_handler = jump_out};
  CHECK_EQUAL(sigaction(SIGUSR2, &action, NULL), 0);
  for (int exits = 0; exits <= 1; exits++) {
    leave(leaves_sem_wait, &empty, exits);
    leave(leaves_cond_wait, &cond, exits);
    leave(leaves_join, (void *)endless, exits);
  }
  return done();
}
