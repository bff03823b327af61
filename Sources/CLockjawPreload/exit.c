// The end of a process that ends well: its arena says so and the file goes, unless LOCKJAW_KEEP asks for it. One that dies by a signal leaves its file
// as evidence.
#define _GNU_SOURCE
#include "exit.h"

#include <fcntl.h>
#include <stdlib.h>

#include "held.h"
#include "process.h"
#include "raw.h"
#include "real.h"
#include "text.h"

static int lj_exit_code;

// By path: the directory's descriptor was closed at set-up. Fails silently after chroot or a change of user; the file
// then says EXITED and is pruned like any other.
static void lj_remove_file(void) {
  if (!lj_process.has_file) return;
  char path[LJ_PATH_BYTES + sizeof lj_process.file_name + 1];
  lj_text text = lj_text_in(path, sizeof path);
  lj_put(&text, lj_process.directory);
  lj_put(&text, "/");
  lj_put(&text, lj_process.file_name);
  (void)lj_raw3(SYS_unlinkat, AT_FDCWD, (long)path, 0);
}

void lj_image_ends(int code) {
  if (lj_quiet) return;
  uint32_t epoch = lj_epoch_page.epoch;
  // A vfork child shares this memory and must not end its parent's record; a forked child's page is wiped.
  if (epoch == LJ_EPOCH_NONE || epoch == LJ_EPOCH_SETTING_UP || lj_raw_getpid() != lj_process.pid) return;
  if (epoch >= LJ_EPOCH_FIRST) {
    lj_process.header->exit_code = (uint32_t)code;
    lj_store_release32(&lj_process.header->image_state, LJ_IMAGE_EXITED);
  }
  if (!lj_process.settings.keep) lj_remove_file();
}

static void lj_on_exit(int code, void *unused) {
  (void)unused;
  lj_exit_code = code;
}

static void lj_on_quick_exit(void *unused) {
  (void)unused;
  lj_image_ends(0);
}

extern int __cxa_at_quick_exit(void (*function)(void *), void *object);

void lj_watch_exit(void) {
  // exit()'s own handlers run last to first: these were registered before the program's. The destructor below runs
  // after all of them.
  (void)on_exit(lj_on_exit, NULL);
  (void)__cxa_at_quick_exit(lj_on_quick_exit, NULL);
}

// A quiet process may not even ask for its pid. Only _exit is for vfork children, so exit() at least can say that it
// ended; the file stays until it is pruned.
static void lj_quiet_image_ends(void) {
  if (lj_epoch_page.epoch < LJ_EPOCH_FIRST || !lj_process.header) return;
  lj_process.header->exit_code = (uint32_t)lj_exit_code;
  lj_store_release32(&lj_process.header->image_state, LJ_IMAGE_EXITED);
}

__attribute__((destructor)) static void lj_tear_down(void) {
  if (lj_quiet) lj_quiet_image_ends();
  else lj_image_ends(lj_exit_code);
}

LJ_EXPORT void _exit(int code) {
  lj_real_ready();
  lj_image_ends(code);
  lj_real._exit(code);
  for (;;) (void)lj_raw_forward(SYS_exit_group, code, 0, 0, 0, 0, 0);
}

LJ_EXPORT void _Exit(int code) {
  lj_real_ready();
  lj_image_ends(code);
  lj_real._Exit(code);
  for (;;) (void)lj_raw_forward(SYS_exit_group, code, 0, 0, 0, 0, 0);
}
