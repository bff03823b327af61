// Control: the same readers that hand a lock to one another, and a writer that gives up after 5 ms and tries again; but after
// every eighth turn they let it in. It runs out of time again and again, and gets through all the same.
//
// lockjaw: verdict=healthy|contention ends=exit
#include "sample.h"

#include <semaphore.h>

enum { TURNS_IN_A_ROW = 8, UPDATES = 60 };

static pthread_rwlock_t prices = PTHREAD_RWLOCK_INITIALIZER;
static sem_t row_has_begun, is_updated;
static _Atomic int updates;

static struct reader {
  const char *name;
  sem_t may_enter, may_leave;
} readers[2] = {{.name = "reader-1"}, {.name = "reader-2"}};

static struct timespec in_milliseconds(long milliseconds) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  time.tv_nsec += milliseconds * 1000000;
  time.tv_sec += time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

/// The second reader is the last of every row, and nobody is inside when it has left.
static void *reading(void *argument) {
  struct reader *self = argument;
  bool is_second = self == &readers[1];
  struct reader *other = &readers[!is_second];
  pthread_setname_np(pthread_self(), self->name);
  for (int turn = 0;; turn++) {
    sem_wait(&self->may_enter);
    if (updates >= UPDATES) break;
    pthread_rwlock_rdlock(&prices);
    bool is_first_of_row = !is_second && turn % (TURNS_IN_A_ROW / 2) == 0;
    bool is_last_of_row = is_second && turn % (TURNS_IN_A_ROW / 2) == TURNS_IN_A_ROW / 2 - 1;
    sem_post(is_first_of_row ? &row_has_begun : &other->may_leave);
    poll(NULL, 0, 2);
    if (!is_last_of_row) {
      sem_post(&other->may_enter);
      sem_wait(&self->may_leave);
    }
    pthread_rwlock_unlock(&prices);
    if (is_last_of_row) {
      sem_wait(&is_updated);
      sem_post(&other->may_enter);
    }
  }
  sem_post(&other->may_enter);
  return NULL;
}

static void update(void) {
  sem_wait(&row_has_begun);
  struct timespec limit = in_milliseconds(5);
  while (pthread_rwlock_clockwrlock(&prices, CLOCK_MONOTONIC, &limit) != 0) limit = in_milliseconds(5);
  updates++;
  pthread_rwlock_unlock(&prices);
  sem_post(&is_updated);
}

int main(void) {
  sample_begin();
  sem_init(&row_has_begun, 0, 0);
  sem_init(&is_updated, 0, 0);
  for (int i = 0; i < 2; i++) {
    sem_init(&readers[i].may_enter, 0, i == 0);
    sem_init(&readers[i].may_leave, 0, 0);
  }
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, reading, &readers[i]);
  for (int i = 0; i < UPDATES; i++) update();
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  return 0;
}
