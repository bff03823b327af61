// How many acquisitions a second several threads get through, together, when they share one lock.
//
//   contended mutex|read THREADS MILLISECONDS WORK
//
// `mutex`: every thread takes the same mutex for WORK steps of work (a step is a processor's cycle or so), and works
// outside of it as long.
// Each thread is bound to one of the processors that it may use, in turn: two that the scheduler has put on the same one
// never meet, and what is measured then is a lock without contention.
// `read`: every thread reads under the same rwlock; nobody writes. Prints acquisitions per second, all threads together,
// and what the thread that got the fewest had of an equal share.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS_MAX = 64 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static atomic_bool ends;
static int reads, steps;

// Each thread's count is on a cache line of its own, so that counting disturbs nobody.
static struct {
  _Alignas(128) uint64_t acquisitions;
} counts[THREADS_MAX];

static void work(void) {
  for (int i = 0; i < steps; i++) __asm__ volatile("" ::: "memory");
}

static void bind_to_processor(int number) {
  cpu_set_t allowed, one;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  number %= CPU_COUNT(&allowed);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &allowed) || number-- > 0) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    (void)sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

static void *worker(void *argument) {
  bind_to_processor((int)(intptr_t)argument);
  uint64_t count = 0;
  while (!atomic_load_explicit(&ends, memory_order_relaxed)) {
    if (reads) {
      pthread_rwlock_rdlock(&rwlock);
      work();
      pthread_rwlock_unlock(&rwlock);
    } else {
      pthread_mutex_lock(&mutex);
      work();
      pthread_mutex_unlock(&mutex);
    }
    work();
    count++;
  }
  counts[(intptr_t)argument].acquisitions = count;
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  reads = strcmp(argv[1], "read") == 0;
  int threads = atoi(argv[2]), milliseconds = atoi(argv[3]);
  steps = atoi(argv[4]);
  if (threads < 1 || threads > THREADS_MAX || milliseconds < 1 || steps < 0) return 2;
  pthread_t ids[THREADS_MAX];
  struct timespec begin, end, pause = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (intptr_t i = 0; i < threads; i++) pthread_create(&ids[i], NULL, worker, (void *)i);
  nanosleep(&pause, NULL);
  atomic_store(&ends, 1);
  uint64_t acquisitions = 0, fewest = UINT64_MAX;
  for (int i = 0; i < threads; i++) {
    pthread_join(ids[i], NULL);
    acquisitions += counts[i].acquisitions;
    if (counts[i].acquisitions < fewest) fewest = counts[i].acquisitions;
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  double seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
  printf("%.0f %.3f\n", (double)acquisitions / seconds, acquisitions ? (double)fewest * threads / (double)acquisitions : 0);
  return 0;
}
