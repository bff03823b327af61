// Every function is one system call, apart from the copying of many ranges; who is stopped, for how long and who must be
// let go is decided by the caller (LockjawInspect's Tracees).
#define _GNU_SOURCE
#include "lockjaw_ptrace.h"

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

static int result_of(long returned) { return returned < 0 ? -errno : 0; }

// No options: in particular not PTRACE_O_EXITKILL, so that a collector which is killed takes nobody along.
int lj_ptrace_seize(pid_t tid) { return result_of(ptrace(PTRACE_SEIZE, tid, (void *)0, (void *)0)); }

int lj_ptrace_interrupt(pid_t tid) { return result_of(ptrace(PTRACE_INTERRUPT, tid, (void *)0, (void *)0)); }

int lj_ptrace_detach(pid_t tid, int signal) {
  return result_of(ptrace(PTRACE_DETACH, tid, (void *)0, (void *)(intptr_t)signal));
}

int lj_ptrace_registers(pid_t tid, lj_registers *out) {
  struct user_regs_struct regs;
  struct iovec into = {.iov_base = &regs, .iov_len = sizeof regs};
  if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &into) < 0) return -errno;
  // The kernel answers with the 32-bit layout for a thread in compatibility mode.
  if (into.iov_len != sizeof regs) return -EMEDIUMTYPE;
  *out = (lj_registers){
      .rax = regs.rax, .rdx = regs.rdx, .rcx = regs.rcx, .rbx = regs.rbx, .rsi = regs.rsi, .rdi = regs.rdi,
      .rbp = regs.rbp, .rsp = regs.rsp, .r8 = regs.r8, .r9 = regs.r9, .r10 = regs.r10, .r11 = regs.r11,
      .r12 = regs.r12, .r13 = regs.r13, .r14 = regs.r14, .r15 = regs.r15, .rip = regs.rip,
      .orig_rax = regs.orig_rax, .fs_base = regs.fs_base,
  };
  return 0;
}

int lj_ptrace_poll(pid_t tid, int *signal) {
  int status = 0;
  *signal = 0;
  // Only looked at, not taken: where this process is also the parent, its own wait must find the exit status. (Stops of a
  // tracee are shown whatever is asked for; those are taken below.) A thread that is left so, other than a process' first,
  // stays behind as a zombie until its tracer ends, and the kernel buries it then. The tracer is a thread that lives for one
  // look (lj_run_on_own_thread), so its process is not kept from ending for longer than that.
  siginfo_t seen = {0};
  if (waitid(P_PID, (id_t)tid, &seen, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 && seen.si_pid == tid &&
      (seen.si_code == CLD_EXITED || seen.si_code == CLD_KILLED || seen.si_code == CLD_DUMPED)) {
    return LJ_WAIT_GONE;
  }
  pid_t got = waitpid(tid, &status, __WALL | WNOHANG);
  if (got < 0) return errno == EINTR ? LJ_WAIT_PENDING : -errno;
  if (got == 0) return LJ_WAIT_PENDING;
  if (!WIFSTOPPED(status)) return LJ_WAIT_GONE;
  // A stop with an event is ours (or a group stop, which a detach preserves). One without is a signal caught on
  // its way to the thread: it is lost unless the detach hands it back.
  if ((status >> 16) == 0) *signal = WSTOPSIG(status);
  return LJ_WAIT_STOPPED;
}

// process_vm_readv stops at the first range that faults, and says so only by its total. So: ask for as many as the
// kernel takes in one call, account for what came, leave the faulting range short, and go on behind it.
enum { RANGES_PER_CALL = 1024 }; // UIO_MAXIOV

int lj_copy_ranges(pid_t pid, lj_range *ranges, size_t count) {
  static _Thread_local struct iovec local[RANGES_PER_CALL], remote[RANGES_PER_CALL];
  size_t next = 0;
  for (size_t i = 0; i < count; i++) ranges[i].copied = 0;
  while (next < count) {
    size_t n = count - next < RANGES_PER_CALL ? count - next : RANGES_PER_CALL;
    for (size_t i = 0; i < n; i++) {
      local[i] = (struct iovec){.iov_base = ranges[next + i].destination, .iov_len = ranges[next + i].bytes};
      remote[i] = (struct iovec){
          .iov_base = (void *)(uintptr_t)ranges[next + i].address, .iov_len = ranges[next + i].bytes};
    }
    ssize_t got = process_vm_readv(pid, local, n, remote, n, 0);
    if (got < 0 && errno != EFAULT) return -errno;
    size_t left = got < 0 ? 0 : (size_t)got;
    size_t i = 0;
    for (; i < n && left >= ranges[next + i].bytes; i++) {
      ranges[next + i].copied = ranges[next + i].bytes;
      left -= ranges[next + i].bytes;
    }
    if (i < n) { // range i faulted after `left` bytes
      ranges[next + i].copied = left;
      i++;
    }
    next += i;
  }
  return 0;
}

size_t lj_copy_memory(pid_t pid, uint64_t address, void *destination, size_t bytes) {
  struct iovec local = {.iov_base = destination, .iov_len = bytes};
  struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = bytes};
  ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
  return got < 0 ? 0 : (size_t)got;
}

struct body_and_context {
  void (*body)(void *context);
  void *context;
};

static void *start(void *argument) {
  struct body_and_context *work = argument;
  work->body(work->context);
  return NULL;
}

int lj_run_on_own_thread(void (*body)(void *context), void *context) {
  struct body_and_context work = {body, context};
  sigset_t all, before;
  sigfillset(&all);
  sigdelset(&all, SIGBUS); // a fault in a guarded mapping: see lj_guard_thread
  pthread_t thread;
  // Signals from outside stay with the threads that expect them.
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&thread, NULL, start, &work);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error != 0) return -error;
  pthread_join(thread, NULL);
  return 0;
}
