// GNU extensions that Swift's Glibc leaves out.
#ifndef LOCKJAW_GNU_H
#define LOCKJAW_GNU_H

#include "lockjaw_nullability.h"

#include <pthread.h>
#include <stdint.h>

LJ_NONNULL_BEGIN

// Names a thread; at most 15 bytes.
void lj_name_thread(pthread_t thread, const char *name);
// "KILL" for 9; NULL for what has no name.
const char *_Nullable lj_signal_abbreviation(int number);
// The next offset at or after `offset` that holds data, or the next hole; a negative errno where there is none (ENXIO).
int64_t lj_next_data(int fd, int64_t offset);
int64_t lj_next_hole(int fd, int64_t offset);

LJ_NONNULL_END
#endif
