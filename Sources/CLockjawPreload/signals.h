// Keeps this thread's signal handlers out of the few places that one may neither come into nor leave by siglongjmp:
// getting a slot or memory for it. A flag would tell a handler that it is inside, but would stay up for good where the
// handler leaves by a jump. These places make system calls anyway, two more do not show. A signal that arrives meanwhile
// is delivered at the end. What the thread's own instructions raise is not kept out: nothing here does, but a sandbox may
// answer a system call with SIGSYS, and the kernel kills where such a signal is blocked.
#ifndef LOCKJAW_SIGNALS_H
#define LOCKJAW_SIGNALS_H

#include <signal.h>

#include "raw.h"
#include "self.h"

typedef struct lj_signals {
  uint64_t before;  // the thread's mask
  bool are_blocked; // false: in a sandbox (quiet.h), where handlers may come in; nothing is got there either
} lj_signals;

#define LJ_SIGNAL_BIT(number) ((uint64_t)1 << ((number) - 1))
#define LJ_OWN_SIGNALS                                                                                  \
  (LJ_SIGNAL_BIT(SIGSEGV) | LJ_SIGNAL_BIT(SIGBUS) | LJ_SIGNAL_BIT(SIGILL) | LJ_SIGNAL_BIT(SIGFPE) | \
   LJ_SIGNAL_BIT(SIGTRAP) | LJ_SIGNAL_BIT(SIGSYS))

LJ_INLINE lj_signals lj_signals_block(void) {
  lj_signals signals = {0, false};
  uint64_t all = ~LJ_OWN_SIGNALS;
  signals.are_blocked =
      lj_raw4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&signals.before, sizeof signals.before) == 0;
  return signals;
}

// Past the gate: should another thread have entered a sandbox meanwhile, this one still has to hear its signals again.
LJ_INLINE void lj_signals_restore(lj_signals signals) {
  if (!signals.are_blocked) return;
  (void)lj_raw_forward(SYS_rt_sigprocmask, SIG_SETMASK, (long)&signals.before, 0, sizeof signals.before, 0, 0);
}

#endif
