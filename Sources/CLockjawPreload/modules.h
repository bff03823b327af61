// The list of mapped program files in the arena, so that the file explains itself after the process is gone.
#ifndef LOCKJAW_SHIM_MODULES_H
#define LOCKJAW_SHIM_MODULES_H

#include "self.h"

// Reads /proc/self/maps and appends what is new. Never blocks: if another thread reads already, returns at once.
void lj_modules_read(void);

// Called at a contended wait: makes sure that the code that waits, and that took what is held, is in the list.
// Nearly always two loads; a new file (dlopen) costs one reading of the maps, code without a file (a JIT) at most one
// a second.
void lj_modules_notice(const lj_slot *slot, uint64_t site);

// Whether the list has code at this address. Linear: not for the hot path.
bool lj_modules_has_code(uint64_t address);

// After a fork: the list of the new arena is empty and nobody reads.
void lj_modules_reset(void);

#endif
