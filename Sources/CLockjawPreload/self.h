// Which slot is mine: the first thing every wrapper asks.
//
// Rules of the hot path (every uncontended operation):
//   * forward exactly once, return exactly what the real function returned, leave errno alone;
//   * no system call, no time stamp, no atomic read-modify-write, no store outside this thread's own slot;
//   * one comparison decides whether the slot in thread-local storage may be used at all (below);
//   * held entries are written with plain stores in an order that a signal handler on this thread may interrupt at
//     any point and find, and leave, a consistent list (held.h).
// Whatever does not fit goes to a function marked LJ_COLD.
//
// The comparison. `lj_epoch_page.epoch` lives in a page the kernel wipes in a forked child (MADV_WIPEONFORK), however
// the child was made. `lj_thread.epoch` says for which epoch `lj_thread.slot` was claimed. Epochs only grow along a
// line of descent, so equality means: this very process claimed this very slot. 0 in the page: not set up, or a child
// that has not noticed yet. A vfork child shares the page and the slot of the thread that waits for it, which is right:
// the two never run at the same time.
#ifndef LOCKJAW_SELF_H
#define LOCKJAW_SELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lockjaw_arena.h"

// noinline also keeps clang from splitting the function: a block that it moved into one of its own would see the shim
// as its caller, and the caller is what is recorded.
#define LJ_EXPORT __attribute__((visibility("default"), noinline))
// A second exported name for the same code (the attribute of that name wants glibc's declarations to match).
#define LJ_ALIAS(alias, target) \
  __asm__(".globl " #alias "\n\t.type " #alias ", @function\n\t.set " #alias ", " #target)
#define LJ_COLD __attribute__((noinline))
#define LJ_INLINE static inline __attribute__((always_inline))
#define LJ_LIKELY(x) __builtin_expect(!!(x), 1)
#define LJ_UNLIKELY(x) __builtin_expect(!!(x), 0)
// Orders stores as a signal handler on the same thread sees them; no instruction.
#define LJ_SIGNAL_FENCE() __atomic_signal_fence(__ATOMIC_SEQ_CST)

enum {
  LJ_EPOCH_NONE = 0,               // page: not set up in this process
  LJ_EPOCH_OFF = 1,                // page and thread: forwards only, for good
  LJ_EPOCH_SETTING_UP = 2,         // page: a thread is at it
  LJ_EPOCH_FIRST = 3,              // page and thread: recording
  LJ_EPOCH_UNCLAIMED = 0xFFFFFFFF, // thread: no slot yet; never equal to the page
};

enum {
  LJ_THREAD_BUSY = 1,     // inside the shim's own set-up or claim: operations are forwarded unrecorded
  LJ_THREAD_LOOKS_UP = 2, // inside lj_real_ready()
  LJ_THREAD_ENDED = 4,    // its slot was given back in the last round of key destructors
  LJ_THREAD_SLOTLESS = 8, // no slot could be had; tried again now and then
};

// All thread-local storage there is: 32 bytes, initial-exec.
typedef struct lj_thread_state {
  lj_slot *slot;
  uint32_t epoch;
  uint16_t flags;      // LJ_THREAD_*
  uint16_t unrecorded; // acquisitions minus releases while there was no slot; becomes the slot's `held_lost`
  uint32_t retry_in;   // SLOTLESS: operations until the next attempt
  uint16_t no_looks;   // contended acquires until it looks again before it waits (mutex.c)
  void *once;          // innermost pthread_once call of this thread (once.c)
} lj_thread_state;

extern __thread lj_thread_state lj_thread __attribute__((tls_model("initial-exec")));

typedef struct lj_wiped_page {
  uint32_t epoch;
  char rest[LJ_PAGE - 4];
} lj_wiped_page;

extern lj_wiped_page lj_epoch_page;

// Claims a slot, sets up a child, or counts why there is none; NULL: forward and record nothing.
lj_slot *lj_enter_slow(void);

LJ_INLINE lj_slot *lj_enter(void) {
  if (LJ_LIKELY(lj_thread.epoch == lj_epoch_page.epoch)) return lj_thread.slot;
  return lj_enter_slow();
}

// Bookkeeping of a thread without a slot, so that the slot it gets later says how much it does not know.
LJ_INLINE void lj_unrecorded_acquire(void) {
  if (lj_thread.unrecorded != UINT16_MAX) lj_thread.unrecorded++;
}
LJ_INLINE void lj_unrecorded_release(void) {
  if (lj_thread.unrecorded) lj_thread.unrecorded--;
}

// Counts an event that is not in the arena (LJ_LOSS_*); before there is an arena, until there is one.
void lj_count_loss(unsigned cause);

#endif
