// The flight recorder: one ring per slot, written by its thread.
//
// A place is taken by raising `operations_head` before anything is written into it, and is valid once its stamp says
// its number (lockjaw_arena.h, lj_operation). Both are needed: the head tells a reader which places may be in the
// middle of being overwritten, the stamp which were taken and never filled, because the thread died or a signal handler
// runs in between. Stores become visible in program order on x86-64, so only the compiler has to be held back.
#define _GNU_SOURCE
#include "operations.h"

#include <cpuid.h>

#include "arena.h"
#include "local.h"
#include "process.h"
#include "raw.h"
#include "signals.h"

// One tells which tick was which nanosecond every so many operations, and at the first after so many ticks (seconds).
enum { CLOCK_EVERY = 1024 };
#define LJ_CLOCK_AFTER_TICKS (1ull << 32)

enum { REFUSED_RING = 1 };

// LJ_TICKS_*, or QUIET. Private to this process image; the header's is for readers.
enum { TICKS_QUIET = 0xFF };
static uint32_t lj_tick_source = LJ_TICKS_UNDECIDED;

// CPUID 8000_0007h EDX bit 8, "invariant TSC" (AMD APM volume 3, Intel SDM volume 2): one rate in every power state. What
// Linux shows as constant_tsc and nonstop_tsc.
static bool lj_tsc_is_constant(void) {
  unsigned a, b, c, d;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & 1u << 8);
}

// Two threads may decide at once: they come to the same answer.
LJ_COLD static void lj_tick_decide(void) {
  bool is_trusted = !lj_process.settings.clock_is_monotonic && lj_tsc_is_constant();
  uint32_t source = is_trusted ? LJ_TICKS_TSC : LJ_TICKS_MONOTONIC;
  if (lj_process.header) lj_store_release32(&lj_process.header->tick_source, source);
  __atomic_store_n(&lj_tick_source, lj_quiet ? TICKS_QUIET : source, __ATOMIC_RELAXED);
}

void lj_ticks_reset(void) { __atomic_store_n(&lj_tick_source, LJ_TICKS_UNDECIDED, __ATOMIC_RELAXED); }

void lj_ticks_quiet(bool quiet) {
  if (lj_tick_source == LJ_TICKS_UNDECIDED) lj_tick_decide(); // the instruction may fault later
  uint32_t known = lj_process.header ? lj_process.header->tick_source : LJ_TICKS_UNDECIDED;
  __atomic_store_n(&lj_tick_source, quiet ? TICKS_QUIET : known, __ATOMIC_RELAXED);
}

LJ_COLD static uint64_t lj_tick_slow(uint8_t *mode) {
  if (lj_tick_source == LJ_TICKS_UNDECIDED) lj_tick_decide();
  if (lj_tick_source == LJ_TICKS_TSC) return __builtin_ia32_rdtsc();
  if (lj_tick_source == LJ_TICKS_MONOTONIC) return lj_monotonic_ns();
  if (mode) *mode |= LJ_OP_UNTIMED;
  return lj_ticks();
}

uint64_t lj_tick(uint8_t *mode) {
  return LJ_LIKELY(lj_tick_source == LJ_TICKS_TSC) ? __builtin_ia32_rdtsc() : lj_tick_slow(mode);
}

static void *lj_ring_claim(lj_history *history) {
  uint32_t capacity = lj_process.settings.ring_operations;
  uint64_t offset;
  void *ring = lj_history_claim((uint64_t)capacity * sizeof(lj_operation), &offset);
  if (ring) {
    history->operations_address = (uint64_t)(uintptr_t)ring;
    history->operations_offset = offset;
    // Release: pairs with the reader's acquire load of the capacity.
    lj_store_release32(&history->operations_capacity, capacity);
  } else {
    history->refused |= REFUSED_RING;
  }
  return ring;
}

// False: this thread has no ring and gets none.
LJ_COLD static bool lj_ring_make(lj_slot *slot) {
  lj_history *history = &slot->history;
  if (history->refused & REFUSED_RING) return false;
  lj_signals signals = lj_signals_block();
  // A handler may have come just before, and made one.
  bool has_ring = history->operations_capacity || lj_ring_claim(history);
  lj_signals_restore(signals);
  return has_ring;
}

LJ_INLINE void lj_operation_write(lj_slot *slot, uint64_t number, uint64_t ticks, uint64_t object, uint64_t site,
                                  uint32_t what) {
  lj_history *history = &slot->history;
  lj_operation *place =
      (lj_operation *)history->operations_address + (number & (history->operations_capacity - 1));
  place->ticks = ticks;
  place->object = object;
  place->site = site;
  // Stamp and the four bytes after it in one store, the last.
  uint64_t last = (uint32_t)(number + 1) | (uint64_t)what << 32;
  // Release: pairs with the reader's acquire load of the stamp.
  __atomic_thread_fence(__ATOMIC_RELEASE);
  __builtin_memcpy(&place->stamp, &last, sizeof last);
}

// With LJ_RING_STOP the head goes on counting: what it is beyond the capacity was lost.
LJ_INLINE bool lj_is_full(const lj_history *history, uint64_t number) {
  return LJ_UNLIKELY(lj_process.settings.ring_mode == LJ_RING_STOP) && number >= history->operations_capacity;
}

LJ_COLD static void lj_clock_put(lj_slot *slot) {
  if (lj_tick_source == TICKS_QUIET) return;
  uint64_t number = lj_local_fetch_add(&slot->history.operations_head, 1);
  if (lj_is_full(&slot->history, number)) return;
  uint64_t now_ns = lj_monotonic_ns(), ticks = lj_tick(NULL);
  slot->history.clock_ticks = ticks;
  lj_operation_write(slot, number, ticks, now_ns, 0, LJ_OP_CLOCK);
}

void lj_operation_put(lj_slot *slot, uint8_t operation, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode,
                      uint8_t detail) {
  lj_history *history = &slot->history;
  if (LJ_UNLIKELY(!history->operations_capacity) && !lj_ring_make(slot)) {
    lj_count_loss(LJ_LOSS_NO_RING);
    return;
  }
  uint64_t number = lj_local_fetch_add(&history->operations_head, 1);
  if (lj_is_full(history, number)) return;
  uint64_t ticks = lj_tick(&mode);
  lj_operation_write(slot, number, ticks, object, site,
                     operation | (uint32_t)kind << 8 | (uint32_t)mode << 16 | (uint32_t)detail << 24);
  // Also after number 0, and twice in each round of a small ring: there is always one to be found.
  if (LJ_UNLIKELY((number & (history->operations_capacity / 2 - 1) & (CLOCK_EVERY - 1)) == 0) ||
      LJ_UNLIKELY(ticks - history->clock_ticks > LJ_CLOCK_AFTER_TICKS))
    lj_clock_put(slot);
}
