// Rings of operations at level `all`, and their time.
#ifndef LOCKJAW_OPERATIONS_H
#define LOCKJAW_OPERATIONS_H

#include "self.h"

// Writes one operation into the slot's ring, which is made at the first; counts it where there is none to be had.
void lj_operation_put(lj_slot *slot, uint8_t operation, uint64_t object, uint64_t site, uint8_t kind, uint8_t mode,
                      uint8_t detail);

// Time in the header's `tick_source`, which is decided by the first call. `*mode`, where not NULL, gets LJ_OP_UNTIMED
// where a sandbox leaves no clock.
uint64_t lj_tick(uint8_t *mode);

// From now on this process may not ask the time (quiet.h), or may again.
void lj_ticks_quiet(bool quiet);

// The clock is decided anew: a forked child's arena is a new one.
void lj_ticks_reset(void);

#endif
