// A thread's tables of call sites: rows one after the other in the order of their first use, and an index over all of
// them. Tables of 60, 56, 112 … 3,584 rows, each twice as long as the one before: with its share of the index such a table
// is one unit of the history, one, two, four and so on. Rows never move and none is given back, so counts need no lock and
// a reader no copy of the whole, and rows that are in use stand side by side: in a program with a thousand pairs of lock
// and site, what an operation touches of all this is a line of the index and half a line of the counts, and nearly always
// in pages that it touched before.
//
// The index is an open-addressed hash table (linear probing, half full, or three quarters where memory ran out) whose entries are a row's place and 16 bits of
// its hash. With each new table comes an index twice as large, filled from the rows; the old one stays where it is.
//
// A program with more pairs than all rows (a lock in every object of a heap, say) still gets exact counts for each site:
// the last table counts there whatever the lock is. Its rows are in the index like others.
//
// A handler may interrupt this anywhere, and find or make rows of its own: a place is taken by one instruction, and so is
// an entry of the index. A row that the index lacks when it is asked for, because its maker was interrupted or a handler
// has put a new index in the place of the one that was written to, is made a second time; readers add the two up.
#include "sites.h"

#include "arena.h"
#include "held.h"
#include "local.h"
#include "modules.h"
#include "operations.h"
#include "process.h"
#include "signals.h"

enum { ANY_TABLE = LJ_SITE_TABLES - 1 };

// A row's place: its table's number, from 1, and its own in there. 0: none.
enum { ROW_BITS = 12, PLACE_BITS = 16 };
_Static_assert(LJ_SITE_TABLES < 1 << (PLACE_BITS - ROW_BITS), "a place names its table");
LJ_INLINE uint32_t lj_place(uint32_t table, uint32_t row) { return (table + 1) << ROW_BITS | row; }
LJ_INLINE uint32_t lj_table_of(uint32_t place) { return (place >> ROW_BITS) - 1; }
LJ_INLINE uint32_t lj_row_of(uint32_t place) { return place & ((1u << ROW_BITS) - 1); }

LJ_INLINE lj_site_count *lj_row_at(const lj_history *history, uint32_t place) {
  return (lj_site_count *)history->tables_address[lj_table_of(place)] + lj_row_of(place);
}

static lj_site_times *lj_times_at(const lj_history *history, uint32_t place) {
  uint32_t table = lj_table_of(place);
  lj_site_count *rows = (lj_site_count *)history->tables_address[table];
  return (lj_site_times *)(rows + lj_site_rows(table)) + lj_row_of(place);
}

// A handler may fork in the middle of an operation, and the child go on with it: what its row was is zero then (arena.h,
// lj_arena_retire), its place too. What such an operation counts is nobody's.
lj_site_times *lj_sites_times(const lj_slot *slot, const lj_site_count *row) {
  static lj_site_times nobodys;
  uint32_t place = lj_load_relaxed32(&row->place);
  return place ? lj_times_at(&slot->history, place) : &nobodys;
}

// Both halves of a product of the two, as Wang Yi's "wyhash" mixes. Addresses have patterns (locks in an array, sites in a
// function), which a sum or a multiplication alone would keep.
LJ_INLINE uint64_t lj_hash(uint64_t object, uint64_t site) {
  __extension__ typedef unsigned __int128 lj_wide;
  lj_wide product = (lj_wide)(object ^ 0xA0761D6478BD642Fu) * (site ^ 0xE7037ED1A0B428DBu);
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// An index as one word, so that a handler that puts a larger one in its place cannot come between address and size:
// its entries' address, and in the low six bits, which are zero there, how far to shift a hash to the right.
typedef uint64_t lj_index;
enum { INDEX_FIRST_BITS = 7 };

LJ_INLINE lj_index lj_index_of(const void *entries, uint32_t bits) { return (uint64_t)(uintptr_t)entries | (64 - bits); }
LJ_INLINE uint32_t *lj_entries(lj_index index) { return (uint32_t *)(index & ~(uint64_t)63); }
LJ_INLINE uint64_t lj_index_mask(lj_index index) { return UINT64_MAX >> (index & 63); }

// An entry's upper half. The lower one is a place, never 0, so no entry in use is.
LJ_INLINE uint32_t lj_tag_of(uint64_t hash) { return (uint32_t)hash << PLACE_BITS; }

LJ_INLINE bool lj_is_of(const lj_site_count *row, uint64_t object, uint64_t site) {
  return row->object == object && row->site == site;
}

// The row of this pair; NULL: it has none. `by_tag`: the first that may be its, without a look at the row.
LJ_INLINE lj_site_count *lj_search(const lj_history *history, uint64_t object, uint64_t site, bool by_tag) {
  lj_index index = history->index;
  if (LJ_UNLIKELY(!index)) return NULL;
  uint64_t hash = lj_hash(object, site), at = hash >> (index & 63);
  for (uint64_t looked = 0; looked <= lj_index_mask(index); looked++, at = (at + 1) & lj_index_mask(index)) {
    uint32_t entry = lj_entries(index)[at], place = entry ^ lj_tag_of(hash);
    if (LJ_LIKELY(place < 1u << PLACE_BITS) && LJ_LIKELY(place)) {
      lj_site_count *row = lj_row_at(history, place);
      if (by_tag || LJ_LIKELY(lj_is_of(row, object, site))) return row;
    } else if (!entry) {
      return NULL;
    }
  }
  return NULL;
}

static void lj_index_add(lj_index index, const lj_site_count *row) {
  uint64_t hash = lj_hash(row->object, row->site), at = hash >> (index & 63);
  for (uint64_t looked = 0; looked <= lj_index_mask(index); looked++, at = (at + 1) & lj_index_mask(index))
    if (lj_local_claim32(&lj_entries(index)[at], row->place | lj_tag_of(hash))) return;
}

// Of every complete row there is; no handler runs meanwhile.
static lj_index lj_index_make(const lj_history *history, void *entries, uint32_t bits) {
  lj_index index = lj_index_of(entries, bits);
  for (uint32_t table = 0; table < LJ_SITE_TABLES; table++) {
    if (!history->tables_unit[table]) continue;
    for (uint32_t row = 0; row < lj_site_rows(table); row++) {
      const lj_site_count *at = lj_row_at(history, lj_place(table, row));
      if (at->site) lj_index_add(index, at);
    }
  }
  return index;
}

static void lj_table_claim(lj_history *history, uint16_t *next, uint32_t table) {
  uint32_t rows = lj_site_rows(table), unit, index_bits = INDEX_FIRST_BITS + table;
  uint64_t bytes = rows * (sizeof(lj_site_count) + sizeof(lj_site_times));
  uint64_t index_bytes = table == ANY_TABLE ? 0 : sizeof(uint32_t) << index_bits;
  char *at = lj_history_claim(bytes + index_bytes, &unit);
  if (!at) {
    history->refused |= 2u << table;
    return;
  }
  history->tables_address[table] = (uint64_t)(uintptr_t)at;
  if (index_bytes) history->index = lj_index_make(history, at + bytes, index_bits);
  *next = (uint16_t)lj_place(table, 0);
  // Release: pairs with the reader's acquire load. The unit is zeroed.
  lj_store_release32(&history->tables_unit[table], unit);
}

// Makes the table after the one that `next` is in, the first where it is in none. False: there is no memory for it.
LJ_COLD static bool lj_table_make(lj_slot *slot, uint16_t *next, uint32_t table) {
  lj_history *history = &slot->history;
  if (history->refused & 2u << table) return false;
  lj_signals signals = lj_signals_block();
  // A handler may have come just before, and made it.
  if (!history->tables_unit[table]) lj_table_claim(history, next, table);
  lj_signals_restore(signals);
  return history->tables_unit[table] != 0;
}

// A place for a new row in tables `first` to `last`, of which `next` is the next; 0: there is none.
static uint32_t lj_place_claim(lj_slot *slot, uint16_t *next, uint32_t first, uint32_t last) {
  for (;;) {
    uint16_t place = *(volatile uint16_t *)next;
    if (!place || lj_row_of(place) == lj_site_rows(lj_table_of(place))) {
      uint32_t table = place ? lj_table_of(place) + 1 : first;
      if (table > last || !lj_table_make(slot, next, table)) return 0;
    } else if (lj_local_swap16(next, place, (uint16_t)(place + 1))) {
      return place;
    }
  }
}

static lj_site_count *lj_row_make(lj_slot *slot, uint32_t place, uint64_t object, uint64_t site, uint8_t kind,
                                  uint8_t mode) {
  lj_history *history = &slot->history;
  lj_site_count *row = lj_row_at(history, place);
  row->object = object;
  row->kind = kind;
  row->mode = mode;
  row->place = place;
  lj_times_at(history, place)->seen_ticks = lj_tick(NULL);
  // Release: pairs with the reader's acquire load of the site, without which it does not look at the rest.
  lj_store_release64(&row->site, site);
  lj_index_add(history->index, row);
  return row;
}

// Rows of the last table bring no index of their own: where the tables before could not be had, there are fewer of them, and
// none where there is no index.
static bool lj_any_has_room(const lj_history *history) {
  return history->index && lj_row_of(history->next_any) <= lj_index_mask(history->index) / 4;
}

enum { UNKNOWN_SITE = 1 }; // a row's site is never 0

void lj_sites_expect(lj_slot *slot, uint64_t object, uint64_t site) {
  lj_site_count *row = lj_search(&slot->history, object, site, true);
  __builtin_prefetch(row, 1);
  slot->history.expected_row = (uint64_t)(uintptr_t)row;
}

lj_site_count *lj_sites_find_row(lj_slot *slot, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode) {
  lj_history *history = &slot->history;
  if (!site) site = UNKNOWN_SITE;
  lj_site_count *row = lj_search(history, object, site, false);
  if (LJ_LIKELY(row)) return row;
  uint32_t place = lj_place_claim(slot, &history->next_row, 0, ANY_TABLE - 1);
  if (!place) {
    object = LJ_ANY_OBJECT;
    row = lj_search(history, object, site, false);
    if (row) return row;
    if (lj_any_has_room(history)) place = lj_place_claim(slot, &history->next_any, ANY_TABLE, ANY_TABLE);
  }
  if (place) return lj_row_make(slot, place, object, site, kind, mode);
  lj_count_loss(LJ_LOSS_UNCOUNTED);
  return NULL;
}

void lj_sites_note_callers(const lj_slot *slot, lj_site_count *row, const lj_held *entry) {
  lj_site_times *times = lj_sites_times(slot, row);
  enum { KEPT = sizeof times->callers / sizeof *times->callers };
  unsigned count = entry->caller_count < KEPT ? entry->caller_count : KEPT;
  // They are part of what tells classes apart, and where the caller keeps no frame pointers they may be anything.
  for (unsigned i = 0; i < count; i++)
    if (!lj_modules_has_code(entry->callers[i])) count = i;
  for (unsigned i = 0; i < count; i++) times->callers[i] = entry->callers[i];
  row->caller_count = (uint8_t)count;
}
