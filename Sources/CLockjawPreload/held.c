// Held entries off the fast path: removal from the middle, recursion, extents, handlers inside a wait.
//
// Entries at or above `wait.held_mark` were pushed inside the wait, by a handler; those below are frozen. While the
// handler holds something of its own, `interrupted` says so and the reader believes nothing here.
#include "held.h"

#include "arena.h"
#include "foreign.h"
#include "process.h"
#include "signals.h"
#include "stale.h"
#include "wait.h"

// `interrupted` while a handler runs inside a wait: the number of entries above the frozen ones, and this bit for good
// (until the wait ends) once a frozen entry was touched.
#define LJ_INTERRUPTED_BELOW 0x80000000u

// Follows saved frame pointers while they point up, inside this thread's stack. Nothing says that they are frame
// pointers, so what comes out is a hint; what goes in is always mapped memory.
unsigned lj_held_callers(const lj_slot *slot, uint64_t bp, uint64_t *callers) {
  unsigned count = 0;
  while (count < LJ_CALLERS && !(bp & 7) && bp >= slot->stack_low && bp < slot->stack_high &&
         slot->stack_high - bp >= 16) {
    const uint64_t *frame = (const uint64_t *)bp;
    if (!frame[1]) break;
    callers[count++] = frame[1];
    if (frame[0] <= bp) break;
    bp = frame[0];
  }
  return count;
}

// Linear in the number of extents: a thread with more than 48 locks pays for it, nobody else does.
lj_held *lj_held_entry(const lj_slot *slot, uint32_t index) {
  if (index < LJ_HELD_INLINE) return (lj_held *)&slot->held[index];
  index -= LJ_HELD_INLINE;
  uint32_t link = slot->held_extent;
  for (; link != LJ_NO_EXTENT && index >= LJ_HELD_PER_EXTENT; index -= LJ_HELD_PER_EXTENT)
    link = lj_extent_at(link)->next;
  return link == LJ_NO_EXTENT ? NULL : &lj_extent_at(link)->held[index];
}

// The place at `index`, in a new extent where the last one is full; NULL when there is none to be had.
LJ_COLD static lj_held *lj_held_place(lj_slot *slot, uint32_t index) {
  lj_held *entry = lj_held_entry(slot, index);
  if (entry) return entry;
  // A handler in between could fork, and its child would make new lists under this operation's hands.
  lj_signals signals = lj_signals_block();
  uint32_t extent = lj_extent_claim(lj_slot_index(slot));
  lj_signals_restore(signals);
  if (extent == LJ_NO_EXTENT) return NULL;
  uint32_t *link = &slot->held_extent;
  while (*link != LJ_NO_EXTENT) link = &lj_extent_at(*link)->next;
  // A handler may have come in between and extended the chain itself; then ours simply comes after its one.
  *link = extent;
  return lj_held_entry(slot, index);
}

// Whether the next one needs more extents than a power of two less one, so that a long list is not gone through at each.
static bool lj_held_is_full(const lj_slot *slot) {
  uint32_t count = slot->held_count;
  if (count < LJ_HELD_INLINE || (count - LJ_HELD_INLINE) % LJ_HELD_PER_EXTENT) return false;
  uint32_t extents = (count - LJ_HELD_INLINE) / LJ_HELD_PER_EXTENT;
  return !(extents & (extents + 1)) && !lj_held_entry(slot, count);
}

// The rest before `object`: an entry that names an object is complete.
LJ_INLINE void lj_held_fill(lj_held *entry, uint64_t object, lj_shape shape, uint64_t site, uint64_t since_ns) {
  entry->site = site;
  entry->since_ns = since_ns;
  lj_held_set_shape(entry, shape);
  LJ_SIGNAL_FENCE();
  entry->object = object;
}

// NULL: it found no place, counted.
LJ_INLINE lj_held *lj_held_append(lj_slot *slot, uint64_t object, lj_shape shape, lj_caller caller, uint64_t since_ns) {
  bool inside = lj_wait_inside_handler(slot);
  if (slot->foreign_pending && !inside) lj_foreign_reconcile(slot);
  if (inside) slot->interrupted++;
  LJ_SIGNAL_FENCE();
  if (lj_held_is_full(slot) && !inside) lj_held_drop_stale(slot);
  uint32_t count = slot->held_count;
  lj_held *entry = LJ_LIKELY(count < LJ_HELD_INLINE) ? &slot->held[count] : lj_held_place(slot, count);
  if (LJ_UNLIKELY(!entry)) {
    slot->held_lost++;
    lj_count_loss(LJ_LOSS_HELD_OVERFLOW);
    return NULL;
  }
  slot->held_count = count + 1;
  LJ_SIGNAL_FENCE();
  if (caller.bp > (uint64_t)(uintptr_t)__builtin_frame_address(0) &&
      caller.bp - (uint64_t)(uintptr_t)__builtin_frame_address(0) < 4096)
    shape |= (lj_shape)lj_held_callers(slot, caller.bp, entry->callers) << 48;
  lj_held_fill(entry, object, shape, caller.site, since_ns);
  return entry;
}

void lj_held_push_slow(lj_slot *slot, uint64_t object, lj_shape shape, lj_caller caller, uint64_t since_ns) {
  lj_held *entry = lj_held_append(slot, object, shape, caller, since_ns);
  if (lj_is_detailed()) lj_level_acquired(slot, object, entry, shape, caller.site);
}

static lj_held *lj_held_count_again(lj_slot *slot, int64_t index) {
  if (lj_wait_inside_handler(slot) && (uint64_t)index < slot->wait.held_mark) slot->interrupted |= LJ_INTERRUPTED_BELOW;
  LJ_SIGNAL_FENCE();
  lj_held *entry = lj_held_entry(slot, (uint32_t)index);
  entry->count++;
  return entry;
}

void lj_held_push_again(lj_slot *slot, uint64_t object, lj_shape shape, lj_caller caller, uint64_t since_ns) {
  int64_t index = lj_held_find(slot, object);
  if (index < 0) {
    lj_held_push_slow(slot, object, shape, caller, since_ns);
    return;
  }
  lj_held *entry = lj_held_count_again(slot, index);
  if (lj_is_detailed()) lj_level_acquired(slot, object, entry, shape, caller.site);
}

int64_t lj_held_find(const lj_slot *slot, uint64_t object) {
  for (uint32_t index = slot->held_count; index-- > 0;) {
    const lj_held *entry = lj_held_entry(slot, index);
    if (entry && entry->object == object) return index;
  }
  return -1;
}

// Keeps the order of the others: the newest stays last.
void lj_held_remove(lj_slot *slot, uint32_t index) {
  uint32_t count = slot->held_count;
  lj_held *entry = lj_held_entry(slot, index);
  // Found a moment ago, and gone: only where two threads are on one thread-local storage (clone without CLONE_SETTLS). What is
  // listed then is anybody's, but the count must not wrap.
  if (index >= count || !entry) return;
  for (; index + 1 < count; index++) {
    lj_held *next = lj_held_entry(slot, index + 1);
    if (!next) break;
    entry->object = 0; // never an object with another entry's site
    LJ_SIGNAL_FENCE();
    lj_held copy = *next;
    uint64_t object = copy.object;
    copy.object = 0;
    *entry = copy;
    LJ_SIGNAL_FENCE();
    entry->object = object;
    entry = next;
  }
  entry->object = 0;
  LJ_SIGNAL_FENCE();
  slot->held_count = count - 1;
}

enum lj_release lj_held_release_slow(lj_slot *slot, uint64_t object, lj_held *removed) {
  bool inside = lj_wait_inside_handler(slot);
  if (slot->foreign_pending && !inside) lj_foreign_reconcile(slot);
  int64_t index = lj_held_find(slot, object);
  if (index < 0) {
    // Entries that found no place, or locks from before there was a slot: counted off, not foreign.
    if (!slot->held_lost) return LJ_RELEASE_UNLISTED;
    slot->held_lost--;
    return LJ_RELEASE_LOST;
  }
  lj_held *entry = lj_held_entry(slot, (uint32_t)index);
  if (removed) *removed = *entry;
  bool frozen = inside && (uint64_t)index < slot->wait.held_mark;
  if (frozen) slot->interrupted |= LJ_INTERRUPTED_BELOW;
  LJ_SIGNAL_FENCE();
  if (entry->count > 1) { // a recursive mutex, still held
    entry->count--;
    return LJ_RELEASE_FOUND;
  }
  lj_held_remove(slot, (uint32_t)index);
  LJ_SIGNAL_FENCE();
  if (inside && !frozen && (slot->interrupted & ~LJ_INTERRUPTED_BELOW)) slot->interrupted--;
  return LJ_RELEASE_FOUND;
}

// Callers and site are those of the first acquire: where the lock was really taken.
void lj_held_restore(lj_slot *slot, const lj_held *removed, uint8_t flags) {
  bool relocked = flags & LJ_HELD_RELOCKED;
  flags |= removed->flags;
  if (relocked) flags &= (uint8_t)~LJ_HELD_SAMPLED; // a new hold, not timed
  lj_shape shape = LJ_SHAPE(removed->kind, removed->mode, flags);
  int64_t index = removed->count > 1 ? lj_held_find(slot, removed->object) : -1;
  if (index >= 0) {
    (void)lj_held_count_again(slot, index);
  } else {
    lj_held *entry =
        lj_held_append(slot, removed->object, shape, (lj_caller){.site = removed->site}, removed->since_ns);
    for (unsigned i = 0; entry && i < LJ_CALLERS; i++) entry->callers[i] = removed->callers[i];
    if (entry) entry->caller_count = removed->caller_count;
  }
  if (!lj_is_detailed()) return;
  if (relocked) lj_level_acquired(slot, removed->object, NULL, shape, removed->site);
  else lj_level_did(slot, LJ_OP_RELEASE_FAILED, removed->object, removed->kind, removed->mode, removed->site);
}

void lj_held_forget(lj_slot *slot, uint64_t object) {
  if (!slot->held_count) return;
  for (int64_t index; (index = lj_held_find(slot, object)) >= 0;) {
    lj_held_entry(slot, (uint32_t)index)->count = 1;
    (void)lj_held_release_slow(slot, object, NULL);
  }
}

void lj_held_settle(lj_slot *slot) {
  if (!lj_wait_inside_handler(slot) && slot->foreign_pending) lj_foreign_reconcile(slot);
}

void lj_held_free_extents(lj_slot *slot) {
  uint32_t link = slot->held_extent;
  slot->held_extent = LJ_NO_EXTENT;
  while (link != LJ_NO_EXTENT) {
    uint32_t next = lj_extent_at(link)->next;
    lj_extent_release(link);
    link = next;
  }
}
