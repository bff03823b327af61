// A writer that gives up after 50 ms and tries again, on a lock that readers hand to one another without a gap: one has always
// come in before the other leaves. Nobody keeps the lock, and the writer never gets it.
//
// lockjaw: verdict=livelock certainty=suspect threads=1 bystanders=0
#include "sample.h"

// The default kind lets readers in while a writer waits.
static pthread_rwlock_t prices = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t turn[2];

static struct timespec in_milliseconds(long milliseconds) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  time.tv_nsec += milliseconds * 1000000;
  time.tv_sec += time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

static void read_prices(void) { poll(NULL, 0, 2); }

/// Two readers: each comes in while the other is inside.
static _Noreturn void read_for_ever(bool is_second) {
  if (is_second) pthread_barrier_wait(&turn[0]);
  for (;;) {
    pthread_rwlock_rdlock(&prices);  // lockjaw: holds prices thread=reader-1,reader-2 mode=read
    pthread_barrier_wait(&turn[is_second]);  // The other may leave now.
    read_prices();
    pthread_barrier_wait(&turn[!is_second]);  // The other has come in.
    pthread_rwlock_unlock(&prices);
  }
}

static void *reading(void *argument) {
  bool is_second = argument != NULL;
  pthread_setname_np(pthread_self(), is_second ? "reader-2" : "reader-1");
  read_for_ever(is_second);
}

static bool update(void) {
  struct timespec limit = in_milliseconds(50);
  if (pthread_rwlock_clockwrlock(&prices, CLOCK_MONOTONIC, &limit) != 0) return false;  // lockjaw: waits prices thread=writer mode=write
  pthread_rwlock_unlock(&prices);
  return true;
}

static void *writing(void *unused) {
  pthread_setname_np(pthread_self(), "writer");
  while (!update()) {
  }
  return unused;
}

int main(void) {
  sample_begin();
  pthread_barrier_init(&turn[0], NULL, 2);
  pthread_barrier_init(&turn[1], NULL, 2);
  pthread_t threads[3];
  pthread_create(&threads[0], NULL, reading, NULL);
  pthread_create(&threads[1], NULL, reading, &turn);
  poll(NULL, 0, 10);
  pthread_create(&threads[2], NULL, writing, NULL);
  sample_serve();
}
