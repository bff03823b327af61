// Set-up. Once per image by the constructor, which may call libc; once per forked child that locks, which may not
// (lj_set_up_child and everything it calls use raw system calls). Whatever fails, the program runs on: the epoch goes
// to OFF and every wrapper forwards.
#define _GNU_SOURCE
#include "setup.h"

#include <errno.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "arena.h"
#include "directory.h"
#include "exit.h"
#include "fork.h"
#include "identity.h"
#include "modules.h"
#include "operations.h"
#include "process.h"
#include "raw.h"
#include "real.h"
#include "settings.h"
#include "slot.h"
#include "watchdog.h"

lj_process_state lj_process = {.key = -1};

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

void lj_count_loss(unsigned cause) {
  bool mine = lj_epoch_page.epoch >= LJ_EPOCH_FIRST && lj_process.header;
  uint64_t *counter = mine ? &lj_process.header->losses[cause] : &lj_process.early_losses[cause];
  __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

// Puts a page under `lj_epoch_page` that a child of any kind finds zeroed.
static bool lj_make_wiped_page(void) {
  long page = lj_raw6(SYS_mmap, (long)&lj_epoch_page, LJ_PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  return page == (long)&lj_epoch_page && lj_raw3(SYS_madvise, page, LJ_PAGE, MADV_WIPEONFORK) == 0;
}

// The main thread's stack ends where /proc/self/maps says and grows down to the limit; where there is none, a window.
static void lj_find_main_stack(void) {
  struct rlimit limit;
  uint64_t bytes = 8u << 20;
  if (lj_raw4(SYS_prlimit64, 0, RLIMIT_STACK, 0, (long)&limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    bytes = limit.rlim_cur;
  if (bytes > 64u << 20) bytes = 64u << 20;
  if (lj_process.main_stack_high > bytes) lj_process.main_stack_low = lj_process.main_stack_high - bytes;
}

// Everything that is the same for a first image and a child: identity, file, arena, modules. False: nothing will be
// recorded, and where a collector looks it finds why.
static bool lj_set_up_arena(void) {
  char reason[sizeof lj_process.header->reason] = "";
  const char *why;
  lj_process.pid = lj_raw_getpid();
  lj_find_time_namespace();
  lj_process.start_ticks = lj_start_ticks(0);
  lj_process.has_file = false;
  lj_process.header = NULL;
  lj_ticks_reset();
  int directory = lj_open_directory(&why);
  if (directory < 0) {
    lj_log(why);
    return false;
  }
  lj_name_file(directory);
  enum lj_arena_failure failure = lj_arena_create(directory, reason, sizeof reason);
  if (failure == LJ_ARENA_OK) {
    lj_modules_reset();
    lj_modules_read();
    lj_find_main_stack();
    for (unsigned cause = 0; cause < LJ_LOSS_COUNT; cause++)
      lj_process.header->losses[cause] += __atomic_exchange_n(&lj_process.early_losses[cause], 0, __ATOMIC_RELAXED);
    lj_store_release32(&lj_process.header->image_state, LJ_IMAGE_LIVE);
    if (!lj_arena_publish(directory)) {
      lj_arena_unmap();
      failure = LJ_ARENA_NO_DIRECTORY;
    }
  }
  if (failure == LJ_ARENA_REFUSED) lj_arena_leave_reason(directory, reason);
  lj_raw_close(directory);
  if (failure == LJ_ARENA_OK) return true;
  lj_log(failure == LJ_ARENA_REFUSED ? reason : "no file could be created in the arena directory");
  return false;
}

static void lj_open_for_business(bool recording) {
  if (recording) {
    // Along a line of descent every epoch is new, so that a child never mistakes an inherited slot for its own.
    lj_process.epoch = lj_process.epoch < LJ_EPOCH_FIRST ? LJ_EPOCH_FIRST : lj_process.epoch + 1;
  }
  // Release: pairs with the acquire in lj_enter_slow; the arena is complete before anybody may use it.
  lj_store_release32(&lj_epoch_page.epoch, recording ? lj_process.epoch : LJ_EPOCH_OFF);
}

static void lj_leave_reason_without_arena(const char *reason) {
  const char *why;
  lj_process.pid = lj_raw_getpid();
  lj_find_time_namespace();
  lj_process.start_ticks = lj_start_ticks(0);
  int directory = lj_open_directory(&why);
  lj_log(reason);
  if (directory < 0) return;
  lj_name_file(directory);
  lj_arena_leave_reason(directory, reason);
  lj_raw_close(directory);
}

__attribute__((constructor)) static void lj_set_up(void) {
  lj_real_ready();
  if (getauxval(AT_SECURE) || lj_quiet) {
    lj_open_for_business(false);
    return;
  }
  lj_thread.flags |= LJ_THREAD_BUSY;
  lj_process.pid = lj_raw_getpid();
  lj_process.has_vdso = getauxval(AT_SYSINFO_EHDR) != 0;
  lj_read_settings();
  lj_process.shim_base = (uint64_t)(uintptr_t)__ehdr_start;
  lj_process.offsets_hold = true;
  lj_process.offsets_hold = lj_tid_of(lj_self_pthread()) == lj_raw_gettid();
  if (!lj_make_wiped_page()) {
    lj_leave_reason_without_arena("the kernel cannot wipe a page on fork (Linux 4.14 is needed)");
    lj_open_for_business(false);
  } else {
    bool recording = lj_set_up_arena();
    lj_watch_thread_exit();
    lj_watch_fork();
    lj_watch_exit();
    if (recording) lj_watchdog_install();
    lj_open_for_business(recording);
  }
  lj_process.was_set_up = true;
  lj_thread.flags &= (uint16_t)~LJ_THREAD_BUSY;
  // Now rather than at its first lock: a program may enter a sandbox before that, and then there is no claiming.
  (void)lj_enter();
}

void lj_set_up_child(void) {
  uint32_t none = LJ_EPOCH_NONE;
  if (!__atomic_compare_exchange_n(&lj_epoch_page.epoch, &none, LJ_EPOCH_SETTING_UP, false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_RELAXED))
    return;
  // The parent's arena is not ours to write to, or to keep mapped.
  lj_arena_retire();
  for (unsigned cause = 0; cause < LJ_LOSS_COUNT; cause++) lj_process.early_losses[cause] = 0;
  // A parent in a sandbox has children in it: they forward only.
  bool recording = !lj_quiet && lj_set_up_arena();
  if (recording) lj_watchdog_child();
  lj_open_for_business(recording);
}
