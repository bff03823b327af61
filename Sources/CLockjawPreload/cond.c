// pthread_cond_wait and its relatives.
//
// glibc releases and re-acquires the mutex inside the call, out of the shim's sight, so the call is by definition a
// release, a wait and an acquire: the entry leaves the list before the call and comes back after it, with the site
// where the mutex was first taken. That holds for every way out; a waiter that is cancelled, or leaves by siglongjmp, owns
// the mutex again when its own cleanup handlers run, so the entry is restored first (cleanup.h).
//
// A recursive mutex is released once, whatever its depth: glibc does the same.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "cleanup.h"
#include "held.h"
#include "process.h"
#include "real.h"
#include "wait.h"

enum lj_cond_call { COND_WAIT, COND_TIMEDWAIT, COND_CLOCKWAIT };

typedef struct lj_cond_wait {
  lj_wait_scope scope;
  const pthread_mutex_t *mutex;
  lj_held removed;
  enum lj_release release;
} lj_cond_wait;

static int lj_cond_real_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, enum lj_cond_call call, clockid_t clock,
                             const struct timespec *deadline) {
  switch (call) {
  case COND_WAIT: break;
  case COND_TIMEDWAIT: return lj_real.pthread_cond_timedwait(cond, mutex, deadline);
  case COND_CLOCKWAIT: return lj_real.pthread_cond_clockwait(cond, mutex, clock, deadline);
  }
  return lj_real.pthread_cond_wait(cond, mutex);
}

// The way back, common to all ways out. `owns_mutex`: glibc has given the mutex back to this thread.
static void lj_cond_wait_over(lj_cond_wait *wait, uint8_t outcome, bool owns_mutex) {
  uint64_t now_ns;
  lj_slot *slot = lj_wait_end(&wait->scope, outcome, &now_ns);
  if (!slot || !owns_mutex) return;
  wait->removed.since_ns = now_ns; // it is a new hold
  if (wait->release == LJ_RELEASE_FOUND) lj_held_restore(slot, &wait->removed, LJ_HELD_RELOCKED);
  else if (wait->release == LJ_RELEASE_LOST) slot->held_lost++;
}

// glibc has taken the mutex again, if it had let it go: not when a handler jumped out while it was about to, or when the
// mutex cannot be recovered. The owner field knows.
static void lj_cond_wait_left(void *argument) {
  lj_cond_wait *wait = argument;
  uint32_t owner = (uint32_t)__atomic_load_n(&wait->mutex->__data.__owner, __ATOMIC_RELAXED);
  lj_cond_wait_over(wait, LJ_OUTCOME_CANCELLED, owner == wait->scope.slot->tid);
}

static clockid_t lj_cond_clock(const pthread_cond_t *cond) {
  // glibc keeps the clock chosen with pthread_condattr_setclock in bit 1 of the group word.
  return __atomic_load_n(&cond->__data.__wrefs, __ATOMIC_RELAXED) & 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

// There is no try: every condition wait is recorded.
LJ_COLD static int lj_cond_wait_slow(pthread_cond_t *cond, pthread_mutex_t *mutex, enum lj_cond_call call,
                                     clockid_t clock, const struct timespec *deadline, uint64_t site) {
  lj_cond_wait wait;
  struct _pthread_cleanup_buffer cleanup;
  lj_slot *slot = lj_thread.slot;
  lj_wait_spec spec = {
      .object = (uint64_t)(uintptr_t)cond,
      .object2 = (uint64_t)(uintptr_t)mutex,
      .site = site,
      .deadline_ns = deadline ? lj_deadline_ns(clock, deadline) : 0,
      .kind = LJ_KIND_COND,
      .mode = LJ_MODE_SIGNAL,
      .wake = LJ_WAKE_SOFT,
  };
  if (lj_is_detailed()) lj_level_releasing(slot, spec.object2, LJ_KIND_MUTEX, LJ_MODE_EXCLUSIVE, site);
  wait.mutex = mutex;
  wait.release = lj_held_release_slow(slot, spec.object2, &wait.removed);
  int result;
  LJ_WAIT_BEGIN(&wait.scope, slot, &spec);
  _pthread_cleanup_push(&cleanup, lj_cond_wait_left, &wait);
  result = lj_cond_real_wait(cond, mutex, call, clock, deadline);
  _pthread_cleanup_pop(&cleanup, 0);
  // EOWNERDEAD: the mutex is ours, its owner died; ENOTRECOVERABLE: it is nobody's any more.
  lj_cond_wait_over(&wait, result == 0 ? LJ_OUTCOME_ACQUIRED : lj_outcome_of(result), result != ENOTRECOVERABLE);
  return result;
}

LJ_INLINE int lj_cond_wait_on(pthread_cond_t *cond, pthread_mutex_t *mutex, enum lj_cond_call call, clockid_t clock,
                              const struct timespec *deadline, uint64_t site) {
  if (LJ_UNLIKELY(!lj_enter())) return lj_cond_real_wait(cond, mutex, call, clock, deadline);
  return lj_cond_wait_slow(cond, mutex, call, clock, deadline, site);
}

LJ_EXPORT int pthread_cond_wait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex) {
  return lj_cond_wait_on(cond, mutex, COND_WAIT, CLOCK_REALTIME, NULL, LJ_CALLER().site);
}
LJ_EXPORT int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                                     const struct timespec *restrict deadline) {
  return lj_cond_wait_on(cond, mutex, COND_TIMEDWAIT, lj_cond_clock(cond), deadline, LJ_CALLER().site);
}
LJ_EXPORT int pthread_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, clockid_t clock,
                                     const struct timespec *restrict deadline) {
  return lj_cond_wait_on(cond, mutex, COND_CLOCKWAIT, clock, deadline, LJ_CALLER().site);
}

LJ_INLINE int lj_cond_wake(pthread_cond_t *cond, uint8_t operation, uint64_t site) {
  lj_slot *slot = lj_enter();
  // Before the real call: after it the condition may be gone, and its waiter comes later in time.
  if (slot && lj_is_detailed())
    lj_level_did(slot, operation, (uint64_t)(uintptr_t)cond, LJ_KIND_COND, LJ_MODE_SIGNAL, site);
  return operation == LJ_OP_SIGNAL ? lj_real.pthread_cond_signal(cond) : lj_real.pthread_cond_broadcast(cond);
}

LJ_EXPORT int pthread_cond_signal(pthread_cond_t *cond) { return lj_cond_wake(cond, LJ_OP_SIGNAL, LJ_CALLER().site); }
LJ_EXPORT int pthread_cond_broadcast(pthread_cond_t *cond) {
  return lj_cond_wake(cond, LJ_OP_BROADCAST, LJ_CALLER().site);
}

static int lj_c11_cond_result(int result) {
  switch (result) {
  case 0: return thrd_success;
  case ENOMEM: return thrd_nomem;
  case ETIMEDOUT: return thrd_timedout;
  case EBUSY: return thrd_busy;
  default: return thrd_error;
  }
}

LJ_EXPORT int cnd_signal(cnd_t *cond) {
  return lj_c11_cond_result(lj_cond_wake((pthread_cond_t *)cond, LJ_OP_SIGNAL, LJ_CALLER().site));
}
LJ_EXPORT int cnd_broadcast(cnd_t *cond) {
  return lj_c11_cond_result(lj_cond_wake((pthread_cond_t *)cond, LJ_OP_BROADCAST, LJ_CALLER().site));
}
LJ_EXPORT int cnd_wait(cnd_t *cond, mtx_t *mutex) {
  return lj_c11_cond_result(lj_cond_wait_on((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, COND_WAIT, CLOCK_REALTIME,
                                            NULL, LJ_CALLER().site));
}
LJ_EXPORT int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict deadline) {
  return lj_c11_cond_result(lj_cond_wait_on((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, COND_TIMEDWAIT,
                                            CLOCK_REALTIME, deadline, LJ_CALLER().site));
}
