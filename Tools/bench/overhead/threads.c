// What a thread costs in memory: starts THREADS threads that take and release a few locks and then wait, and prints the
// process's resident memory in KiB, shared memory included. (VmRSS of /proc/self/status would be a few hundred KiB off: each
// thread counts up to 64 of its pages before it adds them.)
//
//   threads THREADS
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t locks[8];
static pthread_barrier_t ready, done;

static void *thread(void *unused) {
  for (int i = 0; i < 8; i++) pthread_mutex_lock(&locks[i]);
  for (int i = 8; i-- > 0;) pthread_mutex_unlock(&locks[i]);
  pthread_barrier_wait(&ready);
  pthread_barrier_wait(&done);
  return unused;
}

int main(int argc, char **argv) {
  int count = argc == 2 ? atoi(argv[1]) : 0;
  if (count < 1) return 2;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 * 1024);
  for (int i = 0; i < 8; i++) pthread_mutex_init(&locks[i], NULL);
  pthread_barrier_init(&ready, NULL, (unsigned)count + 1);
  pthread_barrier_init(&done, NULL, (unsigned)count + 1);
  pthread_t *threads = calloc((size_t)count, sizeof *threads);
  for (int i = 0; i < count; i++)
    if (pthread_create(&threads[i], &attributes, thread, NULL) != 0) return 1;
  pthread_barrier_wait(&ready);
  char line[256];
  FILE *status = fopen("/proc/self/smaps_rollup", "r");
  while (status != NULL && fgets(line, sizeof line, status) != NULL)
    if (strncmp(line, "Rss:", 4) == 0) printf("%ld\n", strtol(line + 4, NULL, 10));
  pthread_barrier_wait(&done);
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  return 0;
}
