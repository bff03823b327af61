// System calls with no function in Swift's Glibc: processes and signals as descriptors, files that are only to be read.
#ifndef LOCKJAW_DESCRIPTORS_H
#define LOCKJAW_DESCRIPTORS_H

#include "lockjaw_nullability.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

LJ_NONNULL_BEGIN

// A descriptor that becomes readable when the process ends, close-on-exec; or a negative errno.
int lj_pidfd_open(pid_t pid);
// Through a pidfd: cannot hit another process that got the same pid. Returns 0 or a negative errno.
int lj_pidfd_send_signal(int pidfd, int signal);
// A descriptor from which the blocked signals of `mask` can be read, close-on-exec and non-blocking; or a negative errno.
int lj_signalfd(const sigset_t *mask);
// Takes the next signal off a signalfd: its number, 0 for none, or a negative errno. `sender` becomes its pid.
int lj_signalfd_next(int fd, pid_t *_Nullable sender);
// Opens a regular file for reading, by a name that somebody else chose; close-on-exec. -ENODEV: it is something else,
// which was not opened; or another negative errno.
int lj_open_regular(const char *path);
pid_t lj_gettid(void);
// Whether running this file gives rights beyond its owner's (capabilities(7), "File capabilities").
bool lj_has_file_capabilities(const char *path);

LJ_NONNULL_END
#endif
