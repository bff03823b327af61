// Stopping another process' threads for a moment and copying what they are made of.
//
// ptrace belongs to a thread, not to a process: all calls for one target come from one thread, and when that
// thread ends the kernel releases every tracee it still has. lj_run_on_own_thread() gives a snapshot such a thread,
// so that nothing stays stopped, whatever goes wrong.
#ifndef LOCKJAW_PTRACE_H
#define LOCKJAW_PTRACE_H

#include "lockjaw_nullability.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

LJ_NONNULL_BEGIN

// General registers as the kernel gives them, in libunwind's order (which is not the kernel's).
typedef struct lj_registers {
  uint64_t rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp;
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
  uint64_t rip;
  uint64_t orig_rax; // number of the system call the thread is in; all ones: in none
  uint64_t fs_base;  // the thread pointer
} lj_registers;

// Each returns 0, or a negative errno.
int lj_ptrace_seize(pid_t tid);
int lj_ptrace_interrupt(pid_t tid);
// `signal` is delivered when the thread goes on; 0: none.
int lj_ptrace_detach(pid_t tid, int signal);
// -EMEDIUMTYPE: the thread runs 32-bit code.
int lj_ptrace_registers(pid_t tid, lj_registers *out);

// How a tracee answered.
enum {
  LJ_WAIT_PENDING = 0, // not stopped yet
  LJ_WAIT_STOPPED = 1, // `signal` is what a detach must hand back, 0 for none
  LJ_WAIT_GONE = 2,    // exited or was killed
};
// Never blocks. Returns LJ_WAIT_* or a negative errno.
int lj_ptrace_poll(pid_t tid, int *signal);

// Copies `count` ranges of the target with as few system calls as possible. `copied[i]` becomes the number of
// bytes range `i` yielded; a range that ends in unmapped memory yields what lies before it, the others are unharmed.
// Returns 0, or a negative errno when nothing at all could be asked for (ESRCH, EPERM).
typedef struct lj_range {
  uint64_t address;
  void *destination;
  size_t bytes;
  size_t copied;
} lj_range;
int lj_copy_ranges(pid_t pid, lj_range *ranges, size_t count);

// Copies up to `bytes` bytes and returns how many could be had, 0 for none; never fails otherwise.
size_t lj_copy_memory(pid_t pid, uint64_t address, void *destination, size_t bytes);

// Runs `body(context)` on a fresh thread that takes no signals from outside, waits for its end, and returns 0 or a negative errno.
int lj_run_on_own_thread(void (*body)(void *_Nullable context), void *_Nullable context);

LJ_NONNULL_END
#endif
