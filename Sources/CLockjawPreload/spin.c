// Spinlocks. A spinlock is contended all the time for a moment, so a wait is recorded only once it has lasted: after
// SPINS tries, while the real function would go on spinning.
#define _GNU_SOURCE
#include <pthread.h>

#include "foreign.h"
#include "held.h"
#include "process.h"
#include "real.h"
#include "wait.h"

enum { SPINS = 200 };

// The real function spins in user space: for the kernel this thread runs, for the record it waits.
LJ_COLD static int lj_spin_lock_slow(pthread_spinlock_t *lock, lj_caller caller) {
  lj_wait_spec spec = {
      .object = (uint64_t)(uintptr_t)lock,
      .site = caller.site,
      .kind = LJ_KIND_SPIN,
      .mode = LJ_MODE_EXCLUSIVE,
      .wake = LJ_WAKE_LOCKS,
  };
  lj_slot *slot = lj_thread.slot;
  for (int i = 0; i < SPINS; i++) {
    __builtin_ia32_pause();
    if (lj_real.pthread_spin_trylock(lock) == 0) {
      lj_held_push_slow(slot, spec.object, LJ_SHAPE(LJ_KIND_SPIN, LJ_MODE_EXCLUSIVE, 0), caller, 0);
      return 0;
    }
  }
  lj_wait_scope scope;
  uint64_t now_ns = 0;
  LJ_WAIT_BEGIN(&scope, slot, &spec);
  int result = lj_real.pthread_spin_lock(lock);
  slot = lj_wait_end(&scope, lj_outcome_of(result), &now_ns);
  if (result != 0) return result;
  if (!slot) lj_unrecorded_acquire();
  else lj_held_push_slow(slot, spec.object, LJ_SHAPE(LJ_KIND_SPIN, LJ_MODE_EXCLUSIVE, LJ_HELD_CONTENDED), caller, now_ns);
  return 0;
}

LJ_INLINE void lj_spin_told(lj_slot *slot, uint8_t operation, pthread_spinlock_t *lock, uint64_t site) {
  lj_level_did(slot, operation, (uint64_t)(uintptr_t)lock, LJ_KIND_SPIN, LJ_MODE_EXCLUSIVE, site);
}

LJ_EXPORT int pthread_spin_init(pthread_spinlock_t *lock, int shared) {
  lj_slot *slot = lj_enter();
  int result = lj_real.pthread_spin_init(lock, shared);
  if (!slot || result != 0) return result;
  lj_held_forget(slot, (uint64_t)(uintptr_t)lock);
  if (lj_is_detailed()) lj_spin_told(slot, LJ_OP_INIT, lock, LJ_CALLER().site);
  return result;
}

LJ_EXPORT int pthread_spin_lock(pthread_spinlock_t *lock) {
  lj_slot *slot = lj_enter();
  if (LJ_UNLIKELY(!slot)) {
    int result = lj_real.pthread_spin_lock(lock);
    if (result == 0) lj_unrecorded_acquire();
    return result;
  }
  if (LJ_UNLIKELY(lj_real.pthread_spin_trylock(lock) != 0)) return lj_spin_lock_slow(lock, LJ_CALLER());
  lj_held_push(slot, (const void *)lock, LJ_SHAPE(LJ_KIND_SPIN, LJ_MODE_EXCLUSIVE, 0));
  return 0;
}

LJ_EXPORT int pthread_spin_trylock(pthread_spinlock_t *lock) {
  lj_slot *slot = lj_enter();
  int result = lj_real.pthread_spin_trylock(lock);
  if (result != 0) {
    if (slot && lj_is_detailed()) lj_spin_told(slot, LJ_OP_TRY_FAILED, lock, LJ_CALLER().site);
    return result;
  }
  if (LJ_UNLIKELY(!slot)) lj_unrecorded_acquire();
  else lj_held_push(slot, (const void *)lock, LJ_SHAPE(LJ_KIND_SPIN, LJ_MODE_EXCLUSIVE, LJ_HELD_TRY));
  return 0;
}

LJ_EXPORT int pthread_spin_unlock(pthread_spinlock_t *lock) {
  lj_slot *slot = lj_enter();
  if (slot && lj_is_detailed())
    lj_level_releasing(slot, (uint64_t)(uintptr_t)lock, LJ_KIND_SPIN, LJ_MODE_EXCLUSIVE, LJ_CALLER().site);
  // A spinlock has no owner field: where this thread does not list it, whoever does had it.
  if (LJ_UNLIKELY(!slot)) lj_unrecorded_release();
  else if (LJ_UNLIKELY(!lj_held_pop(slot, (const void *)lock)) &&
           lj_held_release_slow(slot, (uint64_t)(uintptr_t)lock, NULL) == LJ_RELEASE_UNLISTED)
    (void)lj_foreign_announce((uint64_t)(uintptr_t)lock, 0, LJ_MODE_EXCLUSIVE);
  return lj_real.pthread_spin_unlock(lock);
}
