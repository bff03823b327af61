// The flight recorder: one ring per slot, written by its thread, and its time.
//
// A place is taken by raising `operations_head` before anything is written into it, and is valid once its stamp says
// its number (lockjaw_arena.h, lj_operation). Both are needed: the head tells a reader which places may be in the
// middle of being overwritten, the stamp which were taken and never filled, because the thread died or a signal handler
// runs in between. Stores become visible in program order on x86-64, so only the compiler has to be held back.
#ifndef LOCKJAW_OPERATIONS_H
#define LOCKJAW_OPERATIONS_H

#include "local.h"
#include "self.h"

// LJ_TICKS_* or a value of operations.c's own.
extern uint32_t lj_tick_source;
LJ_COLD uint64_t lj_tick_slow(uint8_t *mode);

// Time in the header's `tick_source`, which is decided by the first call. `*mode`, where not NULL, gets LJ_OP_UNTIMED
// where a sandbox leaves no clock.
LJ_INLINE uint64_t lj_tick(uint8_t *mode) {
  return LJ_LIKELY(lj_tick_source == LJ_TICKS_TSC) ? __builtin_ia32_rdtsc() : lj_tick_slow(mode);
}

// From now on this process may not ask the time (quiet.h), or may again.
void lj_ticks_quiet(bool quiet);

// The clock is decided anew: a forked child's arena is a new one.
void lj_ticks_reset(void);

// False: this thread has no ring and gets none; counted.
LJ_COLD bool lj_ring_make(lj_slot *slot);

// Writes which tick is which nanosecond now.
LJ_COLD void lj_clock_put(lj_slot *slot);

// That is done every so many operations, and at the first after so many ticks (seconds).
enum { LJ_CLOCK_EVERY = 1024 };
#define LJ_CLOCK_AFTER_TICKS (1ull << 32)

enum { LJ_RING_FETCHED_AHEAD = 8 }; // operations: four lines

// With LJ_RING_STOP the head goes on counting: what it is beyond the capacity was lost.
LJ_INLINE bool lj_is_lost(const lj_history *history, uint64_t number) {
  return LJ_UNLIKELY(history->operations_stop) && number >= history->operations_stop;
}

LJ_INLINE void lj_operation_write(const lj_history *history, uint64_t number, uint64_t ticks, uint64_t object,
                                  uint64_t site, uint32_t what) {
  lj_operation *place =
      (lj_operation *)history->operations_address + (number & (history->operations_capacity - 1));
  // A ring goes round too slowly to stay in the cache. Where its next line is fetched only by a store, the lock's atomic
  // instruction after it waits for memory, because stores may not be passed; a line that was asked for before has come.
  __asm__ volatile("prefetchw %0" : : "m"(place[LJ_RING_FETCHED_AHEAD]));
  place->ticks = ticks;
  place->object = object;
  place->site = site;
  // Stamp and the four bytes after it in one store, the last.
  uint64_t last = (uint32_t)(number + 1) | (uint64_t)what << 32;
  // Release: pairs with the reader's acquire load of the stamp.
  __atomic_thread_fence(__ATOMIC_RELEASE);
  __builtin_memcpy(&place->stamp, &last, sizeof last);
}

// Writes one operation into the slot's ring, which is made at the first; counts it where there is none to be had.
LJ_INLINE void lj_operation_put_inline(lj_slot *slot, uint8_t operation, uint64_t object, uint64_t site, uint8_t kind,
                                       uint8_t mode, uint8_t detail) {
  lj_history *history = &slot->history;
  if (LJ_UNLIKELY(!history->operations_capacity) && !lj_ring_make(slot)) return;
  uint64_t number = lj_local_fetch_add(&history->operations_head, 1);
  if (lj_is_lost(history, number)) return;
  uint64_t ticks = lj_tick(&mode);
  lj_operation_write(history, number, ticks, object, site,
                     operation | (uint32_t)kind << 8 | (uint32_t)mode << 16 | (uint32_t)detail << 24);
  // Also after number 0, and twice in each round of a small ring: there is always one to be found.
  if (LJ_UNLIKELY((number & (history->operations_capacity / 2 - 1) & (LJ_CLOCK_EVERY - 1)) == 0) ||
      LJ_UNLIKELY(ticks - history->clock_ticks > LJ_CLOCK_AFTER_TICKS))
    lj_clock_put(slot);
}

// The same for what is rare.
void lj_operation_put(lj_slot *slot, uint8_t operation, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode,
                      uint8_t detail);

#endif
