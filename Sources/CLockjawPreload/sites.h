// Counts per lock and call site, at levels `sites` and `all`.
#ifndef LOCKJAW_SITES_H
#define LOCKJAW_SITES_H

#include "self.h"

// The row that counts `object` at `site`, made at the first use: where there is no place left, the one that counts any
// object there. NULL: there is none to be had; counted as lost.
LJ_COLD lj_site_count *lj_sites_find_row(lj_slot *slot, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode);

// A row of this pair is about to be asked for. With many locks it is in memory and not in the cache, and whoever waits for
// it then holds the lock; now it comes beside the lock's own line.
void lj_sites_expect(lj_slot *slot, uint64_t object, uint64_t site);

// As lj_sites_find_row, the expected one first.
LJ_INLINE lj_site_count *lj_sites_row(lj_slot *slot, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode) {
  lj_site_count *row = (lj_site_count *)slot->history.expected_row;
  if (LJ_LIKELY(row) && LJ_LIKELY(row->object == object) && LJ_LIKELY(row->site == site)) return row;
  return lj_sites_find_row(slot, object, site, kind, mode);
}

// The rest of one of this slot's rows.
lj_site_times *lj_sites_times(const lj_slot *slot, const lj_site_count *row);

// Keeps the callers above the site, if `entry` has them.
void lj_sites_note_callers(const lj_slot *slot, lj_site_count *row, const lj_held *entry);

#endif
