// A writer that gives up after 50 ms and tries again, on a lock that readers hand to one another without a gap: one has always
// come in before the other leaves. Nobody keeps the lock, and the writer never gets it.
//
// lockjaw: verdict=livelock certainty=suspect threads=1 bystanders=0
#include "sample.h"

#include <semaphore.h>

// The default kind lets readers in while a writer waits.
static pthread_rwlock_t prices = PTHREAD_RWLOCK_INITIALIZER;

/// A reader's two permissions: to come in, and, once the other is inside, to leave.
static struct reader {
  const char *name;
  sem_t may_enter, may_leave;
} readers[2] = {{.name = "reader-1"}, {.name = "reader-2"}};

// The writer comes when a reader is in: before, it would get the lock.
static sem_t is_read;

static struct timespec in_milliseconds(long milliseconds) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  time.tv_nsec += milliseconds * 1000000;
  time.tv_sec += time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

static void read_prices(void) { poll(NULL, 0, 2); }

static _Noreturn void read_in_turn(struct reader *self, struct reader *other, bool is_first) {
  for (;;) {
    sem_wait(&self->may_enter);
    pthread_rwlock_rdlock(&prices);  // lockjaw: holds prices thread=reader-1,reader-2 mode=read
    sem_post(is_first ? &is_read : &other->may_leave);
    is_first = false;
    read_prices();
    sem_post(&other->may_enter);
    sem_wait(&self->may_leave);
    pthread_rwlock_unlock(&prices);
  }
}

static void *reading(void *argument) {
  struct reader *self = argument;
  bool is_first = self == &readers[0];
  pthread_setname_np(pthread_self(), self->name);
  read_in_turn(self, &readers[is_first], is_first);
}

static bool update(void) {
  struct timespec limit = in_milliseconds(50);
  if (pthread_rwlock_clockwrlock(&prices, CLOCK_MONOTONIC, &limit) != 0) return false;  // lockjaw: waits prices thread=writer mode=write
  pthread_rwlock_unlock(&prices);
  return true;
}

static void *writing(void *unused) {
  pthread_setname_np(pthread_self(), "writer");
  sem_wait(&is_read);
  while (!update()) {
  }
  return unused;
}

int main(void) {
  sample_begin();
  sem_init(&is_read, 0, 0);
  for (int i = 0; i < 2; i++) {
    sem_init(&readers[i].may_enter, 0, i == 0);
    sem_init(&readers[i].may_leave, 0, 0);
  }
  pthread_t threads[3];
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, reading, &readers[i]);
  pthread_create(&threads[2], NULL, writing, NULL);
  sample_serve();
}
