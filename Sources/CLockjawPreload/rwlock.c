// pthread_rwlock_*. Each read hold has an entry of its own: readers are individuals, and a thread that reads twice
// holds twice. Acquire and release follow mutex.c.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>

#include "foreign.h"
#include "held.h"
#include "process.h"
#include "real.h"
#include "sites.h"
#include "wait.h"

enum lj_rwlock_call { RWLOCK_PLAIN, RWLOCK_TIMED, RWLOCK_CLOCK_REALTIME, RWLOCK_CLOCK_MONOTONIC };

static int lj_rwlock_real_lock(pthread_rwlock_t *lock, uint8_t mode, enum lj_rwlock_call call,
                               const struct timespec *deadline) {
  clockid_t clock = call == RWLOCK_CLOCK_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME;
  bool read = mode == LJ_MODE_READ;
  switch (call) {
  case RWLOCK_PLAIN: break;
  case RWLOCK_TIMED:
    return read ? lj_real.pthread_rwlock_timedrdlock(lock, deadline) : lj_real.pthread_rwlock_timedwrlock(lock, deadline);
  case RWLOCK_CLOCK_REALTIME:
  case RWLOCK_CLOCK_MONOTONIC:
    return read ? lj_real.pthread_rwlock_clockrdlock(lock, clock, deadline)
                : lj_real.pthread_rwlock_clockwrlock(lock, clock, deadline);
  }
  return read ? lj_real.pthread_rwlock_rdlock(lock) : lj_real.pthread_rwlock_wrlock(lock);
}

static int lj_rwlock_unrecorded(int result) {
  if (result == 0) lj_unrecorded_acquire();
  return result;
}

// The thread may sleep. `owner_tid` is the writer's; readers have no field to be named in.
LJ_COLD static int lj_rwlock_lock_slow(pthread_rwlock_t *lock, uint8_t mode, enum lj_rwlock_call call,
                                       const struct timespec *deadline, lj_caller caller) {
  lj_wait_spec spec = {
      .object = (uint64_t)(uintptr_t)lock,
      .site = caller.site,
      .deadline_ns =
          deadline ? lj_deadline_ns(call == RWLOCK_CLOCK_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME, deadline) : 0,
      .owner_tid = (uint32_t)__atomic_load_n(&lock->__data.__cur_writer, __ATOMIC_RELAXED),
      .futex_value = (uint32_t)lock->__data.__flags,
      .kind = LJ_KIND_RWLOCK,
      .mode = mode,
      .wake = LJ_WAKE_LOCKS,
  };
  uint64_t now_ns = 0;
  lj_wait_scope scope;
  LJ_WAIT_BEGIN(&scope, lj_thread.slot, &spec);
  int result = lj_rwlock_real_lock(lock, mode, call, deadline);
  lj_slot *slot = lj_wait_end(&scope, lj_outcome_of(result), &now_ns);
  if (result != 0) return result;
  if (!slot) return lj_rwlock_unrecorded(result);
  lj_held_push_slow(slot, spec.object, LJ_SHAPE(LJ_KIND_RWLOCK, mode, LJ_HELD_CONTENDED), caller, now_ns);
  return 0;
}

LJ_INLINE int lj_rwlock_try(pthread_rwlock_t *lock, uint8_t mode) {
  return mode == LJ_MODE_READ ? lj_real.pthread_rwlock_tryrdlock(lock) : lj_real.pthread_rwlock_trywrlock(lock);
}

LJ_INLINE int lj_rwlock_lock(pthread_rwlock_t *lock, uint8_t mode, enum lj_rwlock_call call,
                             const struct timespec *deadline) {
  lj_slot *slot = lj_enter();
  if (LJ_UNLIKELY(!slot)) return lj_rwlock_unrecorded(lj_rwlock_real_lock(lock, mode, call, deadline));
  if (lj_is_detailed()) lj_sites_expect(slot, (uint64_t)(uintptr_t)lock, LJ_CALLER().site);
  int result = lj_rwlock_try(lock, mode);
  if (LJ_UNLIKELY(result == EBUSY)) return lj_rwlock_lock_slow(lock, mode, call, deadline, LJ_CALLER());
  // EAGAIN and the like: the program gets the real function's own word for it.
  if (LJ_UNLIKELY(result != 0)) result = lj_rwlock_real_lock(lock, mode, call, deadline);
  if (LJ_LIKELY(result == 0)) lj_held_push(slot, lock, LJ_SHAPE(LJ_KIND_RWLOCK, mode, 0));
  return result;
}

// The timed variants refuse an unknown clock and a bad number of nanoseconds even when the lock is free, so a try
// would not be transparent. The real function, asked without a wait around it, answers at once.
LJ_INLINE int lj_rwlock_timed(pthread_rwlock_t *lock, uint8_t mode, enum lj_rwlock_call call,
                              const struct timespec *deadline) {
  // Without one glibc waits without limit. Its header says that there is one, so the compiler has to be kept from knowing.
  const struct timespec *perhaps_none = deadline;
  __asm__("" : "+r"(perhaps_none));
  bool valid = !perhaps_none || (uint64_t)perhaps_none->tv_nsec < 1000000000u;
  if (LJ_LIKELY(valid)) return lj_rwlock_lock(lock, mode, call, perhaps_none);
  lj_real_ready();
  return lj_rwlock_real_lock(lock, mode, call, deadline);
}

LJ_INLINE int lj_rwlock_clock(pthread_rwlock_t *lock, uint8_t mode, clockid_t clock, const struct timespec *deadline) {
  if (clock == CLOCK_REALTIME) return lj_rwlock_timed(lock, mode, RWLOCK_CLOCK_REALTIME, deadline);
  if (clock == CLOCK_MONOTONIC) return lj_rwlock_timed(lock, mode, RWLOCK_CLOCK_MONOTONIC, deadline);
  lj_real_ready();
  return mode == LJ_MODE_READ ? lj_real.pthread_rwlock_clockrdlock(lock, clock, deadline)
                              : lj_real.pthread_rwlock_clockwrlock(lock, clock, deadline);
}

LJ_INLINE int lj_rwlock_trylock(pthread_rwlock_t *lock, uint8_t mode) {
  lj_slot *slot = lj_enter();
  if (slot && lj_is_detailed()) lj_sites_expect(slot, (uint64_t)(uintptr_t)lock, LJ_CALLER().site);
  int result = lj_rwlock_try(lock, mode);
  if (LJ_UNLIKELY(!slot)) return lj_rwlock_unrecorded(result);
  if (result == 0) lj_held_push(slot, lock, LJ_SHAPE(LJ_KIND_RWLOCK, mode, LJ_HELD_TRY));
  else if (lj_is_detailed())
    lj_level_did(slot, LJ_OP_TRY_FAILED, (uint64_t)(uintptr_t)lock, LJ_KIND_RWLOCK, mode, LJ_CALLER().site);
  return result;
}

// Not the newest entry, or not on this thread's list at all. The lock word names a writer; of the readers whoever lists
// the lock stands for the one that is released.
LJ_COLD static int lj_rwlock_unlock_slow(lj_slot *slot, pthread_rwlock_t *lock) {
  lj_held removed;
  enum lj_release release = lj_held_release_slow(slot, (uint64_t)(uintptr_t)lock, &removed);
  lj_foreign_note note = {0};
  if (release == LJ_RELEASE_UNLISTED) {
    uint32_t writer = (uint32_t)__atomic_load_n(&lock->__data.__cur_writer, __ATOMIC_RELAXED);
    if (writer != slot->tid)
      note = lj_foreign_announce((uint64_t)(uintptr_t)lock, writer, writer ? LJ_MODE_WRITE : LJ_MODE_READ);
  }
  int result = lj_real.pthread_rwlock_unlock(lock);
  if (result == 0) return 0;
  if (release == LJ_RELEASE_FOUND) lj_held_restore(slot, &removed, 0);
  else if (release == LJ_RELEASE_LOST) slot->held_lost++;
  else lj_foreign_withdraw(note);
  return result;
}

LJ_COLD static int lj_rwlock_unlock_slotless(pthread_rwlock_t *lock) {
  int result = lj_real.pthread_rwlock_unlock(lock);
  if (result == 0) lj_unrecorded_release();
  return result;
}

// glibc's unlock cannot fail, so there is nothing to put back.
LJ_EXPORT int pthread_rwlock_unlock(pthread_rwlock_t *lock) {
  lj_slot *slot = lj_enter();
  if (LJ_UNLIKELY(!slot)) return lj_rwlock_unlock_slotless(lock);
  // What kind of hold it is, its entry says; without one, nobody does.
  if (lj_is_detailed())
    lj_level_releasing(slot, (uint64_t)(uintptr_t)lock, LJ_KIND_RWLOCK, LJ_MODE_READ, LJ_CALLER().site);
  if (LJ_UNLIKELY(!lj_held_pop(slot, lock))) return lj_rwlock_unlock_slow(slot, lock);
  return lj_real.pthread_rwlock_unlock(lock);
}

// A lock that is made anew or destroyed is held by nobody.
static void lj_rwlock_is_new(lj_slot *slot, pthread_rwlock_t *lock, uint8_t operation, uint64_t site) {
  lj_held_forget(slot, (uint64_t)(uintptr_t)lock);
  if (lj_is_detailed()) lj_level_did(slot, operation, (uint64_t)(uintptr_t)lock, LJ_KIND_RWLOCK, LJ_MODE_WRITE, site);
}

LJ_EXPORT int pthread_rwlock_init(pthread_rwlock_t *restrict lock, const pthread_rwlockattr_t *restrict attributes) {
  lj_slot *slot = lj_enter();
  int result = lj_real.pthread_rwlock_init(lock, attributes);
  if (slot && result == 0) lj_rwlock_is_new(slot, lock, LJ_OP_INIT, LJ_CALLER().site);
  return result;
}
LJ_EXPORT int pthread_rwlock_destroy(pthread_rwlock_t *lock) {
  lj_slot *slot = lj_enter();
  int result = lj_real.pthread_rwlock_destroy(lock);
  if (slot && result == 0) lj_rwlock_is_new(slot, lock, LJ_OP_DESTROY, LJ_CALLER().site);
  return result;
}

LJ_EXPORT int pthread_rwlock_rdlock(pthread_rwlock_t *lock) {
  return lj_rwlock_lock(lock, LJ_MODE_READ, RWLOCK_PLAIN, NULL);
}
LJ_EXPORT int pthread_rwlock_wrlock(pthread_rwlock_t *lock) {
  return lj_rwlock_lock(lock, LJ_MODE_WRITE, RWLOCK_PLAIN, NULL);
}
LJ_EXPORT int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock) {
  return lj_rwlock_trylock(lock, LJ_MODE_READ);
}
LJ_EXPORT int pthread_rwlock_trywrlock(pthread_rwlock_t *lock) {
  return lj_rwlock_trylock(lock, LJ_MODE_WRITE);
}
LJ_EXPORT int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict deadline) {
  return lj_rwlock_timed(lock, LJ_MODE_READ, RWLOCK_TIMED, deadline);
}
LJ_EXPORT int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict deadline) {
  return lj_rwlock_timed(lock, LJ_MODE_WRITE, RWLOCK_TIMED, deadline);
}
LJ_EXPORT int pthread_rwlock_clockrdlock(pthread_rwlock_t *restrict lock, clockid_t clock,
                                         const struct timespec *restrict deadline) {
  return lj_rwlock_clock(lock, LJ_MODE_READ, clock, deadline);
}
LJ_EXPORT int pthread_rwlock_clockwrlock(pthread_rwlock_t *restrict lock, clockid_t clock,
                                         const struct timespec *restrict deadline) {
  return lj_rwlock_clock(lock, LJ_MODE_WRITE, clock, deadline);
}

// glibc's names from before 2.34.
LJ_ALIAS(__pthread_rwlock_rdlock, pthread_rwlock_rdlock);
LJ_ALIAS(__pthread_rwlock_wrlock, pthread_rwlock_wrlock);
LJ_ALIAS(__pthread_rwlock_tryrdlock, pthread_rwlock_tryrdlock);
LJ_ALIAS(__pthread_rwlock_trywrlock, pthread_rwlock_trywrlock);
LJ_ALIAS(__pthread_rwlock_unlock, pthread_rwlock_unlock);
