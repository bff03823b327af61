// A thread's tables of call sites: hashed by lock and site, 64 rows at first, then further tables of 256, 1024 and 4096.
// Rows never move, so counts need no lock and a reader no copy of the whole. A program with more locks than that (one in
// every object of a heap, say) still gets exact counts for each site: the last table counts there whatever the lock is.
//
// A handler that interrupts the making of a row may make one of its own: a place is claimed by one instruction, and a row
// is found only once its site is set. The same pair may so get two rows; readers add them up.
#include "sites.h"

#include "arena.h"
#include "held.h"
#include "local.h"
#include "operations.h"
#include "process.h"

enum { PROBES = 8, ANY_TABLE = LJ_SITE_TABLES - 1 };

static const uint32_t lj_table_rows[LJ_SITE_TABLES] = {64, 256, 1024, 4096, 256};

LJ_INLINE uint64_t lj_hash(uint64_t object, uint64_t site) {
  return (object + site * 31) * 0x9E3779B97F4A7C15; // Knuth's multiplicative hashing: the upper bits are good
}

LJ_INLINE lj_site_count *lj_table(const lj_history *history, unsigned number) {
  return (lj_site_count *)history->tables_address[number];
}

LJ_COLD static bool lj_table_make(lj_slot *slot, unsigned number) {
  lj_history *history = &slot->history;
  if ((history->refused & 2u << number) || (lj_thread.flags & LJ_THREAD_GROWS)) return false;
  lj_thread.flags |= LJ_THREAD_GROWS;
  uint64_t offset;
  void *table = lj_history_claim((uint64_t)lj_table_rows[number] * sizeof(lj_site_count), &offset);
  if (table) {
    history->tables_address[number] = (uint64_t)(uintptr_t)table;
    history->tables_offset[number] = offset;
    // Release: pairs with the reader's acquire load of the capacity.
    lj_store_release32(&history->tables_capacity[number], lj_table_rows[number]);
  } else {
    history->refused |= 2u << number;
  }
  lj_thread.flags &= (uint16_t)~LJ_THREAD_GROWS;
  return table != NULL;
}

static lj_site_count *lj_row_make(lj_site_count *row, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode) {
  if (!lj_local_claim(&row->object, object)) return NULL;
  row->kind = kind;
  row->mode = mode;
  row->seen_ticks = lj_tick(NULL);
  // Release: pairs with the reader's acquire load of the site, without which it does not look at the rest.
  lj_store_release64(&row->site, site);
  return row;
}

// In one table: the row of this pair, or a free place for it, or neither.
static lj_site_count *lj_row_in(lj_site_count *table, uint32_t rows, uint64_t object, uint64_t site, uint8_t kind,
                                uint8_t mode) {
  uint32_t at = (uint32_t)(lj_hash(object, site) >> 32);
  for (unsigned i = 0; i < PROBES; i++) {
    lj_site_count *row = &table[(at + i) & (rows - 1)];
    if (row->object == object && row->site == site) return row;
    if (!row->object && (row = lj_row_make(row, object, site, kind, mode))) return row;
  }
  return NULL;
}

LJ_COLD static lj_site_count *lj_sites_row_slow(lj_slot *slot, unsigned from, unsigned to, uint64_t object,
                                                uint64_t site, uint8_t kind, uint8_t mode) {
  const lj_history *history = &slot->history;
  for (unsigned number = from; number <= to; number++) {
    if (!history->tables_capacity[number] && !lj_table_make(slot, number)) break;
    lj_site_count *row = lj_row_in(lj_table(history, number), lj_table_rows[number], object, site, kind, mode);
    if (row) return row;
  }
  return NULL;
}

lj_site_count *lj_sites_row(lj_slot *slot, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode) {
  const lj_history *history = &slot->history;
  if (!site) site = 1; // not known; a row's site is never 0
  if (LJ_LIKELY(history->tables_capacity[0])) {
    lj_site_count *row = &lj_table(history, 0)[(lj_hash(object, site) >> 32) & (lj_table_rows[0] - 1)];
    if (LJ_LIKELY(row->object == object && row->site == site)) return row;
  }
  lj_site_count *row = lj_sites_row_slow(slot, 0, ANY_TABLE - 1, object, site, kind, mode);
  if (!row) row = lj_sites_row_slow(slot, ANY_TABLE, ANY_TABLE, LJ_ANY_OBJECT, site, kind, mode);
  if (!row) lj_count_loss(LJ_LOSS_UNCOUNTED);
  return row;
}

void lj_sites_note_callers(lj_site_count *row, const lj_held *entry) {
  enum { KEPT = sizeof row->callers / sizeof *row->callers };
  unsigned count = entry->caller_count < KEPT ? entry->caller_count : KEPT;
  for (unsigned i = 0; i < count; i++) row->callers[i] = entry->callers[i];
  row->caller_count = (uint8_t)count;
}
