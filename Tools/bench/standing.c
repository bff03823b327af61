// N threads that stand still at the bottom of stacks some twenty calls deep, three of them in a deadlock; and one that
// never rests, and notices for how long the process did not run.
//
//   standing N FILE      FILE: a shared page; the longest gap in nanoseconds is kept in its first eight bytes, and
//                        whoever measures sets it back to zero
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH = 16, RING = 3, STACK_BYTES = 256 * 1024 };

static pthread_mutex_t ring[RING] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static pthread_barrier_t each_holds_one;
static pthread_mutex_t jobs_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t jobs_ready = PTHREAD_COND_INITIALIZER;
static int never_readable[2];
static _Atomic int standing;

static void rest(intptr_t index) {
  standing++;
  if (index < RING) {
    pthread_mutex_lock(&ring[index]);
    pthread_barrier_wait(&each_holds_one);
    pthread_mutex_lock(&ring[(index + 1) % RING]);
  } else if (index % 2) {
    pthread_mutex_lock(&jobs_lock);
    for (;;) pthread_cond_wait(&jobs_ready, &jobs_lock);
  } else {
    poll(&(struct pollfd){.fd = never_readable[0], .events = POLLIN}, 1, -1);
  }
}

static int descend(intptr_t index, int depth) {
  volatile char frame[64] = {(char)depth};
  if (depth == 0) rest(index);
  else descend(index, depth - 1);
  return frame[0];
}

static void *stand(void *argument) {
  descend((intptr_t)argument, DEPTH);
  return NULL;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int threads = atoi(argv[1]);
  int file = open(argv[2], O_RDWR);
  if (file < 0 || pipe(never_readable) != 0) return 2;
  _Atomic uint64_t *gap = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (gap == MAP_FAILED) return 2;
  pthread_barrier_init(&each_holds_one, NULL, RING);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  for (intptr_t i = 0; i < threads - 1; i++) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, stand, (void *)i) != 0) return 2;
  }
  while (standing < threads - 1) usleep(1000);
  puts("standing");
  fflush(stdout);
  for (uint64_t last = now();;) {
    uint64_t present = now();
    if (present - last > *gap) *gap = present - last;
    last = present;
  }
}
