// Joins: the waiter names the thread it waits for by pthread_t and, where it is still known, by tid.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "cleanup.h"
#include "held.h"
#include "process.h"
#include "real.h"
#include "slot.h"
#include "wait.h"

enum lj_join_call { JOIN_PLAIN, JOIN_TIMED, JOIN_CLOCK };

static int lj_real_join(pthread_t thread, void **value, enum lj_join_call call, clockid_t clock,
                        const struct timespec *deadline) {
  switch (call) {
  case JOIN_PLAIN: break;
  case JOIN_TIMED: return lj_real.pthread_timedjoin_np(thread, value, deadline);
  case JOIN_CLOCK: return lj_real.pthread_clockjoin_np(thread, value, clock, deadline);
  }
  return lj_real.pthread_join(thread, value);
}

// A join is a cancellation point; the joined thread stays joinable.
static void lj_join_left(void *scope) {
  uint64_t now_ns;
  (void)lj_wait_end(scope, LJ_OUTCOME_CANCELLED, &now_ns);
}

// Recorded even if the thread has ended already: that cannot be told without a race. The tid is read from the thread's
// descriptor, which the caller vouches for until the join succeeds; 0 once the thread has ended.
LJ_COLD static int lj_join_slow(pthread_t thread, void **value, enum lj_join_call call, clockid_t clock,
                                const struct timespec *deadline, uint64_t site) {
  lj_wait_spec spec = {
      .object = (uint64_t)thread,
      .object2 = lj_tid_of((uint64_t)thread),
      .site = site,
      .deadline_ns = deadline ? lj_deadline_ns(clock, deadline) : 0,
      .kind = LJ_KIND_JOIN,
      .mode = LJ_MODE_SIGNAL,
      .wake = LJ_WAKE_LOCKS,
  };
  lj_wait_scope scope;
  struct _pthread_cleanup_buffer cleanup;
  int result;
  LJ_WAIT_BEGIN(&scope, lj_thread.slot, &spec);
  _pthread_cleanup_push(&cleanup, lj_join_left, &scope);
  result = lj_real_join(thread, value, call, clock, deadline);
  _pthread_cleanup_pop(&cleanup, 0);
  uint64_t now_ns;
  (void)lj_wait_end(&scope, lj_outcome_of(result), &now_ns);
  return result;
}

LJ_INLINE int lj_join(pthread_t thread, void **value, enum lj_join_call call, clockid_t clock,
                      const struct timespec *deadline) {
  if (LJ_UNLIKELY(!lj_enter())) return lj_real_join(thread, value, call, clock, deadline);
  return lj_join_slow(thread, value, call, clock, deadline, LJ_CALLER().site);
}

LJ_EXPORT int pthread_join(pthread_t thread, void **value) {
  return lj_join(thread, value, JOIN_PLAIN, CLOCK_REALTIME, NULL);
}
LJ_EXPORT int pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *deadline) {
  return lj_join(thread, value, JOIN_TIMED, CLOCK_REALTIME, deadline);
}
LJ_EXPORT int pthread_clockjoin_np(pthread_t thread, void **value, clockid_t clock, const struct timespec *deadline) {
  return lj_join(thread, value, JOIN_CLOCK, clock, deadline);
}

// C11's: inside glibc it does not go through pthread_join's PLT entry.
LJ_EXPORT int thrd_join(thrd_t thread, int *code) {
  void *value = NULL;
  int result = lj_join((pthread_t)thread, &value, JOIN_PLAIN, CLOCK_REALTIME, NULL);
  if (result == 0 && code) *code = (int)(uintptr_t)value;
  return result == 0 ? thrd_success : result == ENOMEM ? thrd_nomem : thrd_error;
}
