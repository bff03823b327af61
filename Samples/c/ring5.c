// Five philosophers. Each takes the fork on the left, then waits for the one on the right: a cycle of five, which
// a check for cycles of two does not see.
//
// lockjaw: verdict=deadlock certainty=proven threads=5 bystanders=0
#include "sample.h"

enum { SEATS = 5 };

static const char *const names[SEATS] = {"plato", "hypatia", "zeno", "diotima", "thales"};
static pthread_mutex_t forks[SEATS] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                       PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static pthread_barrier_t everyone_has_one;
static int meals[SEATS];

static void dine(int seat) {
  pthread_mutex_t *left = &forks[seat], *right = &forks[(seat + 1) % SEATS];
  pthread_mutex_lock(left);  // lockjaw: holds fork0,fork1,fork2,fork3,fork4 thread=plato,hypatia,zeno,diotima,thales
  pthread_barrier_wait(&everyone_has_one);
  pthread_mutex_lock(right);  // lockjaw: waits fork1,fork2,fork3,fork4,fork0 thread=plato,hypatia,zeno,diotima,thales
  meals[seat]++;
  pthread_mutex_unlock(right);
  pthread_mutex_unlock(left);
}

static void *philosopher(void *argument) {
  int seat = (int)(intptr_t)argument;
  pthread_setname_np(pthread_self(), names[seat]);
  dine(seat);
  return NULL;
}

int main(void) {
  sample_begin();
  pthread_barrier_init(&everyone_has_one, NULL, SEATS);
  for (int seat = 0; seat < SEATS; seat++) {
    pthread_t thread;
    pthread_create(&thread, NULL, philosopher, (void *)(intptr_t)seat);
  }
  sample_serve();
}
