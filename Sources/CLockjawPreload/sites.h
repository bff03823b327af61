// Counts per lock and call site, at levels `sites` and `all`.
#ifndef LOCKJAW_SITES_H
#define LOCKJAW_SITES_H

#include "self.h"

// The row that counts `object` at `site`, made at the first use: in a full table the one that counts any object there.
// NULL: there is none to be had; counted as lost.
lj_site_count *lj_sites_row(lj_slot *slot, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode);

// A row of this pair is about to be asked for. With many locks it is in memory and not in the cache, and whoever waits for
// it then holds the lock; now it comes beside the lock's own line.
void lj_sites_expect(lj_slot *slot, uint64_t object, uint64_t site);

// Keeps the callers above the site, if `entry` has them.
void lj_sites_note_callers(lj_site_count *row, const lj_held *entry);

#endif
