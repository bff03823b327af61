// Sees the sandbox coming, and threads that name themselves. prctl() is assembly for the same reason as syscall(): every
// other option leaves by a jump with all arguments as they came, however many there are.
#define _GNU_SOURCE
#include "quiet.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "operations.h"
#include "process.h"
#include "raw.h"
#include "real.h"
#include "self.h"
#include "thread_name.h"
#include "wait.h"

uint32_t lj_quiet;

__asm__(
    ".text\n"
    ".globl prctl\n"
    ".type prctl, @function\n"
    ".p2align 4\n"
    "prctl:\n"
    "\t.cfi_startproc\n"
    "\tendbr64\n"
    "\tcmpl $22, %edi\n" // PR_SET_SECCOMP
    "\tje lj_prctl_seccomp\n"
    "\tcmpl $15, %edi\n" // PR_SET_NAME
    "\tje lj_prctl_name\n"
    "\tmovq lj_prctl_next(%rip), %rax\n"
    "\tjmp *%rax\n"
    "\t.cfi_endproc\n"
    ".size prctl, .-prctl\n"
    // What glibc's does, for calls that come before the real one is known.
    ".type lj_prctl_direct, @function\n"
    ".p2align 4\n"
    "lj_prctl_direct:\n"
    "\t.cfi_startproc\n"
    "\tmovl $157, %eax\n" // SYS_prctl
    "\tmovq %rcx, %r10\n"
    "\tsyscall\n"
    "\tcmpq $-4095, %rax\n"
    "\tjae 1f\n"
    "\tret\n"
    "1:\tmovq %rax, %rdi\n"
    "\tjmp lj_syscall_failed\n"
    "\t.cfi_endproc\n"
    ".size lj_prctl_direct, .-lj_prctl_direct\n");

_Static_assert(PR_SET_SECCOMP == 22 && PR_SET_NAME == 15 && SYS_prctl == 157, "numbers in the assembly above");

typedef int (*lj_prctl_function)(int, long, long, long, long);
extern int lj_prctl_direct(int, long, long, long, long) __attribute__((visibility("hidden")));

__attribute__((visibility("hidden"))) lj_prctl_function lj_prctl_next = lj_prctl_direct;

void lj_prctl_ready(void) { lj_prctl_next = lj_real.prctl; }

bool lj_quiet_begin(uint32_t reason) {
  if (lj_quiet) return false;
  // A child may learn only here that it needs an arena, a thread that it needs a slot: the last moment for both.
  (void)lj_enter();
  // A vfork child shares this memory; the sandbox is its own and not its parent's.
  if (lj_process.pid && lj_raw_getpid() != lj_process.pid) return false;
  lj_process.quiet_ticks = __builtin_ia32_rdtsc();
  (void)lj_monotonic_ns(); // finds the clock
  bool recording = lj_epoch_page.epoch >= LJ_EPOCH_FIRST && lj_process.header;
  if (recording) {
    lj_store_release32(&lj_process.header->quiet_reason, reason);
    lj_ring_bell(~0u); // for the last time: from now on the collector has to look
  }
  lj_ticks_quiet(true);
  __atomic_store_n(&lj_quiet, reason, __ATOMIC_SEQ_CST);
  return true;
}

void lj_quiet_undo(void) {
  __atomic_store_n(&lj_quiet, LJ_QUIET_NONE, __ATOMIC_SEQ_CST);
  lj_ticks_quiet(false);
  if (lj_epoch_page.epoch >= LJ_EPOCH_FIRST && lj_process.header)
    lj_store_release32(&lj_process.header->quiet_reason, LJ_QUIET_NONE);
}

// PR_SET_SECCOMP's modes.
static uint32_t lj_reason_of_mode(long mode) {
  if (mode == SECCOMP_MODE_STRICT) return LJ_QUIET_SECCOMP_STRICT;
  return mode == SECCOMP_MODE_FILTER ? LJ_QUIET_SECCOMP_FILTER : LJ_QUIET_NONE;
}

__attribute__((visibility("hidden"), used)) int lj_prctl_seccomp(int option, long mode, long b, long c, long d) {
  uint32_t reason = lj_reason_of_mode(mode);
  bool begun = reason != LJ_QUIET_NONE && lj_quiet_begin(reason);
  int result = lj_prctl_next(option, mode, b, c, d);
  if (begun && result != 0) lj_quiet_undo();
  return result;
}

__attribute__((visibility("hidden"), used)) int lj_prctl_name(int option, long name, long b, long c, long d) {
  int result = lj_prctl_next(option, name, b, c, d);
  if (result == 0) lj_thread_is_named((const char *)name);
  return result;
}

__attribute__((visibility("hidden"), used)) long lj_syscall_prctl(long number, long option, long mode, long b, long c,
                                                                  long d, long e) {
  uint32_t reason = (int)option == PR_SET_SECCOMP ? lj_reason_of_mode(mode) : LJ_QUIET_NONE;
  bool begun = reason != LJ_QUIET_NONE && lj_quiet_begin(reason);
  long result = lj_syscall_next(number, option, mode, b, c, d, e);
  if (begun && result != 0) lj_quiet_undo();
  if ((int)option == PR_SET_NAME && result == 0) lj_thread_is_named((const char *)mode);
  return result;
}

// A filter may return a descriptor (SECCOMP_FILTER_FLAG_NEW_LISTENER), or with TSYNC the id of a thread that could
// not be taken along: then the filter is not on, but nothing tells the two apart, and quiet is the safe side.
__attribute__((visibility("hidden"), used)) long lj_syscall_seccomp(long number, long operation, long a, long b, long c,
                                                                    long d, long e) {
  uint32_t reason = LJ_QUIET_NONE;
  if ((unsigned)operation == SECCOMP_SET_MODE_STRICT) reason = LJ_QUIET_SECCOMP_STRICT;
  if ((unsigned)operation == SECCOMP_SET_MODE_FILTER) reason = LJ_QUIET_SECCOMP_FILTER;
  bool begun = reason != LJ_QUIET_NONE && lj_quiet_begin(reason);
  long result = lj_syscall_next(number, operation, a, b, c, d, e);
  if (begun && result < 0) lj_quiet_undo();
  return result;
}
