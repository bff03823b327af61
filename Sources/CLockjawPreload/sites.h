// Counts per lock and call site, at levels `sites` and `all`.
#ifndef LOCKJAW_SITES_H
#define LOCKJAW_SITES_H

#include "self.h"

// The row that counts `object` at `site`, made at the first use: in a full table the one that counts any object there.
// NULL: there is none to be had; counted as lost.
lj_site_count *lj_sites_row(lj_slot *slot, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode);

// Keeps the callers above the site, if `entry` has them.
void lj_sites_note_callers(lj_site_count *row, const lj_held *entry);

#endif
