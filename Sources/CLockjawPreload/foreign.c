// A thread may unlock what another locked: legal for semaphore-like use of a normal mutex as far as glibc goes, and
// common in old code. The releasing thread cannot edit the holder's list; it leaves a note. The note comes before the
// real unlock, for the reason every removal does: after it, somebody else may hold the lock.
#include "foreign.h"

#include "held.h"
#include "process.h"
#include "raw.h"
#include "slot.h"

// Reads another thread's list while that may change: an answer that is wrong for an instant picks another reader of
// the same lock, and their number stays right. Who releases a lock of the program's own does not say in which mode it is
// held (lockjaw_releasing).
static bool lj_lists(const lj_slot *slot, uint64_t object, uint8_t mode) {
  uint32_t count = lj_load_relaxed32(&slot->held_count), noted = 0, listed = 0;
  for (unsigned i = 0; i < LJ_FOREIGN; i++)
    if (slot->foreign[i].object == object) noted += slot->foreign[i].count;
  for (uint32_t i = 0; i < count && i < LJ_HELD_INLINE; i++)
    if (slot->held[i].object == object && (slot->held[i].mode == mode || slot->held[i].kind == LJ_KIND_CUSTOM))
      listed += slot->held[i].count;
  return listed > noted;
}

// A linear scan; for mutexes and writers the owner field makes it unnecessary.
static lj_slot *lj_holder_of(uint64_t object, uint8_t mode) {
  uint32_t count = lj_load_acquire32(&lj_process.header->slot_count);
  for (uint32_t i = 0; i < count && i < LJ_SCAN_LIMIT; i++) {
    lj_slot *slot = lj_slot_at(i);
    uint32_t phase = lj_load_acquire32(&slot->phase);
    if ((phase == LJ_PHASE_LIVE || phase == LJ_PHASE_EXITED_HOLDING) && lj_lists(slot, object, mode)) return slot;
  }
  return NULL;
}

// A slot without a living owner can be edited in place, by one thread at a time.
static bool lj_release_for_ended(lj_slot *slot, uint64_t object) {
  uint32_t phase = LJ_PHASE_EXITED_HOLDING;
  if (!__atomic_compare_exchange_n(&slot->phase, &phase, LJ_PHASE_CLAIMING, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    return false;
  lj_foreign_reconcile(slot);
  uint64_t exited_ns = slot->exited_ns;
  (void)lj_held_release_slow(slot, object, NULL);
  lj_slot_retire(slot);
  if (slot->held_count) slot->exited_ns = exited_ns;
  return true;
}

lj_foreign_note lj_foreign_announce(uint64_t object, uint32_t owner_tid, uint8_t mode) {
  lj_foreign_note none = {0};
  if (!lj_process.header) return none; // a child without an arena goes on with an operation of its parent (chunks.c)
  __atomic_fetch_add(&lj_process.header->foreign_releases, 1, __ATOMIC_RELAXED);
  lj_slot *slot = owner_tid ? lj_slot_of_thread(owner_tid) : lj_holder_of(object, mode);
  if (!slot) {
    lj_count_loss(LJ_LOSS_FOREIGN);
    return none;
  }
  if (lj_load_acquire32(&slot->phase) == LJ_PHASE_EXITED_HOLDING && lj_release_for_ended(slot, object)) return none;
  for (unsigned i = 0; i < LJ_FOREIGN; i++) {
    lj_foreign *entry = &slot->foreign[i];
    uint64_t empty = 0;
    if (!__atomic_compare_exchange_n(&entry->object, &empty, object, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
      continue;
    // A thread in its last destructors has given its slot back; 0 where it cannot be told without a system call.
    entry->by_tid = lj_thread.slot ? lj_thread.slot->tid : lj_tid_of(lj_self_pthread());
    // Release: pairs with the acquire in lj_foreign_reconcile, which takes an entry only once it has a count.
    lj_store_release32(&entry->count, 1);
    __atomic_fetch_add(&slot->foreign_pending, 1, __ATOMIC_RELEASE);
    return (lj_foreign_note){.slot = slot, .entry = entry};
  }
  lj_count_loss(LJ_LOSS_FOREIGN);
  return none;
}

void lj_foreign_withdraw(lj_foreign_note note) {
  if (!note.entry) return;
  uint32_t one = 1;
  if (!__atomic_compare_exchange_n(&note.entry->count, &one, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return;
  lj_store_release64(&note.entry->object, 0);
  __atomic_fetch_sub(&lj_process.header->foreign_releases, 1, __ATOMIC_RELAXED);
}

void lj_foreign_reconcile(lj_slot *slot) {
  // Before the entries are looked at: a note that comes meanwhile raises it again. Acquire: pairs with the release add.
  __atomic_exchange_n(&slot->foreign_pending, 0, __ATOMIC_ACQUIRE);
  for (unsigned i = 0; i < LJ_FOREIGN; i++) {
    lj_foreign *entry = &slot->foreign[i];
    uint32_t count = __atomic_exchange_n(&entry->count, 0, __ATOMIC_ACQ_REL);
    if (!count) continue; // empty, or its writer has not come to the count yet and will raise `foreign_pending` again
    uint64_t object = entry->object;
    while (count--) {
      int64_t index = lj_held_find(slot, object);
      if (index < 0) break;
      lj_held *held = lj_held_entry(slot, (uint32_t)index);
      if (held->count > 1) held->count--;
      else lj_held_remove(slot, (uint32_t)index);
    }
    lj_store_release64(&entry->object, 0);
  }
}
