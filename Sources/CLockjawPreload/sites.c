// A thread's tables of call sites: hashed by lock and site, 64 rows at first, then further tables of 256, 1024 and 4096.
// Rows never move, so counts need no lock and a reader no copy of the whole. No row is ever given back either, so a free
// place ends the search in its table. A pair that is not at its first place in the first table is looked for in the
// largest table first: that is where most of them are. Each row looked at is a cache line that the program would have
// liked to keep, and with thousands of locks it is not in the cache; so the rows of the larger tables stand in groups
// of eight, with 16 bits of each row's hash, its tag, beside the others of its group in one line behind the table (the
// layout of Abseil's and Folly's hash tables). A search looks at tags and nearly never at another row than its own. A program with more
// locks than that (one in every object of a heap, say) still gets exact counts for each site: the last table counts
// there whatever the lock is.
//
// A handler that interrupts the making of a row may make one of its own: a place is claimed by one instruction, and a row
// is found only once its site is set. The same pair may so get two rows; readers add them up. The tag comes last; who
// finds a place without one taken gives it one that says so.
#include "sites.h"

#include <emmintrin.h>

#include "arena.h"
#include "held.h"
#include "local.h"
#include "modules.h"
#include "operations.h"
#include "process.h"
#include "signals.h"

enum { PROBES = 8, ANY_TABLE = LJ_SITE_TABLES - 1 };

static const uint32_t lj_table_rows[LJ_SITE_TABLES] = {64, 256, 1024, 4096, 256};

typedef uint16_t lj_tag;
enum { TAG_FREE = 0, TAG_TAKEN = 1 }; // TAKEN: by which pair, the row tells

// A row that is free, and its tag where it has one.
typedef struct lj_place {
  lj_site_count *row; // NULL: there is none
  lj_tag *tag;
} lj_place;

LJ_INLINE uint64_t lj_hash(uint64_t object, uint64_t site) {
  return (object + site * 31) * 0x9E3779B97F4A7C15; // Knuth's multiplicative hashing: the upper bits are good
}

LJ_INLINE lj_site_count *lj_table(const lj_history *history, unsigned number) {
  return (lj_site_count *)history->tables_address[number];
}

// The first table is 8 KiB, which is also the least memory that can be had: no place for tags, and little to search.
LJ_INLINE bool lj_is_tagged(unsigned number) { return number != 0 && number != ANY_TABLE; }

LJ_INLINE lj_tag lj_tag_of(uint64_t hash) {
  lj_tag tag = (lj_tag)(hash >> 48);
  return tag > TAG_TAKEN ? tag : (lj_tag)(tag + 2);
}

LJ_INLINE bool lj_is_of(const lj_site_count *row, uint64_t object, uint64_t site) {
  return row->object == object && row->site == site;
}

static void *lj_table_claim(lj_history *history, unsigned number) {
  uint64_t offset, bytes_each = sizeof(lj_site_count) + (lj_is_tagged(number) ? sizeof(lj_tag) : 0);
  void *table = lj_history_claim(lj_table_rows[number] * bytes_each, &offset);
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
static lj_site_count *lj_row_make(lj_place place, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode) {
  lj_site_count *row = place.row;
  if (!lj_local_claim(&row->object, object)) {
    if (place.tag && *place.tag == TAG_FREE) *place.tag = TAG_TAKEN;
    return NULL;
  }
  row->kind = kind;
  row->mode = mode;
  row->seen_ticks = lj_tick(NULL);
  // Release: pairs with the reader's acquire load of the site, without which it does not look at the rest.
  lj_store_release64(&row->site, site);
  if (place.tag) *place.tag = lj_tag_of(lj_hash(object, site));
  return row;
}

// In a table without tags: the row of this pair or NULL; then `*room` is a free place for it.
LJ_INLINE lj_site_count *lj_row_probe(lj_site_count *table, uint32_t rows, uint64_t object, uint64_t site,
                                      lj_place *room) {
  uint32_t at = (uint32_t)(lj_hash(object, site) >> 32);
  for (unsigned i = 0; i < PROBES; i++) {
    lj_site_count *row = &table[(at + i) & (rows - 1)];
    if (lj_is_of(row, object, site)) return row;
    if (row->object) continue;
    room->row = row;
    return NULL;
  }
  return NULL;
}

// Where a pair belongs in a table with tags: the first row of its group, and which of the eight have its tag, are taken
// by a pair without one, and are free (two bits for each row, of which the first counts).
typedef struct lj_group {
  uint32_t first, same, taken, frees;
} lj_group;

LJ_INLINE lj_group lj_group_of(const lj_site_count *table, uint32_t rows, uint64_t hash) {
  enum { GROUP = 8, EVERY_SECOND = 0x5555 };
  uint32_t first = (uint32_t)(hash >> 32) & (rows - 1) & ~(GROUP - 1u);
  __m128i tags = _mm_load_si128((const __m128i *)((const lj_tag *)(table + rows) + first));
  __m128i same = _mm_cmpeq_epi16(tags, _mm_set1_epi16((short)lj_tag_of(hash)));
  __m128i taken = _mm_cmpeq_epi16(tags, _mm_set1_epi16(TAG_TAKEN));
  __m128i frees = _mm_cmpeq_epi16(tags, _mm_setzero_si128());
  return (lj_group){.first = first,
                    .same = (uint32_t)_mm_movemask_epi8(same) & EVERY_SECOND,
                    .taken = (uint32_t)_mm_movemask_epi8(taken) & EVERY_SECOND,
                    .frees = (uint32_t)_mm_movemask_epi8(frees) & EVERY_SECOND};
}

LJ_INLINE uint32_t lj_first_of(lj_group group, uint32_t which) { return group.first + (uint32_t)__builtin_ctz(which) / 2; }

// The same in a table with tags.
LJ_INLINE lj_site_count *lj_row_by_tag(lj_site_count *table, uint32_t rows, uint64_t object, uint64_t site,
                                       lj_place *room) {
  lj_group group = lj_group_of(table, rows, lj_hash(object, site));
  for (uint32_t which = group.same | group.taken; LJ_LIKELY(which); which &= which - 1) {
    lj_site_count *row = &table[lj_first_of(group, which)];
    if (LJ_LIKELY(lj_is_of(row, object, site))) return row;
  }
  if (group.frees) {
    uint32_t index = lj_first_of(group, group.frees);
    *room = (lj_place){.row = &table[index], .tag = (lj_tag *)(table + rows) + index};
  }
  return NULL;
}

LJ_INLINE lj_site_count *lj_row_find(const lj_history *history, unsigned number, uint64_t object, uint64_t site,
                                     lj_place *room) {
  *room = (lj_place){0};
  lj_site_count *table = lj_table(history, number);
  return lj_is_tagged(number) ? lj_row_by_tag(table, lj_table_rows[number], object, site, room)
                              : lj_row_probe(table, lj_table_rows[number], object, site, room);
}

// The row of this pair in tables `from` to `to`, made where there is none: in the largest that has room for it, else in
// the next one, which is made then, else in a smaller one.
LJ_COLD static lj_site_count *lj_sites_row_slow(lj_slot *slot, unsigned from, unsigned to, uint64_t object,
                                                uint64_t site, uint8_t kind, uint8_t mode) {
  const lj_history *history = &slot->history;
  for (;;) {
    unsigned next = from;
    while (next <= to && history->tables_capacity[next]) next++;
    lj_place room = {0};
    bool is_crowded = true; // the largest
    for (unsigned number = next; number-- > from;) {
      lj_place here;
      lj_site_count *row = lj_row_find(history, number, object, site, &here);
      if (LJ_LIKELY(row)) return row;
      if (!room.row) room = here;
      if (here.row && number == next - 1) is_crowded = false;
    }
    if (is_crowded && next <= to && lj_table_make(slot, next)) lj_row_find(history, next, object, site, &room);
    if (!room.row) return NULL;
    lj_site_count *row = lj_row_make(room, object, site, kind, mode);
    if (row) return row; // else a handler was faster, and there is one free place less
  }
}

// By tags alone in the larger tables: the row itself is what is not to be waited for.
LJ_COLD static void lj_sites_fetch(lj_slot *slot, uint64_t object, uint64_t site) {
  const lj_history *history = &slot->history;
  lj_site_count *row = NULL;
  for (unsigned number = ANY_TABLE; !row && number-- > 1;) {
    if (!history->tables_capacity[number]) continue;
    lj_site_count *table = lj_table(history, number);
    lj_group group = lj_group_of(table, lj_table_rows[number], lj_hash(object, site));
    if (group.same) row = &table[lj_first_of(group, group.same)];
  }
  lj_place room;
  if (!row) row = lj_row_find(history, 0, object, site, &room);
  __builtin_prefetch(row, 1);
  slot->expected_row = (uint64_t)(uintptr_t)row;
}

void lj_sites_expect(lj_slot *slot, uint64_t object, uint64_t site) {
  if (LJ_UNLIKELY(slot->history.tables_capacity[1])) lj_sites_fetch(slot, object, site);
}

lj_site_count *lj_sites_row(lj_slot *slot, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode) {
  const lj_history *history = &slot->history;
  if (!site) site = 1; // not known; a row's site is never 0
  if (LJ_LIKELY(history->tables_capacity[0])) {
    lj_site_count *row = (lj_site_count *)slot->expected_row;
    if (LJ_LIKELY(!row)) row = &lj_table(history, 0)[(lj_hash(object, site) >> 32) & (lj_table_rows[0] - 1)];
    if (LJ_LIKELY(lj_is_of(row, object, site))) return row;
  }
  lj_site_count *row = lj_sites_row_slow(slot, 0, ANY_TABLE - 1, object, site, kind, mode);
  if (!row) row = lj_sites_row_slow(slot, ANY_TABLE, ANY_TABLE, LJ_ANY_OBJECT, site, kind, mode);
  if (!row) lj_count_loss(LJ_LOSS_UNCOUNTED);
  return row;
}

void lj_sites_note_callers(lj_site_count *row, const lj_held *entry) {
  enum { KEPT = sizeof row->callers / sizeof *row->callers };
  unsigned count = entry->caller_count < KEPT ? entry->caller_count : KEPT;
  // They are part of what tells classes apart, and where the caller keeps no frame pointers they may be anything.
  for (unsigned i = 0; i < count; i++)
    if (!lj_modules_has_code(entry->callers[i])) count = i;
  for (unsigned i = 0; i < count; i++) row->callers[i] = entry->callers[i];
  row->caller_count = (uint8_t)count;
}
