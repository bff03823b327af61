// From nothing to an arena: in the constructor of the first image, and in forked children at their first operation.
#ifndef LOCKJAW_SETUP_H
#define LOCKJAW_SETUP_H

// A child found out that it is one (its epoch page was wiped): gives it an arena of its own. Async-signal-safe; of
// several threads one does it and the others go on unrecorded meanwhile.
void lj_set_up_child(void);

#endif
