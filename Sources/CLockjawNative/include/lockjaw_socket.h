// Who is at the other end of a unix socket: /proc does not say, the kernel's socket diagnosis does (sock_diag(7)).
#ifndef LOCKJAW_SOCKET_H
#define LOCKJAW_SOCKET_H

#include <stdint.h>

// Inode of the peer of unix socket `inode` in this network namespace; 0 where it has none, a negative errno on failure.
int64_t lj_unix_peer(uint32_t inode);

#endif
