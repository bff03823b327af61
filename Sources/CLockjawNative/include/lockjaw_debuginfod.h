// Asking a debuginfod server for a file of debug information.
#ifndef LOCKJAW_DEBUGINFOD_H
#define LOCKJAW_DEBUGINFOD_H

#include "lockjaw_nullability.h"

#include <stdint.h>

LJ_NONNULL_BEGIN

// Has libdebuginfod, which is loaded for it, ask `urls` (as $DEBUGINFOD_URLS) for the debug information of a build. What
// comes is kept in `cache`, as every debuginfod client keeps it: CACHE/BUILD-ID/debuginfo.
//
// Returns 0 when it is there, or a negative errno: -ENOENT where no server has it, -ETIMEDOUT, -ENOSYS where the library
// is not installed, another for a server that cannot be reached. Returns after `milliseconds`, whatever the server does:
// the client runs in a process of its own, which is killed then.
int lj_debuginfod_fetch(const char *build_id, const char *urls, const char *cache, int64_t milliseconds);

LJ_NONNULL_END
#endif
