// Semaphores. A wait is recorded like a lock's; a permit taken is evidence, not a hold, because anybody may post.
// Permits and foreign posts may change inside a signal handler (sem_post is allowed there): they do not mark the slot
// as interrupted, a reader never takes them for proof.
//
// sem_wait and sem_timedwait are cancellation points even when they do not block (glibc's sem_clockwait is not), and a bad
// deadline is EINVAL even when there is nothing to wait for; both come before the try.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#include "cleanup.h"
#include "held.h"
#include "process.h"
#include "real.h"
#include "wait.h"

static lj_permit *lj_permit_of(lj_slot *slot, uint64_t object) {
  for (unsigned i = 0; i < LJ_PERMITS; i++)
    if (slot->permits[i].object == object) return &slot->permits[i];
  return NULL;
}

// The place of the permit that was taken longest ago goes to a new one when all are in use.
static void lj_permit_taken(lj_slot *slot, const sem_t *semaphore, uint64_t site) {
  uint64_t object = (uint64_t)(uintptr_t)semaphore;
  lj_permit *permit = lj_permit_of(slot, object);
  slot->uses_semaphores = 1;
  if (permit) {
    permit->count++;
  } else {
    permit = lj_permit_of(slot, 0);
    if (!permit) {
      permit = &slot->permits[0];
      for (unsigned i = 1; i < LJ_PERMITS; i++)
        if (slot->permits[i].taken_ticks < permit->taken_ticks) permit = &slot->permits[i];
      lj_count_loss(LJ_LOSS_PERMIT);
      permit->object = 0;
      LJ_SIGNAL_FENCE();
    }
    permit->count = 1;
  }
  permit->site = site;
  permit->taken_ticks = lj_ticks();
  LJ_SIGNAL_FENCE();
  permit->object = object;
}

// False: this thread has none, so its post is a signal to somebody.
static bool lj_permit_given_back(lj_slot *slot, uint64_t object) {
  lj_permit *permit = lj_permit_of(slot, object);
  if (!permit) return false;
  if (--permit->count == 0) permit->object = 0;
  return true;
}

static void lj_posted_without_permit(lj_slot *slot, uint64_t object) {
  lj_post *place = &slot->posts[0];
  slot->uses_semaphores = 1;
  for (unsigned i = 0; i < LJ_POSTS; i++) {
    if (slot->posts[i].object == object) {
      place = &slot->posts[i];
      break;
    }
    if (slot->posts[i].posted_ticks < place->posted_ticks) place = &slot->posts[i];
  }
  if (place->object != object) place->object = 0;
  LJ_SIGNAL_FENCE();
  place->posted_ticks = lj_ticks();
  LJ_SIGNAL_FENCE();
  place->object = object;
}

static void lj_sem_told(lj_slot *slot, uint8_t operation, const sem_t *semaphore, uint64_t site) {
  lj_level_did(slot, operation, (uint64_t)(uintptr_t)semaphore, LJ_KIND_SEM, LJ_MODE_EXCLUSIVE, site);
}

static void lj_semaphore_forget(lj_slot *slot, uint64_t object) {
  for (unsigned i = 0; i < LJ_PERMITS; i++)
    if (slot->permits[i].object == object) slot->permits[i] = (lj_permit){0};
  for (unsigned i = 0; i < LJ_POSTS; i++)
    if (slot->posts[i].object == object) slot->posts[i] = (lj_post){0};
}

enum lj_sem_call { SEM_WAIT, SEM_TIMEDWAIT, SEM_CLOCKWAIT };

static int lj_sem_real_wait(sem_t *semaphore, enum lj_sem_call call, clockid_t clock, const struct timespec *deadline) {
  switch (call) {
  case SEM_WAIT: break;
  case SEM_TIMEDWAIT: return lj_real.sem_timedwait(semaphore, deadline);
  case SEM_CLOCKWAIT: return lj_real.sem_clockwait(semaphore, clock, deadline);
  }
  return lj_real.sem_wait(semaphore);
}

static void lj_sem_wait_left(void *scope) {
  uint64_t now_ns;
  (void)lj_wait_end(scope, LJ_OUTCOME_CANCELLED, &now_ns);
}

// No permit at the first try; the real function looks again and sleeps.
LJ_COLD static int lj_sem_wait_slow(sem_t *semaphore, enum lj_sem_call call, clockid_t clock,
                                    const struct timespec *deadline, uint64_t site) {
  lj_wait_spec spec = {
      .object = (uint64_t)(uintptr_t)semaphore,
      .site = site,
      .deadline_ns = deadline ? lj_deadline_ns(clock, deadline) : 0,
      .kind = LJ_KIND_SEM,
      .mode = LJ_MODE_EXCLUSIVE,
      .wake = LJ_WAKE_LOCKS,
  };
  lj_wait_scope scope;
  struct _pthread_cleanup_buffer cleanup;
  int result;
  LJ_WAIT_BEGIN(&scope, lj_thread.slot, &spec);
  _pthread_cleanup_push(&cleanup, lj_sem_wait_left, &scope);
  result = lj_sem_real_wait(semaphore, call, clock, deadline);
  _pthread_cleanup_pop(&cleanup, 0);
  uint64_t now_ns;
  lj_slot *slot = lj_wait_end(&scope, result == 0 ? LJ_OUTCOME_ACQUIRED : lj_outcome_of(errno), &now_ns);
  if (!slot || result != 0) return result;
  lj_permit_taken(slot, semaphore, site);
  if (lj_is_detailed()) lj_sem_told(slot, LJ_OP_ACQUIRE, semaphore, site);
  return result;
}

LJ_INLINE int lj_sem_wait(sem_t *semaphore, enum lj_sem_call call, clockid_t clock, const struct timespec *deadline) {
  lj_slot *slot = lj_enter();
  if (LJ_UNLIKELY(!slot)) return lj_sem_real_wait(semaphore, call, clock, deadline);
  if (call != SEM_CLOCKWAIT) pthread_testcancel();
  // A failed try sets errno, and a successful wait must leave it alone.
  int saved = errno;
  if (LJ_LIKELY(lj_real.sem_trywait(semaphore) == 0)) {
    lj_permit_taken(slot, semaphore, LJ_CALLER().site);
    if (lj_is_detailed()) lj_sem_told(slot, LJ_OP_ACQUIRE, semaphore, LJ_CALLER().site);
    return 0;
  }
  errno = saved;
  return lj_sem_wait_slow(semaphore, call, clock, deadline, LJ_CALLER().site);
}

LJ_EXPORT int sem_wait(sem_t *semaphore) { return lj_sem_wait(semaphore, SEM_WAIT, CLOCK_REALTIME, NULL); }

LJ_EXPORT int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
  if (LJ_LIKELY((uint64_t)deadline->tv_nsec < 1000000000u))
    return lj_sem_wait(semaphore, SEM_TIMEDWAIT, CLOCK_REALTIME, deadline);
  lj_real_ready();
  return lj_real.sem_timedwait(semaphore, deadline);
}

LJ_EXPORT int sem_clockwait(sem_t *restrict semaphore, clockid_t clock, const struct timespec *restrict deadline) {
  bool supported = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
  if (LJ_LIKELY(supported && (uint64_t)deadline->tv_nsec < 1000000000u))
    return lj_sem_wait(semaphore, SEM_CLOCKWAIT, clock, deadline);
  lj_real_ready();
  return lj_real.sem_clockwait(semaphore, clock, deadline);
}

LJ_EXPORT int sem_trywait(sem_t *semaphore) {
  lj_slot *slot = lj_enter();
  int result = lj_real.sem_trywait(semaphore);
  if (LJ_UNLIKELY(!slot)) return result;
  if (result == 0) lj_permit_taken(slot, semaphore, LJ_CALLER().site);
  if (lj_is_detailed())
    lj_sem_told(slot, result == 0 ? LJ_OP_ACQUIRE : LJ_OP_TRY_FAILED, semaphore, LJ_CALLER().site);
  return result;
}

LJ_EXPORT int sem_post(sem_t *semaphore) {
  lj_slot *slot = lj_enter();
  if (LJ_UNLIKELY(!slot)) return lj_real.sem_post(semaphore);
  // Before the real post, after which the semaphore may be gone and the permit another thread's.
  uint64_t object = (uint64_t)(uintptr_t)semaphore;
  bool had_permit = lj_permit_given_back(slot, object);
  if (!had_permit) lj_posted_without_permit(slot, object);
  if (lj_is_detailed()) lj_sem_told(slot, LJ_OP_RELEASE, semaphore, LJ_CALLER().site);
  int result = lj_real.sem_post(semaphore);
  if (LJ_LIKELY(result == 0)) return 0;
  if (had_permit) lj_permit_taken(slot, semaphore, LJ_CALLER().site);
  if (lj_is_detailed()) lj_sem_told(slot, LJ_OP_RELEASE_FAILED, semaphore, LJ_CALLER().site);
  return result;
}

LJ_EXPORT int sem_init(sem_t *semaphore, int shared, unsigned value) {
  lj_slot *slot = lj_enter();
  if (slot) lj_semaphore_forget(slot, (uint64_t)(uintptr_t)semaphore);
  int result = lj_real.sem_init(semaphore, shared, value);
  if (slot && result == 0 && lj_is_detailed()) lj_sem_told(slot, LJ_OP_INIT, semaphore, LJ_CALLER().site);
  return result;
}

LJ_EXPORT int sem_destroy(sem_t *semaphore) {
  lj_slot *slot = lj_enter();
  if (slot) lj_semaphore_forget(slot, (uint64_t)(uintptr_t)semaphore);
  return lj_real.sem_destroy(semaphore);
}
