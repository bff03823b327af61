#define _GNU_SOURCE
#include "lockjaw_arena_access.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// The SIGBUS handler reads this table while other threads change it, so entries are published by `base`
// (release, after `length`) and withdrawn by clearing it; a slot is reused only under `table_lock`.
enum { GUARDED = 1024, PAGE = 4096 };
static struct {
  _Atomic(uintptr_t) base;
  _Atomic(size_t) length;
  _Atomic(uint64_t) faults;
} guarded[GUARDED];
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction previous;
static int installed;

static void on_bus_error(int signal_number, siginfo_t *info, void *context) {
  uintptr_t at = (uintptr_t)info->si_addr;
  for (int i = 0; i < GUARDED; i++) {
    uintptr_t base = atomic_load_explicit(&guarded[i].base, memory_order_acquire);
    if (base == 0 || at < base || at - base >= atomic_load_explicit(&guarded[i].length, memory_order_relaxed)) continue;
    // mmap is a bare system call: async-signal-safe in fact, if not by the letter of POSIX.
    int saved = errno;
    void *page = mmap((void *)(at & ~(uintptr_t)(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    errno = saved;
    if (page == MAP_FAILED) break;
    atomic_fetch_add_explicit(&guarded[i].faults, 1, memory_order_relaxed);
    return;
  }
  // Not ours: as it would have been without us.
  if (previous.sa_flags & SA_SIGINFO) {
    if (previous.sa_sigaction) previous.sa_sigaction(signal_number, info, context);
  } else if (previous.sa_handler != SIG_IGN && previous.sa_handler != SIG_DFL) {
    previous.sa_handler(signal_number);
  } else {
    signal(SIGBUS, SIG_DFL);  // the faulting instruction runs again and ends us
    if (info->si_code <= 0) raise(SIGBUS);  // somebody sent it: no instruction will
  }
}

void lj_guard_thread(void) {
  static _Thread_local int done;
  if (done) return;
  sigset_t bus;
  sigemptyset(&bus);
  sigaddset(&bus, SIGBUS);
  done = pthread_sigmask(SIG_UNBLOCK, &bus, NULL) == 0;
}

// Takes over a mapping: from here on the handler knows it. On failure it is unmapped, with errno set.
static void *guard(void *base, size_t length) {
  lj_guard_thread();
  int place = -1;
  pthread_mutex_lock(&table_lock);
  if (!installed) {
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    installed = sigaction(SIGBUS, &action, &previous) == 0;
  }
  for (int i = 0; i < GUARDED && place < 0; i++) {
    if (atomic_load_explicit(&guarded[i].base, memory_order_relaxed) == 0) place = i;
  }
  if (place >= 0) {
    atomic_store_explicit(&guarded[place].length, length, memory_order_relaxed);
    atomic_store_explicit(&guarded[place].faults, 0, memory_order_relaxed);
    // Partner: the acquire load in on_bus_error.
    atomic_store_explicit(&guarded[place].base, (uintptr_t)base, memory_order_release);
  }
  pthread_mutex_unlock(&table_lock);
  if (place < 0) {
    munmap(base, length);
    errno = ENOMEM;
    return NULL;
  }
  return base;
}

void *lj_guarded_map(int fd, size_t length, long writable_page) {
  char *base = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return NULL;
  if (writable_page >= 0) {
    void *page = mmap(base + writable_page, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, writable_page);
    if (page == MAP_FAILED) {
      int saved = errno;
      munmap(base, length);
      errno = saved;
      return NULL;
    }
  }
  return guard(base, length);
}

void *lj_guarded_map_private(int fd, size_t length) {
  void *base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  return base == MAP_FAILED ? NULL : guard(base, length);
}

static int place_of(void *base) {
  for (int i = 0; i < GUARDED; i++) {
    if (atomic_load_explicit(&guarded[i].base, memory_order_relaxed) == (uintptr_t)base) return i;
  }
  return -1;
}

void lj_guarded_unmap(void *base) {
  pthread_mutex_lock(&table_lock);
  int place = place_of(base);
  if (place >= 0) {
    size_t length = atomic_load_explicit(&guarded[place].length, memory_order_relaxed);
    munmap(base, length);
    atomic_store_explicit(&guarded[place].base, 0, memory_order_release);
  }
  pthread_mutex_unlock(&table_lock);
}

uint64_t lj_guarded_faults(void *base) {
  int place = place_of(base);
  return place < 0 ? 0 : atomic_load_explicit(&guarded[place].faults, memory_order_relaxed);
}

void lj_futex_wait(void *word, uint32_t expected, int64_t timeout_milliseconds) {
  struct timespec limit = {timeout_milliseconds / 1000, (timeout_milliseconds % 1000) * 1000000};
  syscall(SYS_futex, word, FUTEX_WAIT, expected, timeout_milliseconds < 0 ? NULL : &limit, NULL, 0);
}

void lj_futex_ring(void *word) {
  atomic_fetch_add((_Atomic(uint32_t) *)word, 1);
  syscall(SYS_futex, word, FUTEX_WAKE, 0x7fffffff, NULL, NULL, 0);
}
