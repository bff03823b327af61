// What only a thread on a given processor can see.
#ifndef LOCKJAW_SCHEDULER_H
#define LOCKJAW_SCHEDULER_H

#include "lockjaw_nullability.h"

#include <stdbool.h>
#include <stdint.h>

LJ_NONNULL_BEGIN

// How far CLOCK_MONOTONIC is ahead, in nanoseconds, of the clock by which the scheduler of one processor dates (`se.exec_start` in
// /proc/PID/sched). A thread is started there to look; false where it may not run there, does not come to run within the
// limit, or the kernel does not show that file.
bool lj_scheduler_offset(int processor, int64_t limit_milliseconds, int64_t *offset_nanoseconds);

LJ_NONNULL_END
#endif
