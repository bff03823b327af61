// The scheduler's clock is each processor's own: it leaves out the time that a hypervisor gave to others, and that interrupts took
// (kernel/sched/core.c, update_rq_clock_task), which differs from one processor to the next by seconds in a day. Its present value
// is shown of a thread that runs on that processor, and of none other.
//
// The thread is not this one moved: a processor that a real-time thread keeps to itself would never let it come back.
#define _GNU_SOURCE
#include "lockjaw_scheduler.h"
#include "lockjaw_arena_access.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Shared by who asks and who looks; the last of the two frees it.
struct look {
  _Atomic(int) users;
  _Atomic(uint32_t) is_done;
  bool is_known;
  int64_t offset;
};

enum { TRIES = 3 };

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void release(struct look *look) {
  if (atomic_fetch_sub_explicit(&look->users, 1, memory_order_acq_rel) == 1) free(look);
}

// `se.exec_start   :   4958301.627020`, in milliseconds: when this thread was put on its processor, or the last tick.
static bool exec_start(int64_t *nanoseconds) {
  char text[512];
  int file = open("/proc/thread-self/sched", O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return false;
  text[length] = '\0';
  const char *line = strstr(text, "se.exec_start");
  const char *colon = line ? strchr(line, ':') : NULL;
  long long whole = 0, millionths = 0;
  if (!colon || sscanf(colon + 1, " %lld.%6lld", &whole, &millionths) != 2 || whole < 0) return false;
  *nanoseconds = (int64_t)whole * 1000000 + millionths;
  return true;
}

static void *run(void *argument) {
  struct look *look = argument;
  // What comes between being put on the processor and the reading of CLOCK_MONOTONIC makes the difference too large, never too
  // small: the smallest is nearest.
  for (int i = 0; i < TRIES; i++) {
    sched_yield();
    int64_t here = now(), started = 0;
    if (!exec_start(&started)) break;
    if (!look->is_known || here - started < look->offset) look->offset = here - started;
    look->is_known = true;
  }
  // Partner: the acquire load of who asks.
  atomic_store_explicit(&look->is_done, 1, memory_order_release);
  lj_futex_ring(&look->is_done);
  release(look);
  return NULL;
}

static bool start(struct look *look, int processor) {
  cpu_set_t *set = CPU_ALLOC(processor + 1);
  if (!set) return false;
  size_t size = CPU_ALLOC_SIZE(processor + 1);
  CPU_ZERO_S(size, set);
  CPU_SET_S(processor, size, set);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 128 << 10);
  pthread_attr_setaffinity_np(&attributes, size, set);
  // No signal of this process is for it.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  int error = pthread_create(&thread, &attributes, run, look);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  CPU_FREE(set);
  return error == 0;
}

bool lj_scheduler_offset(int processor, int64_t limit_milliseconds, int64_t *offset_nanoseconds) {
  if (processor < 0 || processor > 1 << 16) return false;
  struct look *look = calloc(1, sizeof *look);
  if (!look) return false;
  atomic_init(&look->users, 2);
  if (!start(look, processor)) {
    free(look);
    return false;
  }
  int64_t end = now() + limit_milliseconds * 1000000;
  bool is_done;
  while (!(is_done = atomic_load_explicit(&look->is_done, memory_order_acquire) != 0)) {
    int64_t left = (end - now()) / 1000000;
    if (left <= 0) break;
    lj_futex_wait(&look->is_done, 0, left);
  }
  bool is_known = is_done && look->is_known;
  if (is_known) *offset_nanoseconds = look->offset;
  release(look);
  return is_known;
}
