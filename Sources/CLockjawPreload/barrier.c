// Barriers: every arrival is recorded as a wait, also the one that opens the barrier.
#define _GNU_SOURCE
#include <pthread.h>

#include "held.h"
#include "process.h"
#include "real.h"
#include "wait.h"

// Nobody holds a barrier: the wait says who has arrived, and the report who has not. EINVAL is impossible, and anything
// but 0 and the serial thread's answer would be an error.
LJ_COLD static int lj_barrier_wait(pthread_barrier_t *barrier, uint64_t site) {
  lj_wait_spec spec = {
      .object = (uint64_t)(uintptr_t)barrier,
      .site = site,
      .kind = LJ_KIND_BARRIER,
      .mode = LJ_MODE_SIGNAL,
      .wake = LJ_WAKE_SOFT,
  };
  lj_wait_scope scope;
  uint64_t now_ns;
  LJ_WAIT_BEGIN(&scope, lj_thread.slot, &spec);
  int result = lj_real.pthread_barrier_wait(barrier);
  bool opened = result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD;
  (void)lj_wait_end(&scope, opened ? LJ_OUTCOME_ACQUIRED : lj_outcome_of(result), &now_ns);
  return result;
}

LJ_EXPORT int pthread_barrier_init(pthread_barrier_t *restrict barrier, const pthread_barrierattr_t *restrict attributes,
                                   unsigned count) {
  lj_slot *slot = lj_enter();
  int result = lj_real.pthread_barrier_init(barrier, attributes, count);
  if (slot && result == 0 && lj_is_detailed())
    lj_level_did(slot, LJ_OP_INIT, (uint64_t)(uintptr_t)barrier, LJ_KIND_BARRIER, LJ_MODE_SIGNAL, LJ_CALLER().site);
  return result;
}

LJ_EXPORT int pthread_barrier_wait(pthread_barrier_t *barrier) {
  if (LJ_UNLIKELY(!lj_enter())) return lj_real.pthread_barrier_wait(barrier);
  return lj_barrier_wait(barrier, LJ_CALLER().site);
}
