// A program linked against the condition variables of glibc before 2.3.2, which libc still has beside the new ones.
#include "probe.h"

__asm__(".symver old_init, pthread_cond_init@GLIBC_2.2.5");
__asm__(".symver old_wait, pthread_cond_wait@GLIBC_2.2.5");
__asm__(".symver old_timedwait, pthread_cond_timedwait@GLIBC_2.2.5");
__asm__(".symver old_signal, pthread_cond_signal@GLIBC_2.2.5");
__asm__(".symver old_broadcast, pthread_cond_broadcast@GLIBC_2.2.5");
__asm__(".symver old_destroy, pthread_cond_destroy@GLIBC_2.2.5");
typedef struct { void *condition; } old_cond;
extern int old_init(old_cond *, const pthread_condattr_t *);
extern int old_wait(old_cond *, pthread_mutex_t *);
extern int old_timedwait(old_cond *, pthread_mutex_t *, const struct timespec *);
extern int old_signal(old_cond *);
extern int old_broadcast(old_cond *);
extern int old_destroy(old_cond *);

// What follows the small object is the program's, not the library's.
static struct { old_cond cond; uint64_t canary[8]; } guarded = {.canary = {1, 2, 3, 4, 5, 6, 7, 8}};
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int turn, waiting;

static void *await_turn(void *unused) {
  pthread_mutex_lock(&mutex);
  waiting++;
  while (!turn) CHECK_EQUAL(old_wait(&guarded.cond, &mutex), 0);
  waiting--;
  pthread_mutex_unlock(&mutex);
  return unused;
}

static int count_waiting(void) {
  pthread_mutex_lock(&mutex);
  int count = waiting;
  pthread_mutex_unlock(&mutex);
  return count;
}

int main(void) {
  CHECK_EQUAL(old_init(&guarded.cond, NULL), 0);
  for (int round = 0; round < 200; round++) {
    worker w[2];
    for (int i = 0; i < 2; i++) start(&w[i], await_turn, NULL);
    EVENTUALLY(count_waiting() == 2);
    pthread_mutex_lock(&mutex);
    turn = 1;
    CHECK_EQUAL(old_signal(&guarded.cond), 0);
    CHECK_EQUAL(old_broadcast(&guarded.cond), 0);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 2; i++) join(&w[i]);
    turn = 0;
  }
  struct timespec soon = in_ms(CLOCK_REALTIME, 5);
  pthread_mutex_lock(&mutex);
  CHECK_EQUAL(old_timedwait(&guarded.cond, &mutex, &soon), ETIMEDOUT);
  pthread_mutex_unlock(&mutex);
  CHECK_EQUAL(old_destroy(&guarded.cond), 0);
  for (unsigned i = 0; i < 8; i++) CHECK_EQUAL(guarded.canary[i], i + 1);
  return done();
}
