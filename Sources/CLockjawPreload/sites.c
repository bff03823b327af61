// A thread's tables of call sites: hashed by lock and site, 64 rows at first, then further tables of 256, 1024 and 4096.
// Rows never move, so counts need no lock and a reader no copy of the whole. No row is ever given back either, so a free
// place ends the search in its table. A pair that is not at its first place in the first table is looked for in the
// largest table first: that is where most of them are, with room between them, and each row looked at is a cache line that
// the program would have liked to keep. (Smallest first, a memcached with 8,000 item locks spent half of what level
// `all` cost it in this search.) A program with more locks than that (one in
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
#include "signals.h"

enum { PROBES = 8, ANY_TABLE = LJ_SITE_TABLES - 1 };

static const uint32_t lj_table_rows[LJ_SITE_TABLES] = {64, 256, 1024, 4096, 256};

LJ_INLINE uint64_t lj_hash(uint64_t object, uint64_t site) {
  return (object + site * 31) * 0x9E3779B97F4A7C15; // Knuth's multiplicative hashing: the upper bits are good
}

LJ_INLINE lj_site_count *lj_table(const lj_history *history, unsigned number) {
  return (lj_site_count *)history->tables_address[number];
}

static void *lj_table_claim(lj_history *history, unsigned number) {
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
  return table;
}

LJ_COLD static bool lj_table_make(lj_slot *slot, unsigned number) {
  lj_history *history = &slot->history;
  if (history->refused & 2u << number) return false;
  lj_signals signals = lj_signals_block();
  // A handler may have come just before, and made it.
  bool has_table = history->tables_capacity[number] || lj_table_claim(history, number);
  lj_signals_restore(signals);
  return has_table;
}

// NULL: somebody, a handler on this thread, has just taken the place.
static lj_site_count *lj_row_make(lj_site_count *row, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode) {
  if (!lj_local_claim(&row->object, object)) return NULL;
  row->kind = kind;
  row->mode = mode;
  row->seen_ticks = lj_tick(NULL);
  // Release: pairs with the reader's acquire load of the site, without which it does not look at the rest.
  lj_store_release64(&row->site, site);
  return row;
}

// In one table: the row of this pair or NULL; then `*room` is a free place for it, or NULL.
LJ_INLINE lj_site_count *lj_row_find(const lj_history *history, unsigned number, uint64_t object, uint64_t site,
                                     lj_site_count **room) {
  lj_site_count *table = lj_table(history, number);
  uint32_t at = (uint32_t)(lj_hash(object, site) >> 32);
  *room = NULL;
  for (unsigned i = 0; i < PROBES; i++) {
    lj_site_count *row = &table[(at + i) & (lj_table_rows[number] - 1)];
    if (row->object == object && row->site == site) return row;
    if (row->object) continue;
    *room = row;
    return NULL;
  }
  return NULL;
}

// The row of this pair in tables `from` to `to`, made where there is none: in the largest that has room for it, else in
// the next one, which is made then, else in a smaller one.
LJ_COLD static lj_site_count *lj_sites_row_slow(lj_slot *slot, unsigned from, unsigned to, uint64_t object,
                                                uint64_t site, uint8_t kind, uint8_t mode) {
  const lj_history *history = &slot->history;
  for (;;) {
    unsigned next = from;
    while (next <= to && history->tables_capacity[next]) next++;
    lj_site_count *room = NULL;
    bool is_crowded = true; // the largest
    for (unsigned number = next; number-- > from;) {
      lj_site_count *here, *row = lj_row_find(history, number, object, site, &here);
      if (row) return row;
      if (!room) room = here;
      if (here && number == next - 1) is_crowded = false;
    }
    if (is_crowded && next <= to && lj_table_make(slot, next)) lj_row_find(history, next, object, site, &room);
    if (!room) return NULL;
    lj_site_count *row = lj_row_make(room, object, site, kind, mode);
    if (row) return row; // else a handler was faster, and there is one free place less
  }
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
