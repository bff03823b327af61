// The flight recorder's rare parts: which clock, the ring's memory, the clock's own operations.
#define _GNU_SOURCE
#include "operations.h"

#include <cpuid.h>

#include "arena.h"
#include "local.h"
#include "process.h"
#include "raw.h"
#include "signals.h"

enum { REFUSED_RING = 1 };

// LJ_TICKS_*, or QUIET. Private to this process image; the header's is for readers.
enum { TICKS_QUIET = 0xFF };
uint32_t lj_tick_source = LJ_TICKS_UNDECIDED;

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

LJ_COLD uint64_t lj_tick_slow(uint8_t *mode) {
  if (lj_tick_source == LJ_TICKS_UNDECIDED) lj_tick_decide();
  if (lj_tick_source == LJ_TICKS_TSC) return __builtin_ia32_rdtsc();
  if (lj_tick_source == LJ_TICKS_MONOTONIC) return lj_monotonic_ns();
  if (mode) *mode |= LJ_OP_UNTIMED;
  return lj_ticks();
}

static void lj_ring_claim(lj_history *history) {
  uint32_t capacity = lj_process.settings.ring_operations, unit;
  void *ring = lj_history_claim((uint64_t)capacity * sizeof(lj_operation), &unit);
  if (!ring) {
    history->refused |= REFUSED_RING;
    return;
  }
  history->operations_address = (uint64_t)(uintptr_t)ring;
  history->operations_unit = unit;
  history->operations_stop = lj_process.settings.ring_mode == LJ_RING_STOP ? capacity : 0;
  // Release: pairs with the reader's acquire load of the capacity.
  lj_store_release32(&history->operations_capacity, capacity);
}

bool lj_ring_make(lj_slot *slot) {
  lj_history *history = &slot->history;
  if (!(history->refused & REFUSED_RING)) {
    lj_signals signals = lj_signals_block();
    // A handler may have come just before, and made one.
    if (!history->operations_capacity) lj_ring_claim(history);
    lj_signals_restore(signals);
  }
  if (history->operations_capacity) return true;
  lj_count_loss(LJ_LOSS_NO_RING);
  return false;
}

void lj_clock_put(lj_slot *slot) {
  lj_history *history = &slot->history;
  if (lj_tick_source == TICKS_QUIET) return;
  uint64_t number = lj_local_fetch_add(&history->operations_head, 1);
  if (lj_is_lost(history, number)) return;
  uint64_t now_ns = lj_monotonic_ns(), ticks = lj_tick(NULL);
  history->clock_ticks = ticks;
  lj_operation_write(history, number, ticks, now_ns, 0, LJ_OP_CLOCK);
}

void lj_operation_put(lj_slot *slot, uint8_t operation, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode,
                      uint8_t detail) {
  lj_operation_put_inline(slot, operation, object, site, kind, mode, detail);
}
