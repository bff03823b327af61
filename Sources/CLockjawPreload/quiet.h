// A sandbox may kill the program for a system call that only the shim makes.
//
// So just before seccomp is switched on, through prctl() or syscall(), the shim goes quiet, for the whole process and
// for good: no system call of its own any more (the gate is in raw.h). Threads that have a slot go on recording, which
// takes stores only; new threads get none and are counted; the file stays after exit; the collector's bell is not rung.
// If the kernel refuses the sandbox (programs probe for it with bad arguments) the shim is as before.
#ifndef LOCKJAW_QUIET_H
#define LOCKJAW_QUIET_H

#include <stdbool.h>
#include <stdint.h>

// Returns whether this call made the process quiet and is to undo it should the sandbox fail.
bool lj_quiet_begin(uint32_t reason);
void lj_quiet_undo(void);

#endif
