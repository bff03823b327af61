// The preloaded library has no callers: programs meet it as the pthread functions they already call. What it writes
// is described in lockjaw_arena.h.
#ifndef LOCKJAW_PRELOAD_H
#define LOCKJAW_PRELOAD_H
#endif
