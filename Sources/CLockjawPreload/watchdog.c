// LOCKJAW_SIGNAL: on this signal a report is written, and the process goes on.
//
// A collector that watches is told through the arena. Without one, the handler starts `lockjaw attach` itself, with
// raw system calls only:
//
//     handler ── clone(CLONE_VM|CLONE_VFORK, no exit signal) ──▶ middle ── clone(CLONE_VM|SIGCHLD) ──▶ helper
//        │  middle ends at once; reaped here with __WALL              helper sleeps on `lj_helper.go`
//        │  prctl(PR_SET_PTRACER, helper), for Yama                       │
//        └─ go = 1, wakes ────────────────────────────────────────────▶ execve
//
// The helper is nobody's child here, so the program's own waitpid(-1) never sees it. It keeps none of the program's
// descriptors but 0, 1 and 2. Its stacks are static and are free again when the kernel clears `running` at its execve.
#define _GNU_SOURCE
#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "identity.h"
#include "process.h"
#include "raw.h"
#include "self.h"
#include "settings.h"
#include "text.h"
#include "wait.h"

enum { STACK_BYTES = 8192, ENVIRONMENT_BYTES = 8192, ENVIRONMENT_ENTRIES = 64 };
#define LJ_HELPER_EVERY_NS 5000000000u

extern long lj_clone_run(unsigned long flags, void *stack_top, void (*body)(void *), void *argument, uint32_t *running)
    __attribute__((visibility("hidden")));
__asm__(
    ".text\n"
    ".globl lj_clone_run\n"
    ".hidden lj_clone_run\n"
    ".type lj_clone_run, @function\n"
    "lj_clone_run:\n"
    "\t.cfi_startproc\n"
    "\tmovq %rdx, %r9\n"  // body: survives the system call
    "\tmovq %rcx, %rdx\n" // argument: parent_tid, which these flags do not use
    "\tmovq %r8, %r10\n"  // child_tid
    "\tmovl $56, %eax\n"  // SYS_clone
    "\tsyscall\n"
    "\ttestl %eax, %eax\n"
    "\tjnz 1f\n"
    "\txorl %ebp, %ebp\n"
    "\tmovq %rdx, %rdi\n"
    "\tcall *%r9\n"
    "\txorl %edi, %edi\n"
    "\tmovl $60, %eax\n" // SYS_exit
    "\tsyscall\n"
    "\thlt\n"
    "1:\tret\n"
    "\t.cfi_endproc\n"
    ".size lj_clone_run, .-lj_clone_run\n");

static struct {
  uint32_t busy;         // atomic: a handler is starting a helper
  uint32_t go;           // futex: the helper may exec
  uint32_t running;      // the kernel clears it when the helper no longer uses this memory
  int32_t pid;           // of the last helper
  uint64_t started_ns;
  char pid_text[16];
  const char *arguments[6];
  const char *environment[ENVIRONMENT_ENTRIES + 2];
  char environment_text[ENVIRONMENT_BYTES];
  char directory[LJ_PATH_BYTES + 16];
  char middle_stack[STACK_BYTES] __attribute__((aligned(16)));
  char helper_stack[STACK_BYTES] __attribute__((aligned(16)));
} lj_helper;

// Runs on lj_helper.helper_stack in the program's memory, with the program's thread-local storage: raw system calls
// only, until execve.
static void lj_helper_main(void *unused) {
  (void)unused;
  while (!lj_load_acquire32(&lj_helper.go) && !lj_quiet)
    (void)lj_raw4(SYS_futex, (long)&lj_helper.go, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, 0);
  uint64_t none = 0;
  (void)lj_raw0(SYS_setsid); // the terminal's signals are for the program
  (void)lj_raw3(SYS_close_range, 3, UINT32_MAX, 0);
  (void)lj_raw4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, sizeof none);
  (void)lj_raw3(SYS_execve, (long)lj_process.settings.helper, (long)lj_helper.arguments, (long)lj_helper.environment);
  if (!lj_process.settings.log) return;
  static const char message[] = "lockjaw: the lockjaw program could not be started; set LOCKJAW_EXE to its path\n";
  (void)lj_raw3(SYS_write, 2, (long)message, sizeof message - 1);
}

static void lj_middle_main(void *unused) {
  long pid = lj_clone_run(CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, lj_helper.helper_stack + STACK_BYTES, lj_helper_main,
                          unused, &lj_helper.running);
  lj_helper.pid = pid > 0 ? (int32_t)pid : 0;
}

static void lj_start_helper(void) {
  uint64_t now = lj_monotonic_ns();
  if (!lj_process.settings.helper[0] || __atomic_exchange_n(&lj_helper.busy, 1, __ATOMIC_ACQUIRE)) return;
  bool recently = lj_helper.started_ns && now - lj_helper.started_ns < LJ_HELPER_EVERY_NS;
  bool in_flight = lj_load_acquire32(&lj_helper.running) ||
                   (lj_helper.pid > 0 && lj_raw2(SYS_kill, lj_helper.pid, 0) == 0);
  if (!recently && !in_flight) {
    lj_text text = lj_text_in(lj_helper.pid_text, sizeof lj_helper.pid_text);
    lj_put_decimal(&text, lj_process.pid);
    text = lj_text_in(lj_helper.directory, sizeof lj_helper.directory);
    lj_put(&text, "LOCKJAW_DIR=");
    lj_put(&text, lj_process.directory);
    lj_helper.started_ns = now;
    lj_helper.go = 0;
    lj_helper.running = 1;
    lj_helper.pid = 0;
    long middle = lj_clone_run(CLONE_VM | CLONE_VFORK, lj_helper.middle_stack + STACK_BYTES, lj_middle_main, NULL, NULL);
    if (middle > 0) (void)lj_raw4(SYS_wait4, middle, 0, __WALL, 0);
    if (lj_helper.pid > 0) {
      // EINVAL where the kernel has no Yama: then nothing needs allowing.
      (void)lj_raw6(SYS_prctl, PR_SET_PTRACER, lj_helper.pid, 0, 0, 0, 0);
      lj_store_release32(&lj_helper.go, 1);
      (void)lj_raw3(SYS_futex, (long)&lj_helper.go, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
    } else {
      lj_helper.running = 0;
    }
  }
  __atomic_store_n(&lj_helper.busy, 0, __ATOMIC_RELEASE);
}

// A pid may be in use again by somebody else, so its start time is compared where both are known.
static bool lj_collector_lives(void) {
  uint32_t pid = lj_load_relaxed32(&lj_process.collector->collector_pid);
  if (!pid || pid > INT32_MAX) return false;
  long answer = lj_raw2(SYS_kill, (long)pid, 0);
  if (answer == -ESRCH) return false;
  uint64_t expected = lj_load_relaxed64(&lj_process.collector->collector_start_ticks), ticks = lj_start_ticks(pid);
  return !expected || !ticks || ticks == expected;
}

static void lj_on_signal(int signal, siginfo_t *details, void *context) {
  (void)signal, (void)details, (void)context;
  (void)lj_enter(); // a forked child may learn only here that it needs an arena
  if (lj_quiet) { // a collector that looks now and then finds the request
    if (lj_epoch_page.epoch >= LJ_EPOCH_FIRST) __atomic_fetch_add(&lj_process.header->report_requests, 1, __ATOMIC_SEQ_CST);
    return;
  }
  if (lj_epoch_page.epoch < LJ_EPOCH_FIRST || lj_raw_getpid() != lj_process.pid) return;
  __atomic_fetch_add(&lj_process.header->report_requests, 1, __ATOMIC_SEQ_CST);
  if (lj_collector_lives()) lj_ring_bell(LJ_WAKE_SIGNAL);
  else lj_start_helper();
}

// What may not be taken though its disposition is the default. Raised by a thread's own instructions: a handler that returns
// makes a crash an endless loop. SIGCHLD: each child of the program that ends would ask for a report. KILL, STOP and glibc's
// own two (SIGCANCEL, SIGSETXID) the kernel and glibc refuse.
static bool lj_signal_has_a_purpose(int signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGSYS ||
         signal == SIGCHLD;
}

// Signals a person might choose, by name; anything else by number. 0: none of them.
static int lj_signal_named(const char *name) {
  static const struct {
    const char *name;
    int number;
  } known[] = {{"HUP", SIGHUP},   {"INT", SIGINT},     {"QUIT", SIGQUIT}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
               {"ALRM", SIGALRM}, {"TERM", SIGTERM},   {"TRAP", SIGTRAP}, {"URG", SIGURG},   {"XCPU", SIGXCPU},
               {"PROF", SIGPROF}, {"WINCH", SIGWINCH}, {"IO", SIGIO},     {"PWR", SIGPWR}};
  uint64_t number;
  const char *at = name;
  if (lj_take_decimal(&at, &number)) return *at == 0 && number > 0 && number <= 64 ? (int)number : 0;
  (void)lj_take(&name, "SIG");
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (lj_equal(name, known[i].name)) return known[i].number;
  return 0;
}

// What the helper inherits of the environment: enough to find its files and its debug information. Copied now, because
// the program may change or overwrite the original. LD_PRELOAD is not in the list: the helper is not to be watched.
static void lj_copy_environment(void) {
  static const char *const wanted[] = {"PATH", "HOME", "TMPDIR", "LANG", "TERM", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME",
                                       "LD_LIBRARY_PATH", "DEBUGINFOD_URLS", "DEBUGINFOD_CACHE_PATH", "LOCKJAW_LOG"};
  unsigned count = 0;
  lj_text text = {.start = lj_helper.environment_text, .capacity = sizeof lj_helper.environment_text};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    const char *value = getenv(wanted[i]);
    size_t begin = text.length;
    if (!value || text.capacity - begin < lj_length(wanted[i]) + lj_length(value) + 3) continue;
    lj_put(&text, wanted[i]);
    lj_put(&text, "=");
    lj_put(&text, value);
    lj_helper.environment[count++] = text.start + begin;
    text.length++; // keeps the terminating zero
    text.start[text.length] = 0;
  }
  lj_helper.environment[count++] = lj_helper.directory;
  lj_helper.environment[count] = NULL;
}

static const char lj_no_signal[] =
    "LOCKJAW_SIGNAL wants a signal that a person would send, such as SIGQUIT or 3; none is taken";

void lj_watchdog_install(void) {
  const char *wanted = getenv("LOCKJAW_SIGNAL");
  if (!wanted || !wanted[0]) return;
  int signal = lj_signal_named(wanted);
  struct sigaction now;
  if (!signal || lj_signal_has_a_purpose(signal) || sigaction(signal, NULL, &now) != 0) {
    lj_log(lj_no_signal);
    return;
  }
  if (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN) {
    lj_log("LOCKJAW_SIGNAL names a signal that has a handler already; it keeps that");
    return;
  }
  // Ignored: a shell without job control does that to SIGINT and SIGQUIT of what it starts in the background. The user
  // asked for this signal by name, so it is taken.
  lj_helper.arguments[0] = "lockjaw";
  lj_helper.arguments[1] = "attach";
  lj_helper.arguments[2] = lj_helper.pid_text;
  lj_helper.arguments[3] = "--signal-report";
  lj_copy_environment();
  struct sigaction action = {.sa_sigaction = lj_on_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
  sigfillset(&action.sa_mask);
  if (sigaction(signal, &action, NULL) != 0) lj_log(lj_no_signal);
}

void lj_watchdog_child(void) {
  lj_helper.busy = lj_helper.running = 0;
  lj_helper.pid = 0;
  lj_helper.started_ns = 0;
}
