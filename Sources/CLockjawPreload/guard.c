// __cxa_guard_*: the initialisation of C++ function-local statics (Itanium C++ ABI, 3.3.3). The compiler calls them only
// until the static is initialised. Whoever runs the initialiser holds the guard; whoever comes meanwhile waits.
//
// The functions live in libstdc++ or libc++abi, which may come later than this library, by dlopen, and out of reach of
// dlsym. Then every caller still comes here, and what is below does the library's part by libstdc++'s protocol (guard.cc,
// futex variant: byte 0 done, bit 8 in progress, bit 16 somebody sleeps). With libstdc++ it so does not matter who did what.
// libc++abi has another protocol: there it holds only because all callers come here.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdint.h>

#include "held.h"
#include "process.h"
#include "real.h"
#include "wait.h"

enum { GUARD_DONE = 1, GUARD_PENDING = 1 << 8, GUARD_WAITING = 1 << 16 };

static int lj_guard_acquire_here(uint32_t *guard) {
  for (;;) {
    uint32_t word = 0;
    if (__atomic_compare_exchange_n(guard, &word, GUARD_PENDING, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return 1;
    if (word & GUARD_DONE) return 0;
    if (!(word & GUARD_WAITING)) {
      uint32_t waited = word | GUARD_WAITING;
      if (!__atomic_compare_exchange_n(guard, &word, waited, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) continue;
      word = waited;
    }
    (void)lj_raw_forward(SYS_futex, (long)guard, FUTEX_WAIT, (long)word, 0, 0, 0);
  }
}

// Release: pairs with the acquire above, and with the compiler's own look at byte 0.
static void lj_guard_set_here(uint32_t *guard, uint32_t to) {
  if (__atomic_exchange_n(guard, to, __ATOMIC_ACQ_REL) & GUARD_WAITING)
    (void)lj_raw_forward(SYS_futex, (long)guard, FUTEX_WAKE, INT32_MAX, 0, 0, 0);
}

static int lj_guard_real_acquire(uint64_t *guard) {
  return lj_real_is_there((void *)(uintptr_t)lj_real.__cxa_guard_acquire) ? lj_real.__cxa_guard_acquire(guard)
                                                                          : lj_guard_acquire_here((uint32_t *)guard);
}

// An exception may leave the real function (libstdc++'s recursive_init_error in builds without futexes); then the wait
// ends at the thread's next operation, as with longjmp. The call is not a cancellation point.
LJ_COLD static int lj_guard_wait(uint64_t *guard, lj_caller caller) {
  lj_wait_spec spec = {
      .object = (uint64_t)(uintptr_t)guard,
      .site = caller.site,
      .kind = LJ_KIND_CXX_GUARD,
      .mode = LJ_MODE_EXCLUSIVE,
      .wake = LJ_WAKE_LOCKS,
  };
  lj_wait_scope scope;
  uint64_t now_ns = 0;
  LJ_WAIT_BEGIN(&scope, lj_thread.slot, &spec);
  int result = lj_guard_real_acquire(guard);
  lj_slot *slot = lj_wait_end(&scope, LJ_OUTCOME_ACQUIRED, &now_ns);
  // 1: the one that was at it gave up, and this thread is to do it. 0: it is done, nobody holds anything.
  if (result == 1 && slot)
    lj_held_push_slow(slot, spec.object, LJ_SHAPE(LJ_KIND_CXX_GUARD, LJ_MODE_EXCLUSIVE, LJ_HELD_CONTENDED), caller,
                      now_ns);
  return result;
}

// Byte 1 is not 0 while it is in progress, in both libraries.
LJ_EXPORT int __cxa_guard_acquire(uint64_t *guard) {
  lj_slot *slot = lj_enter();
  uint32_t word = __atomic_load_n((uint32_t *)guard, __ATOMIC_ACQUIRE);
  if (slot && !(word & 0xFF) && (word & 0xFF00)) return lj_guard_wait(guard, LJ_CALLER());
  int result = lj_guard_real_acquire(guard);
  if (slot && result == 1) lj_held_push(slot, guard, LJ_SHAPE(LJ_KIND_CXX_GUARD, LJ_MODE_EXCLUSIVE, 0));
  else if (result == 1) lj_unrecorded_acquire();
  return result;
}

LJ_INLINE void lj_guard_leave(uint64_t *guard, uint64_t site) {
  lj_slot *slot = lj_enter();
  if (LJ_UNLIKELY(!slot)) {
    lj_unrecorded_release();
    return;
  }
  if (lj_is_detailed())
    lj_level_releasing(slot, (uint64_t)(uintptr_t)guard, LJ_KIND_CXX_GUARD, LJ_MODE_EXCLUSIVE, site);
  if (!lj_held_pop(slot, guard)) (void)lj_held_release_slow(slot, (uint64_t)(uintptr_t)guard, NULL);
}

LJ_EXPORT void __cxa_guard_release(uint64_t *guard) {
  lj_guard_leave(guard, LJ_CALLER().site);
  if (lj_real_is_there((void *)(uintptr_t)lj_real.__cxa_guard_release)) lj_real.__cxa_guard_release(guard);
  else lj_guard_set_here((uint32_t *)guard, GUARD_DONE);
}

LJ_EXPORT void __cxa_guard_abort(uint64_t *guard) {
  lj_guard_leave(guard, LJ_CALLER().site);
  if (lj_real_is_there((void *)(uintptr_t)lj_real.__cxa_guard_abort)) lj_real.__cxa_guard_abort(guard);
  else lj_guard_set_here((uint32_t *)guard, 0);
}
