#ifndef LOCKJAW_ONCE_H
#define LOCKJAW_ONCE_H

#include "held.h"

// Drops holds of pthread_once control words whose routine was left by an exception or a cancellation; `sp` is that of
// the frame that asks, and calls below it are gone.
LJ_COLD void lj_once_prune(lj_slot *slot, uint64_t sp);

#endif
