// What each operation means for counts and rings. One function per thing that can happen; which of the two records it
// reaches is decided by the level at this moment.
#include "level.h"

#include "held.h"
#include "local.h"
#include "operations.h"
#include "process.h"
#include "sites.h"

lj_control_page lj_control __attribute__((aligned(LJ_PAGE)));

// Between two timed holds, at random from 32 to 95: a fixed step would fall into step with the program's own pattern.
enum { SAMPLE_LEAST = 32, SAMPLE_MASK = 63 };

// Marsaglia's xorshift with a state of 32 bits; good enough to have no pattern of a program's.
static uint32_t lj_next_sample(lj_history *history) {
  uint32_t x = history->random ? history->random : (uint32_t)(uintptr_t)history | 1;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  history->random = x;
  return SAMPLE_LEAST + (x & SAMPLE_MASK);
}

void lj_level_acquired(lj_slot *slot, uint64_t object, lj_held *entry, lj_shape shape, uint64_t site) {
  uint8_t flags = lj_flags_of(shape);
  if (lj_level() >= LJ_LEVEL_ALL)
    lj_operation_put_inline(slot, LJ_OP_ACQUIRE, object, site, lj_kind_of(shape), lj_mode_of(shape), flags);
  if (flags & LJ_HELD_RELOCKED) return; // no call of the program's
  lj_site_count *row = lj_sites_row(slot, object, site, lj_kind_of(shape), lj_mode_of(shape));
  if (LJ_UNLIKELY(!row)) return;
  if (LJ_UNLIKELY(!row->operations) && entry && site == entry->site) lj_sites_note_callers(slot, row, entry);
  lj_local_add(&row->operations, 1);
  if (!entry) return;
  if (flags & LJ_HELD_CONTENDED || entry->since_ns || entry->count != 1) return; // timed anyway, or not the whole hold
  if (slot->history.sample_in-- > 1) return;
  slot->history.sample_in = lj_next_sample(&slot->history);
  entry->flags |= LJ_HELD_SAMPLED;
  entry->since_ns = lj_monotonic_ns();
}

// The newest entry nearly always; a lock released out of order is looked for.
static const lj_held *lj_entry_of(const lj_slot *slot, uint64_t object) {
  uint32_t last = slot->held_count - 1;
  if (LJ_LIKELY(last < LJ_HELD_INLINE) && slot->held[last].object == object) return &slot->held[last];
  int64_t index = lj_held_find(slot, object);
  return index < 0 ? NULL : lj_held_entry(slot, (uint32_t)index);
}

static void lj_count_hold(lj_slot *slot, const lj_held *entry) {
  uint64_t now_ns = lj_monotonic_ns();
  if (now_ns < entry->since_ns) return; // a quiet process has coarse clocks
  uint64_t held_ns = now_ns - entry->since_ns;
  lj_site_count *row = lj_sites_row(slot, entry->object, entry->site, entry->kind, entry->mode);
  if (!row) return;
  lj_site_times *times = lj_sites_times(slot, row);
  if (entry->flags & LJ_HELD_SAMPLED) {
    lj_local_add(&times->holds_timed, 1);
    lj_local_add(&times->hold_ns, held_ns);
  } else {
    lj_local_add(&times->contended_holds, 1);
    lj_local_add(&times->contended_hold_ns, held_ns);
  }
  if (held_ns > times->hold_ns_max) times->hold_ns_max = held_ns;
}

void lj_level_releasing(lj_slot *slot, uint64_t object, uint8_t kind, uint8_t mode, uint64_t site) {
  const lj_held *entry = lj_entry_of(slot, object);
  if (lj_level() >= LJ_LEVEL_ALL)
    lj_operation_put_inline(slot, LJ_OP_RELEASE, object, site, kind, entry ? entry->mode : mode, 0);
  if (!entry || !entry->since_ns || entry->count != 1) return;
  if (entry->flags & LJ_HELD_RELOCKED || !(entry->flags & (LJ_HELD_SAMPLED | LJ_HELD_CONTENDED))) return;
  lj_count_hold(slot, entry);
}

void lj_level_wait_begins(lj_slot *slot, const lj_wait *wait) {
  if (lj_level() >= LJ_LEVEL_ALL)
    lj_operation_put(slot, LJ_OP_WAIT_BEGIN, wait->object, wait->site, wait->kind, wait->mode, 0);
}

void lj_level_wait_ended(lj_slot *slot, const lj_wait *wait, uint8_t outcome, uint64_t wait_ns) {
  if (lj_level() >= LJ_LEVEL_ALL)
    lj_operation_put(slot, LJ_OP_WAIT_END, wait->object, wait->site, wait->kind, wait->mode, outcome);
  lj_site_count *row = lj_sites_row(slot, wait->object, wait->site, wait->kind, wait->mode);
  if (!row) return;
  lj_site_times *times = lj_sites_times(slot, row);
  lj_local_add(&times->waits, 1);
  lj_local_add(&times->wait_ns, wait_ns);
  if (wait_ns > times->wait_ns_max) times->wait_ns_max = wait_ns;
  if (outcome != LJ_OUTCOME_ACQUIRED && outcome != LJ_OUTCOME_OWNER_DIED) lj_local_add(&times->failures, 1);
}

void lj_level_did(lj_slot *slot, uint8_t operation, uint64_t object, uint8_t kind, uint8_t mode, uint64_t site) {
  if (lj_level() >= LJ_LEVEL_ALL) lj_operation_put(slot, operation, object, site, kind, mode, 0);
  if (operation == LJ_OP_RELEASE_FAILED || operation == LJ_OP_DESTROY) return;
  lj_site_count *row = lj_sites_row(slot, object, site, kind, mode);
  if (!row) return;
  if (operation == LJ_OP_TRY_FAILED) {
    lj_local_add(&lj_sites_times(slot, row)->failures, 1);
    return;
  }
  if (operation == LJ_OP_INIT) {
    row->counts = LJ_COUNT_INIT;
    lj_sites_times(slot, row)->seen_ticks = lj_tick(NULL);
  }
  lj_local_add(&row->operations, 1);
}

void lj_level_thread_begins(lj_slot *slot, uint32_t before_tid) {
  slot->history.refused = 0; // there may be memory again
  if (lj_level() >= LJ_LEVEL_ALL || slot->history.operations_capacity)
    lj_operation_put(slot, LJ_OP_THREAD_BEGIN, slot->tid, before_tid, LJ_KIND_NONE, 0, 0);
}

void lj_level_thread_ends(lj_slot *slot) {
  if (slot->history.operations_capacity)
    lj_operation_put(slot, LJ_OP_THREAD_END, slot->tid, 0, LJ_KIND_NONE, 0, 0);
}
