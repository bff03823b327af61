// pthread_mutex_*, of every type, and C11's mtx_*, which inside glibc bypass the PLT.
//
// Acquire: the real trylock first. It succeeds or fails exactly where the uncontended path of the real lock does, so
// the fast path costs what it costs without us. Only EBUSY means that the thread may sleep: then, if the lock does not
// come free in about the time that it takes to record a wait (or that is not worth waiting for: lj_mutex_try_briefly),
// the wait is recorded and the real lock called. Any other answer is asked for again from the real lock, so that the
// program sees its word.
// Two types are not tried, because a failed try leaves something behind. Robust: after ENOTRECOVERABLE glibc 2.36's
// trylock keeps the lock word, and the next lock would never return. Priority ceiling: an attempt that may not raise the
// thread's priority counts as made, and the next one succeeds. They are taken inside a recorded wait, a quiet one if
// they look free.
// Release: the entry leaves the list before the real unlock. The moment in which we hold without saying so is
// harmless (this thread runs); the other order would list a lock that somebody else already holds.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "foreign.h"
#include "held.h"
#include "process.h"
#include "real.h"
#include "sites.h"
#include "slot.h"
#include "wait.h"

// glibc's type bits in __kind: 1 recursive, 2 errorcheck; 16 robust, 32 priority-inheriting, 64 priority ceiling.
enum {
  TYPE_BITS = 3,
  TYPE_RECURSIVE = 1,
  TYPE_ERRORCHECK = 2,
  ROBUST_BIT = 16,
  INHERIT_BIT = 32,
  CEILING_BIT = 64,
  NOT_TRIED_BITS = ROBUST_BIT | CEILING_BIT,
  CEILING_SHIFT = 19, // the ceiling stands in the lock word, from this bit on
};

LJ_INLINE bool lj_is_recursive(const pthread_mutex_t *mutex) {
  return (mutex->__data.__kind & TYPE_BITS) == TYPE_RECURSIVE;
}

LJ_INLINE void lj_mutex_acquired(lj_slot *slot, pthread_mutex_t *mutex, uint8_t flags) {
  lj_shape shape = LJ_SHAPE(LJ_KIND_MUTEX, LJ_MODE_EXCLUSIVE, flags);
  if (LJ_UNLIKELY(lj_is_recursive(mutex) && mutex->__data.__count > 1))
    lj_held_push_again(slot, (uint64_t)(uintptr_t)mutex, shape, LJ_CALLER(), 0);
  else lj_held_push(slot, mutex, shape);
}

LJ_INLINE void lj_mutex_told(lj_slot *slot, uint8_t operation, const pthread_mutex_t *mutex, uint64_t site) {
  lj_level_did(slot, operation, (uint64_t)(uintptr_t)mutex, LJ_KIND_MUTEX, LJ_MODE_EXCLUSIVE, site);
}

static int lj_mutex_unrecorded(int result) {
  if (result == 0 || result == EOWNERDEAD) lj_unrecorded_acquire();
  return result;
}

// Which of the three blocking functions was called.
enum lj_mutex_call { MUTEX_LOCK, MUTEX_TIMEDLOCK, MUTEX_CLOCKLOCK_REALTIME, MUTEX_CLOCKLOCK_MONOTONIC };

static int lj_mutex_real_lock(pthread_mutex_t *mutex, enum lj_mutex_call call, const struct timespec *deadline) {
  switch (call) {
  case MUTEX_LOCK: break;
  case MUTEX_TIMEDLOCK: return lj_real.pthread_mutex_timedlock(mutex, deadline);
  case MUTEX_CLOCKLOCK_REALTIME: return lj_real.pthread_mutex_clocklock(mutex, CLOCK_REALTIME, deadline);
  case MUTEX_CLOCKLOCK_MONOTONIC: return lj_real.pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, deadline);
  }
  return lj_real.pthread_mutex_lock(mutex);
}

// Of the types that are not tried: whether the lock word names nobody.
static bool lj_looks_free(const pthread_mutex_t *mutex) {
  int kind = mutex->__data.__kind, word = __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED);
  return kind & CEILING_BIT ? !(word & ((1 << CEILING_SHIFT) - 1)) : (kind & ROBUST_BIT) && !word;
}

// Locks that are held for less time than a wait takes to record (about 0.1 µs) are free again by then, and two threads
// that would have passed such a lock back and forth would do little but record. So the word is looked at for as long;
// whoever finds it free has not waited. Returns what the last try answered.
//
// That pays where processors are near each other (of one core, of one cache): more gets done than without the shim. Where
// the lock's cache line takes longer from one to the other than the lock is held, each look takes it away from the holder
// and hands the lock over too often; then a sleep is cheaper for everybody. A look that itself took so long tells, and for
// a while this thread does not look; which processors are near may change (a virtual machine's do).
static int lj_mutex_try_briefly(pthread_mutex_t *mutex) {
  // A pause takes 40 to 140 cycles, a near line less than 100, a far one 400.
  enum { LOOKS = 8, FAR_TICKS = 150, FAR_FOR = 256 };
  if (lj_thread.no_looks) {
    lj_thread.no_looks--;
    return EBUSY;
  }
  int result = EBUSY;
  for (int look = 0; look < LOOKS && result == EBUSY; look++) {
    __builtin_ia32_pause();
    uint64_t before = lj_ticks();
    bool is_free = __atomic_load_n(&mutex->__data.__lock, __ATOMIC_ACQUIRE) == 0;
    if (lj_ticks() - before > FAR_TICKS) lj_thread.no_looks = FAR_FOR;
    if (is_free) result = lj_real.pthread_mutex_trylock(mutex);
  }
  return result;
}

// Everything but success at first try. `tried` is trylock's answer.
LJ_COLD static int lj_mutex_lock_slow(pthread_mutex_t *mutex, int tried, enum lj_mutex_call call,
                                      const struct timespec *deadline, lj_caller caller) {
  lj_slot *slot = lj_thread.slot;
  lj_shape shape = LJ_SHAPE(LJ_KIND_MUTEX, LJ_MODE_EXCLUSIVE, 0);
  if (tried == EBUSY && !(mutex->__data.__kind & NOT_TRIED_BITS)) tried = lj_mutex_try_briefly(mutex);
  int result = tried;
  uint64_t now_ns = 0;
  if (tried == EBUSY) {
    clockid_t clock = call == MUTEX_CLOCKLOCK_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME;
    lj_wait_spec spec = {
        .object = (uint64_t)(uintptr_t)mutex,
        .site = caller.site,
        .deadline_ns = deadline ? lj_deadline_ns(clock, deadline) : 0,
        .owner_tid = (uint32_t)__atomic_load_n(&mutex->__data.__owner, __ATOMIC_RELAXED),
        .kind = LJ_KIND_MUTEX,
        .mode = LJ_MODE_EXCLUSIVE,
        .quiet = lj_looks_free(mutex),
    };
    spec.wake = spec.quiet ? 0 : LJ_WAKE_LOCKS;
    lj_wait_scope scope;
    LJ_WAIT_BEGIN(&scope, slot, &spec);
    result = lj_mutex_real_lock(mutex, call, deadline);
    slot = lj_wait_end(&scope, lj_outcome_of(result), &now_ns);
    if (spec.quiet) now_ns = 0;
    else shape = LJ_SHAPE(LJ_KIND_MUTEX, LJ_MODE_EXCLUSIVE, LJ_HELD_CONTENDED);
  } else if (tried != 0 && tried != EOWNERDEAD) {
    result = lj_mutex_real_lock(mutex, call, deadline);
  }
  if (result != 0 && result != EOWNERDEAD) return result;
  if (!slot) return lj_mutex_unrecorded(result);
  if (lj_is_recursive(mutex)) lj_held_push_again(slot, (uint64_t)(uintptr_t)mutex, shape, caller, now_ns);
  else lj_held_push_slow(slot, (uint64_t)(uintptr_t)mutex, shape, caller, now_ns);
  return result;
}

LJ_INLINE int lj_mutex_lock(pthread_mutex_t *mutex) {
  lj_slot *slot = lj_enter();
  if (LJ_UNLIKELY(!slot)) return lj_mutex_unrecorded(lj_real.pthread_mutex_lock(mutex));
  if (lj_is_detailed()) lj_sites_expect(slot, (uint64_t)(uintptr_t)mutex, LJ_CALLER().site);
  int result = LJ_UNLIKELY(mutex->__data.__kind & NOT_TRIED_BITS) ? EBUSY : lj_real.pthread_mutex_trylock(mutex);
  if (LJ_UNLIKELY(result != 0)) return lj_mutex_lock_slow(mutex, result, MUTEX_LOCK, NULL, LJ_CALLER());
  lj_mutex_acquired(slot, mutex, 0);
  return 0;
}

LJ_INLINE int lj_mutex_trylock(pthread_mutex_t *mutex) {
  lj_slot *slot = lj_enter();
  if (slot && lj_is_detailed()) lj_sites_expect(slot, (uint64_t)(uintptr_t)mutex, LJ_CALLER().site);
  int result = lj_real.pthread_mutex_trylock(mutex);
  if (LJ_UNLIKELY(!slot)) return lj_mutex_unrecorded(result);
  if (result == 0 || result == EOWNERDEAD) lj_mutex_acquired(slot, mutex, LJ_HELD_TRY);
  else if (lj_is_detailed()) lj_mutex_told(slot, LJ_OP_TRY_FAILED, mutex, LJ_CALLER().site);
  return result;
}

LJ_INLINE int lj_mutex_timed(pthread_mutex_t *mutex, enum lj_mutex_call call, const struct timespec *deadline) {
  lj_slot *slot = lj_enter();
  if (LJ_UNLIKELY(!slot)) return lj_mutex_unrecorded(lj_mutex_real_lock(mutex, call, deadline));
  // With a priority-inheriting mutex an older kernel refuses CLOCK_MONOTONIC even when the mutex is free: ask it.
  int kind = mutex->__data.__kind;
  bool ask = (kind & NOT_TRIED_BITS) || (call == MUTEX_CLOCKLOCK_MONOTONIC && (kind & INHERIT_BIT));
  int result = ask ? EBUSY : lj_real.pthread_mutex_trylock(mutex);
  if (LJ_UNLIKELY(result != 0)) return lj_mutex_lock_slow(mutex, result, call, deadline, LJ_CALLER());
  lj_mutex_acquired(slot, mutex, 0);
  return 0;
}

// The mutex is not this thread's as far as the list says. glibc lets anybody unlock a mutex of a type that does not
// check; the others answer EPERM unless the owner field names this thread.
LJ_COLD static int lj_mutex_unlock_unlisted(lj_slot *slot, pthread_mutex_t *mutex) {
  uint32_t owner = (uint32_t)__atomic_load_n(&mutex->__data.__owner, __ATOMIC_RELAXED);
  int kind = mutex->__data.__kind;
  int type = kind & TYPE_BITS;
  bool checks = type == TYPE_RECURSIVE || type == TYPE_ERRORCHECK || (kind & (ROBUST_BIT | INHERIT_BIT));
  if (checks || owner == 0 || (slot && owner == slot->tid)) return lj_real.pthread_mutex_unlock(mutex);
  lj_foreign_note note = lj_foreign_announce((uint64_t)(uintptr_t)mutex, owner, LJ_MODE_EXCLUSIVE);
  int result = lj_real.pthread_mutex_unlock(mutex);
  if (result != 0) lj_foreign_withdraw(note);
  return result;
}

LJ_COLD static int lj_mutex_unlock_slow(lj_slot *slot, pthread_mutex_t *mutex, uint64_t site) {
  lj_held removed;
  enum lj_release release = lj_held_release_slow(slot, (uint64_t)(uintptr_t)mutex, &removed);
  int result = release == LJ_RELEASE_UNLISTED ? lj_mutex_unlock_unlisted(slot, mutex) : lj_real.pthread_mutex_unlock(mutex);
  if (result == 0) return 0;
  if (release == LJ_RELEASE_FOUND) {
    lj_held_restore(slot, &removed, 0);
    return result;
  }
  if (release == LJ_RELEASE_LOST) slot->held_lost++;
  if (lj_is_detailed()) lj_mutex_told(slot, LJ_OP_RELEASE_FAILED, mutex, site);
  return result;
}

LJ_COLD static int lj_mutex_unlock_slotless(pthread_mutex_t *mutex) {
  // A thread in its last destructor may still unlock: its slot, kept as evidence, has to learn of it.
  if ((lj_thread.flags & LJ_THREAD_ENDED) && lj_epoch_page.epoch >= LJ_EPOCH_FIRST &&
      lj_slot_of_thread((uint32_t)__atomic_load_n(&mutex->__data.__owner, __ATOMIC_RELAXED)))
    return lj_mutex_unlock_unlisted(NULL, mutex);
  int result = lj_real.pthread_mutex_unlock(mutex);
  if (result == 0) lj_unrecorded_release();
  return result;
}

LJ_COLD static int lj_mutex_unlock_failed(lj_slot *slot, pthread_mutex_t *mutex, int result, uint64_t site) {
  lj_held removed = {
      .object = (uint64_t)(uintptr_t)mutex, .site = site, .count = 1, .kind = LJ_KIND_MUTEX, .mode = LJ_MODE_EXCLUSIVE};
  lj_held_restore(slot, &removed, 0);
  return result;
}

LJ_INLINE int lj_mutex_unlock(pthread_mutex_t *mutex) {
  lj_slot *slot = lj_enter();
  if (LJ_UNLIKELY(!slot)) return lj_mutex_unlock_slotless(mutex);
  if (lj_is_detailed())
    lj_level_releasing(slot, (uint64_t)(uintptr_t)mutex, LJ_KIND_MUTEX, LJ_MODE_EXCLUSIVE, LJ_CALLER().site);
  if (LJ_UNLIKELY(!lj_held_pop(slot, mutex))) return lj_mutex_unlock_slow(slot, mutex, LJ_CALLER().site);
  int result = lj_real.pthread_mutex_unlock(mutex);
  if (LJ_UNLIKELY(result != 0)) return lj_mutex_unlock_failed(slot, mutex, result, LJ_CALLER().site);
  return 0;
}

LJ_EXPORT int pthread_mutex_lock(pthread_mutex_t *mutex) { return lj_mutex_lock(mutex); }
LJ_EXPORT int pthread_mutex_trylock(pthread_mutex_t *mutex) { return lj_mutex_trylock(mutex); }
LJ_EXPORT int pthread_mutex_unlock(pthread_mutex_t *mutex) { return lj_mutex_unlock(mutex); }
LJ_EXPORT int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *deadline) {
  return lj_mutex_timed(mutex, MUTEX_TIMEDLOCK, deadline);
}
LJ_EXPORT int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *deadline) {
  if (clock == CLOCK_REALTIME) return lj_mutex_timed(mutex, MUTEX_CLOCKLOCK_REALTIME, deadline);
  if (clock == CLOCK_MONOTONIC) return lj_mutex_timed(mutex, MUTEX_CLOCKLOCK_MONOTONIC, deadline);
  // No other clock is supported, and that is said whether the mutex is free or not.
  lj_slot *slot = lj_enter();
  int result = lj_real.pthread_mutex_clocklock(mutex, clock, deadline);
  if (LJ_UNLIKELY(!slot)) return lj_mutex_unrecorded(result);
  if (result == 0 || result == EOWNERDEAD) lj_mutex_acquired(slot, mutex, 0);
  return result;
}

// glibc's names from before 2.34's merge of libpthread; old libraries may still refer to them.
LJ_ALIAS(__pthread_mutex_lock, pthread_mutex_lock);
LJ_ALIAS(__pthread_mutex_trylock, pthread_mutex_trylock);
LJ_ALIAS(__pthread_mutex_unlock, pthread_mutex_unlock);

static void lj_mutex_begins(lj_slot *slot, pthread_mutex_t *mutex, uint64_t site) {
  lj_held_forget(slot, (uint64_t)(uintptr_t)mutex);
  if (lj_is_detailed()) lj_mutex_told(slot, LJ_OP_INIT, mutex, site);
}
static void lj_mutex_ends(lj_slot *slot, pthread_mutex_t *mutex, uint64_t site) {
  lj_held_forget(slot, (uint64_t)(uintptr_t)mutex);
  if (lj_is_detailed()) lj_mutex_told(slot, LJ_OP_DESTROY, mutex, site);
}

LJ_EXPORT int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
  lj_slot *slot = lj_enter();
  int result = lj_real.pthread_mutex_init(mutex, attributes);
  if (slot && result == 0) lj_mutex_begins(slot, mutex, LJ_CALLER().site);
  return result;
}

LJ_EXPORT int pthread_mutex_destroy(pthread_mutex_t *mutex) {
  lj_slot *slot = lj_enter();
  int result = lj_real.pthread_mutex_destroy(mutex);
  if (slot && result == 0) lj_mutex_ends(slot, mutex, LJ_CALLER().site);
  return result;
}

// C11. glibc's mtx_t is a pthread_mutex_t inside; results map as in its thrd_err_map.
static int lj_c11_result(int result) {
  switch (result) {
  case 0: return thrd_success;
  case ENOMEM: return thrd_nomem;
  case ETIMEDOUT: return thrd_timedout;
  case EBUSY: return thrd_busy;
  default: return thrd_error;
  }
}

LJ_EXPORT int mtx_init(mtx_t *mutex, int type) {
  lj_slot *slot = lj_enter();
  int result = lj_real.mtx_init(mutex, type);
  if (slot && result == thrd_success) lj_mutex_begins(slot, (pthread_mutex_t *)mutex, LJ_CALLER().site);
  return result;
}
LJ_EXPORT void mtx_destroy(mtx_t *mutex) {
  lj_slot *slot = lj_enter();
  lj_real.mtx_destroy(mutex);
  if (slot) lj_mutex_ends(slot, (pthread_mutex_t *)mutex, LJ_CALLER().site);
}
LJ_EXPORT int mtx_lock(mtx_t *mutex) { return lj_c11_result(lj_mutex_lock((pthread_mutex_t *)mutex)); }
LJ_EXPORT int mtx_trylock(mtx_t *mutex) {
  return lj_c11_result(lj_mutex_trylock((pthread_mutex_t *)mutex));
}
LJ_EXPORT int mtx_unlock(mtx_t *mutex) {
  return lj_c11_result(lj_mutex_unlock((pthread_mutex_t *)mutex));
}
LJ_EXPORT int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict deadline) {
  return lj_c11_result(lj_mutex_timed((pthread_mutex_t *)mutex, MUTEX_TIMEDLOCK, deadline));
}
