// What the C samples share, so that each of them is only its own story.
//
// A sample is deterministic: threads meet at barriers, or wait until the kernel says that another thread is asleep
// on a given lock. None of them sleeps and hopes.
#ifndef LOCKJAW_SAMPLE_H
#define LOCKJAW_SAMPLE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE  // gettid, pthread_setname_np, writer-preferring rwlocks
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/// Ends a forgotten hanging sample after five minutes, unless LOCKJAW_SAMPLE_FOREVER is set.
static inline void sample_begin(void) {
  if (getenv("LOCKJAW_SAMPLE_FOREVER") == NULL) alarm(300);
}

/// In a forked child, first: it ends when its parent does, so that a forgotten sample leaves nothing behind.
static inline void sample_child(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == 1) _exit(1);
}

/// A server's main thread: it does nothing until a signal ends the process.
static inline void sample_serve(void) {
  for (;;) pause();
}

/// Whether thread `tid` of this process is asleep in a futex wait on a word inside [object, object + bytes).
static inline bool sample_is_blocked_on(pid_t tid, const void *object, size_t bytes) {
  // The kernel shows a sleeping thread's system call as "number 0xarg1 0xarg2 …", a running one's as "running".
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)tid);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t length = read(file, line, sizeof line - 1);
  close(file);
  if (length <= 0) return false;
  line[length] = '\0';
  char *rest = NULL;
  if (strtol(line, &rest, 10) != SYS_futex || rest == line) return false;
  uintptr_t word = (uintptr_t)strtoull(rest, NULL, 16);
  return word >= (uintptr_t)object && word < (uintptr_t)object + bytes;
}

/// Returns once the thread whose id appears in `*tid` (0 until it is known) is asleep on `object`.
static inline void sample_await_blocked(const _Atomic pid_t *tid, const void *object, size_t bytes) {
  while (*tid == 0 || !sample_is_blocked_on(*tid, object, bytes)) sched_yield();
}

#endif
