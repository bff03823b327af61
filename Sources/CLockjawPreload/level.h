// Recording levels above `state`: what every operation adds when they are on, and the one word that says so.
//
// The word lies in the collector's page, which is mapped at a fixed place of this library, so that asking costs one
// comparison with memory. It may change at any moment; every question is asked anew, and an operation that began at
// one level may end at another. So nothing here may rely on what another call here did: a release finds out for itself
// whether its acquire was timed.
//
// Everything is for the calling thread's own slot, and for signal handlers on it (local.h).
#ifndef LOCKJAW_LEVEL_H
#define LOCKJAW_LEVEL_H

#include "self.h"
#include "shape.h"

typedef union lj_control_page {
  lj_collector_page page;
  char bytes[LJ_PAGE];
} lj_control_page;

// The collector's page of this image's arena; zeros where there is none.
extern lj_control_page lj_control __attribute__((visibility("hidden")));

LJ_INLINE uint32_t lj_level(void) { return lj_load_relaxed32(&lj_control.page.level); }

// Whether any of the functions below is to be called.
LJ_INLINE bool lj_is_detailed(void) { return LJ_UNLIKELY(lj_level() != LJ_LEVEL_STATE); }

// `object` was acquired. `entry` is its place on the list, NULL where it found none. `site` is this call's: of a recursive
// mutex `entry` has the first one's.
LJ_COLD void lj_level_acquired(lj_slot *slot, uint64_t object, lj_held *entry, lj_shape shape, uint64_t site);

// `object` is about to be released at `site`. To be called while its entry is still listed.
LJ_COLD void lj_level_releasing(lj_slot *slot, uint64_t object, uint8_t kind, uint8_t mode, uint64_t site);

// A wait begins or has ended, after `wait_ns`.
LJ_COLD void lj_level_wait_begins(lj_slot *slot, const lj_wait *wait);
LJ_COLD void lj_level_wait_ended(lj_slot *slot, const lj_wait *wait, uint8_t outcome, uint64_t wait_ns);

// Anything else: LJ_OP_TRY_FAILED, _RELEASE_FAILED, _SIGNAL, _BROADCAST, _INIT, _DESTROY, and the acquire and release
// of what has no held entry.
LJ_COLD void lj_level_did(lj_slot *slot, uint8_t operation, uint64_t object, uint8_t kind, uint8_t mode, uint64_t site);

// The thread has just got its slot, or is about to give it back.
LJ_COLD void lj_level_thread_begins(lj_slot *slot, uint32_t before_tid);
LJ_COLD void lj_level_thread_ends(lj_slot *slot);

#endif
