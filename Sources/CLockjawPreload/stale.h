// Holds on the list that are over.
#ifndef LOCKJAW_STALE_H
#define LOCKJAW_STALE_H

#include "self.h"

// Takes off the calling thread's list what the locks themselves say it does not hold. To be called outside of waits, before
// the list is given more room. Nothing where that cannot be told (a sandbox, an operation that a handler interrupts).
LJ_COLD void lj_held_drop_stale(lj_slot *slot);

#endif
