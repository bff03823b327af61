// Releases by a thread that does not hold the lock: noted in the holder's slot, taken out by the holder.
#ifndef LOCKJAW_FOREIGN_H
#define LOCKJAW_FOREIGN_H

#include "self.h"

// A note that can be taken back: the unlock it announces may fail.
typedef struct lj_foreign_note {
  lj_slot *slot;
  lj_foreign *entry;
} lj_foreign_note;

// Notes in the slot of `owner_tid` (0: of whoever lists `object` in `mode`, a custom lock in any) that this thread releases
// `object`.
// Counts LJ_LOSS_FOREIGN where the holder is not known.
LJ_COLD lj_foreign_note lj_foreign_announce(uint64_t object, uint32_t owner_tid, uint8_t mode);
LJ_COLD void lj_foreign_withdraw(lj_foreign_note note);

// The holder's side: removes what others have released from its list.
LJ_COLD void lj_foreign_reconcile(lj_slot *slot);

#endif
