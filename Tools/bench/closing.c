// Closes a deadlock cycle at a known moment, among many threads that wait for other things.
//
//   closing [THREADS]   THREADS bystanders: half asleep on a condition, half queued behind a mutex that is held
//
// Prints, on standard output, the CLOCK_MONOTONIC time in nanoseconds right before the call that closes the cycle.
// Then hangs, until it is killed or five minutes are over.
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t east = PTHREAD_MUTEX_INITIALIZER, west = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER, idle_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t both;
static sem_t go;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *idle_thread(void *unused) {
  pthread_mutex_lock(&idle_lock);
  for (;;) pthread_cond_wait(&never, &idle_lock);
  return unused;
}

static void *queued_thread(void *unused) {
  pthread_mutex_lock(&gate);
  pthread_mutex_unlock(&gate);
  return unused;
}

static void *first(void *unused) {
  pthread_mutex_lock(&east);
  pthread_barrier_wait(&both);
  pthread_mutex_lock(&west);
  return unused;
}

static void *second(void *unused) {
  pthread_mutex_lock(&west);
  pthread_barrier_wait(&both);
  while (sem_wait(&go) != 0) {}
  printf("%llu\n", (unsigned long long)now());
  fflush(stdout);
  pthread_mutex_lock(&east);
  return unused;
}

int main(int argc, char **argv) {
  alarm(300);
  int bystanders = argc > 1 ? atoi(argv[1]) : 0;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 * 1024);
  pthread_t thread;
  pthread_mutex_lock(&gate);
  for (int i = 0; i < bystanders; i++) {
    if (pthread_create(&thread, &small, i % 2 ? idle_thread : queued_thread, NULL) != 0) {
      fprintf(stderr, "closing: only %d threads could be started\n", i);
      return 2;
    }
  }
  sem_init(&go, 0, 0);
  pthread_barrier_init(&both, NULL, 2);
  pthread_create(&thread, NULL, first, NULL);
  pthread_create(&thread, NULL, second, NULL);
  // Let the crowd fall asleep and the collector come to rest: what is measured is a quiet program that deadlocks.
  struct timespec settle = {bystanders > 1000 ? 2 : 0, 300000000};
  nanosleep(&settle, NULL);
  sem_post(&go);
  pthread_join(thread, NULL);
}
