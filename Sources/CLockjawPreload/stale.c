// Code that sees libc's functions before the shim's (RTLD_DEEPBIND, dlmopen, an inlined atomic) may release what this thread
// took through the shim. Such a hold stays on the list. A report finds it contradicted by the lock word; here it is kept
// from piling up: before a list gets another extent, each entry is held against its lock.
//
// A word is proof of the contrary only: a mutex whose owner is somebody else, a rwlock with another writer or with fewer
// readers than entries, memory that is not there any more. And no thread has an exclusive lock twice (recursion is one
// entry), so of two such entries the older is over. What proves nothing stays.
#define _GNU_SOURCE
#include "stale.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>

#include "held.h"
#include "process.h"
#include "raw.h"
#include "signals.h"
#include "slot.h"

enum {
  // Each operation that a signal interrupts leaves at most one place empty; more of them are left by two threads on one
  // thread-local storage (clone without CLONE_SETTLS), which write over each other.
  HOLES_OF_HANDLERS = 8,
  READER_SHIFT = 3, // glibc's PTHREAD_RWLOCK_READER_SHIFT
  SPIN_FREE = 1,    // of glibc's spinlock on x86
  ROBUST_BIT = 16,  // of a mutex' __kind
  SEEN = 64,
};

static const uint32_t UNBOUNDED = UINT32_MAX;

// How many holds of its lock this thread can have at most by the lock's own word; UNBOUNDED where that does not say.
static uint32_t lj_most_holds(const lj_held *entry, uint32_t own_tid) {
  union {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    pthread_spinlock_t spin;
  } lock;
  size_t bytes = entry->kind == LJ_KIND_MUTEX    ? sizeof lock.mutex
                 : entry->kind == LJ_KIND_RWLOCK ? sizeof lock.rwlock
                 : entry->kind == LJ_KIND_SPIN   ? sizeof lock.spin
                                                 : 0;
  if (!bytes) return UNBOUNDED;
  uint32_t unknown = entry->mode == LJ_MODE_READ ? UNBOUNDED : 1;
  // By the kernel: the lock's memory may be gone.
  long got = lj_try_peek(entry->object, &lock, bytes);
  if (got == -EFAULT) return 0;
  if (got != (long)bytes) return unknown;
  if (entry->kind == LJ_KIND_SPIN) return lock.spin != SPIN_FREE;
  if (entry->mode == LJ_MODE_READ) return lock.rwlock.__data.__readers >> READER_SHIFT;
  if (!own_tid) return unknown;
  if (entry->kind == LJ_KIND_RWLOCK) return (uint32_t)lock.rwlock.__data.__cur_writer == own_tid;
  // A robust mutex whose owner died has no owner again until it is made consistent; its lock word has.
  return (uint32_t)lock.mutex.__data.__owner == own_tid ||
         ((lock.mutex.__data.__kind & ROBUST_BIT) && ((uint32_t)lock.mutex.__data.__lock & FUTEX_TID_MASK) == own_tid);
}

static bool lj_has_holes(const lj_slot *slot, uint32_t more_than) {
  uint32_t holes = 0;
  for (uint32_t i = 0; i < slot->held_count; i++) {
    const lj_held *entry = lj_held_entry(slot, i);
    holes += entry && !entry->object;
  }
  return holes > more_than;
}

void lj_held_drop_stale(lj_slot *slot) {
  lj_signals signals = lj_signals_block();
  bool is_written_by_two = lj_has_holes(slot, HOLES_OF_HANDLERS);
  if (!is_written_by_two && lj_has_holes(slot, 0)) {
    lj_signals_restore(signals);
    return;
  }
  uint32_t own_tid = lj_tid_of(lj_self_pthread());
  // Of the newer entries of the same lock, how many there are; a lock that falls on another's place is forgotten, and
  // one stale entry more is kept.
  struct {
    uint64_t object;
    uint32_t holds;
  } seen[SEEN] = {0};
  for (uint32_t i = slot->held_count; i-- > 0;) {
    const lj_held *entry = lj_held_entry(slot, i);
    if (!entry) continue;
    uint64_t object = entry->object;
    uint64_t place = (object >> 3 ^ object >> 9) % SEEN;
    if (seen[place].object != object) {
      seen[place].object = object;
      seen[place].holds = 0;
    }
    if (!object || seen[place].holds >= lj_most_holds(entry, own_tid)) lj_held_remove(slot, i);
    else seen[place].holds++;
  }
  lj_signals_restore(signals);
}
