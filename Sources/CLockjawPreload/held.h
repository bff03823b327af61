// The locks this thread holds: a list in its slot, the newest last, continued in extents beyond LJ_HELD_INLINE.
//
// A signal handler on the same thread may run between any two stores and lock and unlock; it leaves the list as it
// found it. So: a push takes its place first (`held_count`), then fills it, `object` last; a removal clears `object`
// first, then gives the place back. Every place at or beyond `held_count` has object == 0.
//
// A reader believes the list only while the thread waits, and then nothing here runs, except in a handler inside the
// wait, which says so in `interrupted` (lj_held_push_slow).
#ifndef LOCKJAW_HELD_H
#define LOCKJAW_HELD_H

#include "level.h"
#include "self.h"
#include "shape.h"

// Who called the exported function: the return address, and its frame pointer as it was when it called. Only code
// that keeps frame pointers has one there; anything else is told apart by where it points.
typedef struct lj_caller {
  uint64_t site;
  uint64_t bp;
} lj_caller;

// The caller of the exported function this is expanded in, directly or through LJ_INLINE functions: those are always
// inlined, and every function here keeps a frame pointer, so the caller's is saved at [rbp].
#define LJ_CALLER()                                                       \
  ((lj_caller){.site = (uint64_t)(uintptr_t)__builtin_return_address(0), \
               .bp = *(const uint64_t *)__builtin_frame_address(0)})

enum lj_release {
  LJ_RELEASE_FOUND,
  LJ_RELEASE_LOST,    // not listed, but the list is known to lack entries: taken to be one of those
  LJ_RELEASE_UNLISTED // this thread did not record taking it
};

// A caller's frame pointer points a little above the frame that was just left; a register used for something else
// nearly never does.
LJ_INLINE bool lj_is_frame_above(uint64_t bp, const void *frame) {
  return bp - ((uint64_t)(uintptr_t)frame + 16) < 2048 && !(bp & 7);
}

LJ_COLD unsigned lj_held_callers(const lj_slot *slot, uint64_t bp, uint64_t *callers);
LJ_COLD void lj_held_push_slow(lj_slot *slot, uint64_t object, lj_shape shape, lj_caller caller, uint64_t since_ns);

// An acquire without a recorded wait. The level is asked for together with what else is rare: at `state` that costs a
// quarter of a nanosecond. A lock that is already listed gets a second entry, so this is not for
// recursive mutexes (lj_held_push_again).
LJ_INLINE void lj_held_push(lj_slot *slot, const void *object, lj_shape shape) {
  uint32_t count = slot->held_count;
  if (LJ_UNLIKELY((slot->wait.seq & 1) | slot->foreign_pending | lj_level()) || LJ_UNLIKELY(count >= LJ_HELD_INLINE)) {
    lj_held_push_slow(slot, (uint64_t)(uintptr_t)object, shape, LJ_CALLER(), 0);
    return;
  }
  lj_held *entry = &slot->held[count];
  slot->held_count = count + 1;
  LJ_SIGNAL_FENCE();
  lj_caller caller = LJ_CALLER();
  entry->site = caller.site;
  entry->since_ns = 0;
  if (LJ_UNLIKELY(lj_is_frame_above(caller.bp, __builtin_frame_address(0))))
    shape |= (lj_shape)lj_held_callers(slot, caller.bp, entry->callers) << 48;
  lj_held_set_shape(entry, shape);
  LJ_SIGNAL_FENCE();
  entry->object = (uint64_t)(uintptr_t)object;
}

// Counts one more on the entry of `object`, or makes one: recursive mutexes.
LJ_COLD void lj_held_push_again(lj_slot *slot, uint64_t object, lj_shape shape, lj_caller caller, uint64_t since_ns);

// Takes the newest hold of `object` off the list before the real unlock; true where it was the newest entry of all
// and nothing else is to be done. False: nothing has changed, use lj_held_release_slow.
LJ_INLINE bool lj_held_pop(lj_slot *slot, const void *object) {
  uint32_t last = slot->held_count - 1;
  if (LJ_UNLIKELY(last >= LJ_HELD_INLINE)) return false; // also an empty list: it wraps
  lj_held *entry = &slot->held[last];
  if (LJ_UNLIKELY(entry->object != (uint64_t)(uintptr_t)object) || LJ_UNLIKELY(entry->count != 1)) return false;
  if (LJ_UNLIKELY((slot->wait.seq & 1) | slot->foreign_pending)) return false;
  entry->object = 0;
  LJ_SIGNAL_FENCE();
  slot->held_count = last;
  return true;
}

// The general removal; `removed`, where not NULL, gets a copy of the entry as it was.
LJ_COLD enum lj_release lj_held_release_slow(lj_slot *slot, uint64_t object, lj_held *removed);

// Puts a removed hold back: the real unlock failed, or a condition variable has taken the mutex again, which `flags`
// say; they are added to the entry's.
LJ_COLD void lj_held_restore(lj_slot *slot, const lj_held *removed, uint8_t flags);

// Drops every entry of an object that was just initialised or destroyed.
LJ_COLD void lj_held_forget(lj_slot *slot, uint64_t object);

// Index of the newest entry of `object`, or -1.
int64_t lj_held_find(const lj_slot *slot, uint64_t object);
lj_held *lj_held_entry(const lj_slot *slot, uint32_t index);
void lj_held_remove(lj_slot *slot, uint32_t index);

// Takes foreign releases into account and ends a wait that was left behind; the thread is about to end.
void lj_held_settle(lj_slot *slot);

// Gives the extents of a slot that holds nothing back to the arena.
void lj_held_free_extents(lj_slot *slot);

#endif
