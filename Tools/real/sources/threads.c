// Threads that meet at a mutex, a reader-writer lock, a condition, a semaphore and a barrier thousands of times, and
// print what came out: the same with any allocator, sanitizer or preload.
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 8, ROUNDS = 60000 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t settings = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t start;
static sem_t permits;
static long sum, turn;

static void *work(void *number) {
  long me = (long)number;
  pthread_barrier_wait(&start);
  for (int i = 0; i < ROUNDS; i++) {
    long *piece = malloc(sizeof *piece * (1 + i % 50));
    pthread_rwlock_rdlock(&settings);
    *piece = me;
    pthread_rwlock_unlock(&settings);
    sem_wait(&permits);
    pthread_mutex_lock(&mutex);
    sum += *piece;
    pthread_mutex_unlock(&mutex);
    sem_post(&permits);
    free(piece);
    if (i % 10000 == 0) {
      pthread_rwlock_wrlock(&settings);
      pthread_rwlock_unlock(&settings);
      pthread_mutex_lock(&mutex);
      while (turn % THREADS != me) pthread_cond_wait(&turn_changed, &mutex);
      turn++;
      pthread_cond_broadcast(&turn_changed);
      pthread_mutex_unlock(&mutex);
    }
  }
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  pthread_barrier_init(&start, NULL, THREADS);
  sem_init(&permits, 0, 3);
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  printf("sum %ld turns %ld\n", sum, turn);
  return 0;
}
