// Mapping a file that another process may truncate, and sleeping on a word inside it.
#ifndef LOCKJAW_ARENA_ACCESS_H
#define LOCKJAW_ARENA_ACCESS_H

#include <stddef.h>
#include <stdint.h>

// Maps `length` bytes of `fd` shared and read-only; the page at `writable_page` (a multiple of 4096, or -1 for none)
// is writable. A page that later vanishes because the file was truncated reads as zeros instead of raising SIGBUS.
// Returns NULL with errno set on failure. At most 1,024 guarded mappings exist at once (ENOMEM beyond).
void *lj_guarded_map(int fd, size_t length, long writable_page);
// The same for bytes that a library wants to change for itself (libelf writes section headers of what it decompresses):
// private, copy-on-write, writable.
void *lj_guarded_map_private(int fd, size_t length);
void lj_guarded_unmap(void *base);

// To be called by a thread before it reads a guarded mapping that another thread made: where SIGBUS is blocked, the
// fault kills the process instead of being served. Costs nothing from its second call on. lj_guarded_map() does it for
// its caller.
void lj_guard_thread(void);

// How many pages of the mapping have vanished since it was made.
uint64_t lj_guarded_faults(void *base);

// Sleeps while the shared word equals `expected`, until woken, or until `timeout_milliseconds` have passed
// (negative: no limit). Returns at once where the word differs.
void lj_futex_wait(void *word, uint32_t expected, int64_t timeout_milliseconds);

// Bumps the shared word and wakes everyone who sleeps on it.
void lj_futex_ring(void *word);

#endif
