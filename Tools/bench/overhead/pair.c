// What an uncontended lock+unlock pair costs, in nanoseconds. Run it bare and with a tool, in turn; the difference is what
// the tool adds. Prints the best of several rounds, which is the least disturbed one.
//
//   pair [PAIRS [ROUNDS]]
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long pairs = 2000000;
static int rounds = 15;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static sem_t semaphore;

#define MEASURE(name, acquire, release)                                  \
  do {                                                                   \
    uint64_t best = UINT64_MAX;                                          \
    for (int round = 0; round < rounds; round++) {                       \
      uint64_t begin = now_ns();                                         \
      for (long i = 0; i < pairs; i++) {                                  \
        acquire;                                                         \
        release;                                                         \
      }                                                                  \
      uint64_t took = now_ns() - begin;                                  \
      if (took < best) best = took;                                      \
    }                                                                    \
    fflush(stdout);                                                      \
    printf("%-10s %6.2f ns/pair\n", name, (double)best / (double)pairs);         \
  } while (0)

static void *idle(void *unused) { return unused; }

int main(int argc, char **argv) {
  if (argc > 1) pairs = atol(argv[1]);
  if (argc > 2) rounds = atoi(argv[2]);
  if (pairs < 1 || rounds < 1) return 2;
  // A second thread has existed, so that glibc takes its multi-threaded paths.
  pthread_t thread;
  pthread_create(&thread, NULL, idle, NULL);
  pthread_join(thread, NULL);
  pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
  sem_init(&semaphore, 0, 1);
  MEASURE("mutex", pthread_mutex_lock(&mutex), pthread_mutex_unlock(&mutex));
  MEASURE("nested", (pthread_mutex_lock(&mutex), pthread_mutex_lock(&inner)),
          (pthread_mutex_unlock(&inner), pthread_mutex_unlock(&mutex)));
  MEASURE("recursive", pthread_mutex_lock(&recursive), pthread_mutex_unlock(&recursive));
  MEASURE("read", pthread_rwlock_rdlock(&rwlock), pthread_rwlock_unlock(&rwlock));
  MEASURE("write", pthread_rwlock_wrlock(&rwlock), pthread_rwlock_unlock(&rwlock));
  MEASURE("spin", pthread_spin_lock(&spin), pthread_spin_unlock(&spin));
  MEASURE("semaphore", sem_wait(&semaphore), sem_post(&semaphore));
  return 0;
}
