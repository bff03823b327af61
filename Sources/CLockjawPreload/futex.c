// Futex waits through libc's syscall(): how Rust's std and parking_lot, Swift's Mutex, C++20 atomics, abseil, folly and
// others sleep. Their fast paths are inlined and invisible; who waits on which word, and how, is what is recorded.
//
// The exported symbol is assembly: every other system call leaves by a jump with all registers and the stack as they
// came, which vfork and clone through syscall() depend on.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "exit.h"
#include "held.h"
#include "process.h"
#include "raw.h"
#include "real.h"
#include "wait.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

// Jumped to, so that its return address is the program's. Not to be split: clang moves what is seldom done, the asking for
// that address with it, into a function of its own, and the caller of that one is this library.
#define LJ_JUMPED_TO __attribute__((visibility("hidden"), used, noinline))

__asm__(
    ".text\n"
    ".globl syscall\n"
    ".type syscall, @function\n"
    ".p2align 4\n"
    "syscall:\n"
    "\t.cfi_startproc\n"
    "\tendbr64\n"
    "\tcmpq $202, %rdi\n" // SYS_futex
    "\tje lj_syscall_futex\n"
    "\tcmpq $449, %rdi\n" // SYS_futex_waitv
    "\tje lj_syscall_futex_waitv\n"
    "\tcmpq $455, %rdi\n" // SYS_futex_wait
    "\tje lj_syscall_futex_wait\n"
    "\tcmpq $454, %rdi\n" // SYS_futex_wake
    "\tje lj_syscall_futex_wake\n"
    "\tcmpq $231, %rdi\n" // SYS_exit_group
    "\tje lj_syscall_exit_group\n"
    "\tcmpq $157, %rdi\n" // SYS_prctl
    "\tje lj_syscall_prctl\n"
    "\tcmpq $317, %rdi\n" // SYS_seccomp
    "\tje lj_syscall_seccomp\n"
    "\tmovq lj_syscall_next(%rip), %rax\n"
    "\tjmp *%rax\n"
    "\t.cfi_endproc\n"
    ".size syscall, .-syscall\n"
    // What glibc's does, for calls that come before the real one is known.
    ".type lj_syscall_direct, @function\n"
    ".p2align 4\n"
    "lj_syscall_direct:\n"
    "\t.cfi_startproc\n"
    "\tmovq %rdi, %rax\n"
    "\tmovq %rsi, %rdi\n"
    "\tmovq %rdx, %rsi\n"
    "\tmovq %rcx, %rdx\n"
    "\tmovq %r8, %r10\n"
    "\tmovq %r9, %r8\n"
    "\tmovq 8(%rsp), %r9\n"
    "\tsyscall\n"
    "\tcmpq $-4095, %rax\n"
    "\tjae 1f\n"
    "\tret\n"
    "1:\tmovq %rax, %rdi\n"
    "\tjmp lj_syscall_failed\n"
    "\t.cfi_endproc\n"
    ".size lj_syscall_direct, .-lj_syscall_direct\n");

_Static_assert(SYS_futex == 202 && SYS_exit_group == 231 && SYS_prctl == 157 && SYS_seccomp == 317,
               "numbers in the assembly above");

extern long lj_syscall_direct(long, long, long, long, long, long, long) __attribute__((visibility("hidden")));

lj_syscall_function lj_syscall_next = lj_syscall_direct;

void lj_futex_ready(void) { lj_syscall_next = lj_real.syscall; }

LJ_JUMPED_TO long lj_syscall_failed(long error) {
  errno = (int)-error;
  return -1;
}

LJ_JUMPED_TO long lj_syscall_exit_group(long number, long code) {
  lj_image_ends((int)code);
  return lj_syscall_next(number, code, 0, 0, 0, 0, 0);
}

// On the caller's own stack, where nearly all timeouts are, the pointer cannot be bad. Elsewhere the kernel answers EFAULT to
// a bad one where a plain load would kill the program.
static bool lj_read_timeout(const lj_slot *slot, uint64_t address, struct timespec *timeout) {
  uint64_t sp = (uint64_t)(uintptr_t)__builtin_frame_address(0);
  if (address > sp && address < slot->stack_high && slot->stack_high - address >= sizeof *timeout && !(address & 7)) {
    *timeout = *(const struct timespec *)address;
    return true;
  }
  return lj_peek(address, timeout, sizeof *timeout);
}

// A PI word names its owner. Kept with the wait: when the kernel refuses it (EDEADLK) and the program dies of that, the
// arena is all that is left to say whom it would have waited for.
static uint32_t lj_pi_owner(uint8_t kind, uint64_t address) {
  uint32_t word;
  if (kind != LJ_KIND_PI_FUTEX || !lj_peek(address, &word, sizeof word)) return 0;
  return word & FUTEX_TID_MASK;
}

static uint64_t lj_futex_deadline(const lj_slot *slot, int operation, uint64_t timeout_address) {
  struct timespec timeout;
  if (!timeout_address) return 0;
  // Not to be had: the kernel will refuse it as well, unless this process is quiet; then there is one, unknown.
  if (!lj_read_timeout(slot, timeout_address, &timeout)) return lj_quiet ? UINT64_MAX : 0;
  int command = operation & FUTEX_CMD_MASK;
  if (command == FUTEX_WAIT) { // relative
    uint64_t wait_ns;
    if (timeout.tv_sec < 0 || __builtin_mul_overflow((uint64_t)timeout.tv_sec, 1000000000u, &wait_ns))
      return UINT64_MAX;
    uint64_t now_ns = lj_monotonic_ns();
    return now_ns ? now_ns + wait_ns + (uint64_t)timeout.tv_nsec : UINT64_MAX;
  }
  bool wall = command == FUTEX_LOCK_PI || (operation & FUTEX_CLOCK_REALTIME);
  return lj_deadline_ns(wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, &timeout);
}

static uint8_t lj_futex_kind(int operation) {
  switch (operation & FUTEX_CMD_MASK) {
  case FUTEX_WAIT:
  case FUTEX_WAIT_BITSET:
  case FUTEX_WAIT_REQUEUE_PI: return LJ_KIND_FUTEX;
  case FUTEX_LOCK_PI:
  case FUTEX_LOCK_PI2: return LJ_KIND_PI_FUTEX;
  default: return LJ_KIND_NONE;
  }
}

LJ_COLD static long lj_futex_wait(uint8_t kind, const long arguments[6], uint64_t site) {
  lj_slot *slot = lj_thread.slot;
  int operation = (int)arguments[1];
  lj_wait_spec spec = {
      .object = (uint64_t)arguments[0],
      .object2 = (operation & FUTEX_CMD_MASK) == FUTEX_WAIT_REQUEUE_PI ? (uint64_t)arguments[4] : 0,
      .site = site,
      .deadline_ns = lj_futex_deadline(slot, operation, (uint64_t)arguments[3]),
      .futex_op = (uint32_t)operation,
      .futex_value = (uint32_t)arguments[2],
      .owner_tid = lj_pi_owner(kind, (uint64_t)arguments[0]),
      .kind = kind,
      .mode = kind == LJ_KIND_PI_FUTEX ? LJ_MODE_EXCLUSIVE : LJ_MODE_SIGNAL,
      .wake = kind == LJ_KIND_PI_FUTEX ? LJ_WAKE_LOCKS : LJ_WAKE_SOFT,
  };
  lj_wait_scope scope;
  uint64_t now_ns;
  LJ_WAIT_BEGIN(&scope, slot, &spec);
  long result = lj_syscall_next(SYS_futex, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                                arguments[5]);
  // EAGAIN: the word had changed already; the wait is over as if woken.
  bool over = result >= 0 || (kind == LJ_KIND_FUTEX && errno == EAGAIN);
  (void)lj_wait_end(&scope, over ? LJ_OUTCOME_ACQUIRED : lj_outcome_of(errno), &now_ns);
  return result;
}

// Wakes, at levels above `state`: who woke whom is told by the word.
LJ_COLD static void lj_futex_told(int operation, long word, uint64_t site) {
  int command = operation & FUTEX_CMD_MASK;
  bool wakes = command == FUTEX_WAKE || command == FUTEX_WAKE_BITSET || command == FUTEX_WAKE_OP ||
               command == FUTEX_REQUEUE || command == FUTEX_CMP_REQUEUE || command == FUTEX_CMP_REQUEUE_PI;
  lj_slot *slot = wakes || command == FUTEX_UNLOCK_PI ? lj_enter() : NULL;
  if (!slot) return;
  if (wakes) lj_level_did(slot, LJ_OP_SIGNAL, (uint64_t)word, LJ_KIND_FUTEX, LJ_MODE_SIGNAL, site);
  else lj_level_did(slot, LJ_OP_RELEASE, (uint64_t)word, LJ_KIND_PI_FUTEX, LJ_MODE_EXCLUSIVE, site);
}

LJ_JUMPED_TO long lj_syscall_futex(long number, long word, long operation, long value, long timeout, long word2,
                                   long value3) {
  uint8_t kind = lj_futex_kind((int)operation);
  if (kind == LJ_KIND_NONE && lj_is_detailed()) lj_futex_told((int)operation, word, LJ_CALLER().site);
  if (kind == LJ_KIND_NONE || LJ_UNLIKELY(!lj_enter()))
    return lj_syscall_next(number, word, operation, value, timeout, word2, value3);
  const long arguments[6] = {word, operation, value, timeout, word2, value3};
  return lj_futex_wait(kind, arguments, LJ_CALLER().site);
}

// The calls of "futex2", of which each has a number of its own. Flags and layout are the kernel's (linux/futex.h), which older
// headers lack: FUTEX2_PRIVATE is the bit of FUTEX_PRIVATE_FLAG, and the clock of the deadline is an argument.
static uint64_t lj_futex2_deadline(const lj_slot *slot, long timeout, long clock) {
  struct timespec deadline;
  if (!timeout) return 0;
  return lj_read_timeout(slot, (uint64_t)timeout, &deadline) ? lj_deadline_ns((clockid_t)clock, &deadline) : UINT64_MAX;
}

LJ_COLD static long lj_futex2_wait(lj_slot *slot, lj_wait_spec *spec, const long arguments[7]) {
  spec->kind = LJ_KIND_FUTEX;
  spec->mode = LJ_MODE_SIGNAL;
  spec->wake = LJ_WAKE_SOFT;
  lj_wait_scope scope;
  uint64_t now_ns;
  LJ_WAIT_BEGIN(&scope, slot, spec);
  long result = lj_syscall_next(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5],
                                arguments[6]);
  (void)lj_wait_end(&scope, result >= 0 || errno == EAGAIN ? LJ_OUTCOME_ACQUIRED : lj_outcome_of(errno), &now_ns);
  return result;
}

// futex_waitv (Linux 5.16): the first of the words stands for all in the record, their number beside it.
typedef struct lj_futex_waiter {
  uint64_t value;
  uint64_t word;
  uint32_t flags;
  uint32_t reserved;
} lj_futex_waiter;

LJ_JUMPED_TO long lj_syscall_futex_waitv(long number, long waiters, long count, long flags, long timeout,
                                         long clock) {
  lj_slot *slot = lj_enter();
  lj_futex_waiter first;
  if (!slot || count < 1 || !lj_peek((uint64_t)waiters, &first, sizeof first))
    return lj_syscall_next(number, waiters, count, flags, timeout, clock, 0);
  lj_wait_spec spec = {
      .object = first.word,
      .object2 = (uint64_t)count,
      .site = LJ_CALLER().site,
      .deadline_ns = lj_futex2_deadline(slot, timeout, clock),
      .futex_op = FUTEX_WAIT_BITSET | (first.flags & FUTEX_PRIVATE_FLAG),
      .futex_value = (uint32_t)first.value,
  };
  const long arguments[7] = {number, waiters, count, flags, timeout, clock, 0};
  return lj_futex2_wait(slot, &spec, arguments);
}

// futex_wait (Linux 6.7): FUTEX_WAIT_BITSET with its mask before the flags.
LJ_JUMPED_TO long lj_syscall_futex_wait(long number, long word, long value, long mask, long flags, long timeout,
                                        long clock) {
  lj_slot *slot = lj_enter();
  if (!slot) return lj_syscall_next(number, word, value, mask, flags, timeout, clock);
  lj_wait_spec spec = {
      .object = (uint64_t)word,
      .site = LJ_CALLER().site,
      .deadline_ns = lj_futex2_deadline(slot, timeout, clock),
      .futex_op = FUTEX_WAIT_BITSET | ((uint32_t)flags & FUTEX_PRIVATE_FLAG),
      .futex_value = (uint32_t)value,
  };
  const long arguments[7] = {number, word, value, mask, flags, timeout, clock};
  return lj_futex2_wait(slot, &spec, arguments);
}

LJ_JUMPED_TO long lj_syscall_futex_wake(long number, long word, long mask, long count, long flags) {
  if (lj_is_detailed()) lj_futex_told(FUTEX_WAKE, word, LJ_CALLER().site);
  return lj_syscall_next(number, word, mask, count, flags, 0, 0);
}
