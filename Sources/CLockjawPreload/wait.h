// Waits: what a thread about to sleep leaves behind, and takes back on every way out.
//
// The wrapper that makes the blocking call owns an lj_wait_scope in its own frame, captures its registers there
// (LJ_WAIT_BEGIN, inlined, so that the frame described by the unwind tables at `ip` lives as long as the wait) and
// ends the wait after the call. Cancellation points end it also when they are cancelled or left by longjmp
// (cleanup.h). Any other wait left by longjmp is noticed at the thread's next operation (lj_wait_inside_handler).
#ifndef LOCKJAW_WAIT_H
#define LOCKJAW_WAIT_H

#include <time.h>

#include "self.h"

// What the wait is for. Zero fields are not known or do not apply.
typedef struct lj_wait_spec {
  uint64_t object;
  uint64_t object2;
  uint64_t site;
  uint64_t deadline_ns;
  uint32_t futex_op;
  uint32_t futex_value;
  uint32_t owner_tid;
  uint8_t kind;
  uint8_t mode;
  uint8_t wake; // LJ_WAKE_*; 0: rings no bell
  bool quiet;   // probably no wait at all: not in the history either
} lj_wait_spec;

typedef struct lj_wait_scope {
  uint64_t sequence; // first: what `wait.frame` points at; differs from wait.seq once this frame is gone
  lj_slot *slot;
  uint32_t epoch;
  uint32_t outer_interrupted;
  bool nested;       // inside a signal handler inside `outer`
  bool hidden;       // nothing was recorded: it is how the recorded wait waits, or another thread's than the slot's
  bool quiet;
  lj_context context;
  lj_wait outer;
} lj_wait_scope;

#define LJ_CAPTURE_CONTEXT(context)    \
  __asm__ volatile(                    \
      "leaq 0f(%%rip), %%rax\n"        \
      "0:\tmovq %%rax, 0(%0)\n"        \
      "\tmovq %%rsp, 8(%0)\n"          \
      "\tmovq %%rbp, 16(%0)\n"         \
      "\tmovq %%rbx, 24(%0)\n"         \
      "\tmovq %%r12, 32(%0)\n"         \
      "\tmovq %%r13, 40(%0)\n"         \
      "\tmovq %%r14, 48(%0)\n"         \
      "\tmovq %%r15, 56(%0)"           \
      :                                \
      : "r"(context)                   \
      : "rax", "memory")

#define LJ_WAIT_BEGIN(scope, slot, spec)          \
  do {                                            \
    LJ_CAPTURE_CONTEXT(&(scope)->context);        \
    lj_wait_begin((scope), (slot), (spec));       \
  } while (0)

LJ_COLD void lj_wait_begin(lj_wait_scope *scope, lj_slot *slot, const lj_wait_spec *spec);

// Ends the wait. Returns the slot if it is still this thread's in this process (NULL after a fork inside the wait),
// and the time through `now_ns`.
LJ_COLD lj_slot *lj_wait_end(lj_wait_scope *scope, uint8_t outcome, uint64_t *now_ns);

// Whether this thread is inside a recorded wait, which can only mean: in a signal handler there. A wait that was left
// by longjmp is ended here. To be asked before anything in the slot changes.
LJ_COLD bool lj_wait_goes_on(lj_slot *slot);
LJ_INLINE bool lj_wait_inside_handler(lj_slot *slot) { return LJ_UNLIKELY(slot->wait.seq & 1) && lj_wait_goes_on(slot); }

// LJ_OUTCOME_* of a pthread call's result.
uint8_t lj_outcome_of(int result);

// `absolute` on `clock` as a point in the machine's monotonic time; never 0.
uint64_t lj_deadline_ns(clockid_t clock, const struct timespec *absolute);

// Wakes the collector if it sleeps for one of `classes`.
void lj_ring_bell(uint32_t classes);

#endif
