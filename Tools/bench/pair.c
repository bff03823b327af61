// What an uncontended lock+unlock pair costs, in nanoseconds. Run it bare and with the shim preloaded, in turn; the
// difference is what the shim adds. Prints the best of several rounds, which is the least disturbed one.
//
//   cc -O2 -o pair pair.c && ./pair && LD_PRELOAD=…/liblockjaw_preload.so ./pair
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { PAIRS = 2000000, ROUNDS = 15 };

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static sem_t semaphore;

#define MEASURE(name, acquire, release)                                  \
  do {                                                                   \
    uint64_t best = UINT64_MAX;                                          \
    for (int round = 0; round < ROUNDS; round++) {                       \
      uint64_t begin = now_ns();                                         \
      for (int i = 0; i < PAIRS; i++) {                                  \
        acquire;                                                         \
        release;                                                         \
      }                                                                  \
      uint64_t took = now_ns() - begin;                                  \
      if (took < best) best = took;                                      \
    }                                                                    \
    printf("%-10s %6.2f ns/pair\n", name, (double)best / PAIRS);         \
  } while (0)

static void *idle(void *unused) { return unused; }

int main(void) {
  // A second thread has existed, so that glibc takes its multi-threaded paths.
  pthread_t thread;
  pthread_create(&thread, NULL, idle, NULL);
  pthread_join(thread, NULL);
  pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
  sem_init(&semaphore, 0, 1);
  MEASURE("mutex", pthread_mutex_lock(&mutex), pthread_mutex_unlock(&mutex));
  MEASURE("recursive", pthread_mutex_lock(&recursive), pthread_mutex_unlock(&recursive));
  MEASURE("read", pthread_rwlock_rdlock(&rwlock), pthread_rwlock_unlock(&rwlock));
  MEASURE("write", pthread_rwlock_wrlock(&rwlock), pthread_rwlock_unlock(&rwlock));
  MEASURE("spin", pthread_spin_lock(&spin), pthread_spin_unlock(&spin));
  MEASURE("semaphore", sem_wait(&semaphore), sem_post(&semaphore));
  return 0;
}
