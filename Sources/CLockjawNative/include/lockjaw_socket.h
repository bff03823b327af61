// Who is at the other end of a unix socket: /proc does not say, the kernel's socket diagnosis does (sock_diag(7)).
#ifndef LOCKJAW_SOCKET_H
#define LOCKJAW_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// Inode of the peer of unix socket `inode` in this network namespace; 0 where it has none, a negative errno on failure.
int64_t lj_unix_peer(uint32_t inode);

// Whether reading from (or writing to) socket `fd` of process `pid` ends after a time that the program has set: 1 or 0, or
// a negative errno. Needs the right to trace the process; for the moment of the question its socket is open here as well.
int lj_socket_has_time_limit(pid_t pid, int fd, bool is_writing);

#endif
