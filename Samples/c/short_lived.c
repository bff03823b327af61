// Requests, a thread each: one writes to the log and ends at once, while the next waits for the log. A thread that ends
// right after its unlock has left no lock behind, however soon somebody looks.
//
// lockjaw: verdict=healthy|contention ends=exit
#include "sample.h"

enum { MILLISECONDS = 1000, LONGEST_HOLD_NANOSECONDS = 300000 };

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;
static long lines;

static int64_t now_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/// Holds the log for `argument` nanoseconds: as long as a collector needs to wake up, or a little less or more.
static void *write_and_end(void *argument) {
  pthread_mutex_lock(&log_lock);
  pthread_barrier_wait(&both);
  int64_t until = now_nanoseconds() + (intptr_t)argument;
  while (now_nanoseconds() < until) continue;
  lines++;
  pthread_mutex_unlock(&log_lock);
  return NULL;
}

static void *wait_and_write(void *unused) {
  (void)unused;
  pthread_barrier_wait(&both);
  pthread_mutex_lock(&log_lock);
  lines++;
  pthread_mutex_unlock(&log_lock);
  return NULL;
}

int main(void) {
  sample_begin();
  pthread_barrier_init(&both, NULL, 2);
  int64_t until = now_nanoseconds() + MILLISECONDS * INT64_C(1000000);
  long pairs = 0;
  for (; now_nanoseconds() < until; pairs++) {
    pthread_t first, second;
    intptr_t hold = 20000 + pairs * 7919 % LONGEST_HOLD_NANOSECONDS;
    pthread_create(&first, NULL, write_and_end, (void *)hold);
    pthread_create(&second, NULL, wait_and_write, NULL);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
  }
  return lines == 2 * pairs ? 0 : 1;
}
