// How long a cache line is on its way from one processor to another: nanoseconds, one way.
//
// Two threads, each bound to a processor, pass a word back and forth. Two processors that share a core hand a line over in a
// tenth of the time that two at the far ends of a socket take, and a virtual machine's may be either, from one minute
// to the next.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { TURNS = 100000 };
static _Alignas(128) atomic_int turn;
static int processors[2];

static void bind_to(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  (void)sched_setaffinity(0, sizeof one, &one);
}

static void pass_on(int from) {
  for (int i = from; i < 2 * TURNS; i += 2) {
    while (atomic_load_explicit(&turn, memory_order_acquire) != i) __builtin_ia32_pause();
    atomic_store_explicit(&turn, i + 1, memory_order_release);
  }
}

static void *other(void *unused) {
  bind_to(processors[1]);
  pass_on(1);
  return unused;
}

int main(void) {
  cpu_set_t allowed;
  int found = 0;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
    if (CPU_ISSET(cpu, &allowed)) processors[found++] = cpu;
  if (found < 2) return 1;
  bind_to(processors[0]);
  pthread_t thread;
  if (pthread_create(&thread, NULL, other, NULL) != 0) return 1;
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  pass_on(0);
  pthread_join(thread, NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  printf("%.0f\n", ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / (2.0 * TURNS));
  return 0;
}
