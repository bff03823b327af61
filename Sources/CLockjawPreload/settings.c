// LOCKJAW_* and the paths that follow from them.
#define _GNU_SOURCE
#include "settings.h"

#include <dlfcn.h>
#include <stdlib.h>

#include "process.h"
#include "raw.h"
#include "text.h"

void lj_log(const char *message) {
  if (!lj_process.settings.log) return;
  char line[384];
  lj_text text = lj_text_in(line, sizeof line - 1);
  lj_put(&text, "lockjaw: pid ");
  lj_put_decimal(&text, lj_process.pid);
  lj_put(&text, ": ");
  lj_put(&text, message);
  line[text.length++] = '\n';
  (void)lj_raw3(SYS_write, 2, (long)line, (long)text.length);
}

// Settings are copied: a child reads them when the environment may long be another. False: cut.
static bool lj_take_setting(const char *name, char *to, size_t capacity) {
  const char *value = getenv(name);
  lj_text text = lj_text_in(to, capacity);
  lj_put(&text, value ? value : "");
  return !text.cut;
}

// What cannot be opened, nor made, by anybody: refused like any other directory of which that is true. (A name that merely
// does not exist would be made by root.)
static void lj_make_unusable(char *path, size_t capacity) { lj_copy_text(path, capacity, "/dev/null/unusable"); }

// A relative path means where the program was started, also after it has gone elsewhere.
static void lj_make_absolute(char *path, size_t capacity) {
  if (!path[0] || path[0] == '/') return;
  char relative[LJ_PATH_BYTES];
  lj_copy_text(relative, sizeof relative, path);
  long length = lj_raw2(SYS_getcwd, (long)path, (long)capacity);
  if (length <= 1 || path[0] != '/') { // unreachable or too long
    lj_make_unusable(path, capacity);
    return;
  }
  lj_text text = {.start = path, .capacity = capacity, .length = (size_t)length - 1};
  lj_put(&text, "/");
  lj_put(&text, relative);
  if (text.cut) lj_make_unusable(path, capacity);
}

// O_NOFOLLOW does not look at a symbolic link whose name ends in a slash.
static void lj_trim_slashes(char *path) {
  for (size_t length = lj_length(path); length > 1 && path[length - 1] == '/'; length--) path[length - 1] = 0;
}

// The lockjaw program: $LOCKJAW_EXE, or beside this library.
static void lj_find_helper(char *path, size_t capacity) {
  if (!lj_take_setting("LOCKJAW_EXE", path, capacity)) path[0] = 0; // no path; the one beside this library is
  Dl_info self;
  if (path[0] || !dladdr((const void *)(uintptr_t)&lj_find_helper, &self) || !self.dli_fname) return;
  lj_copy_text(path, capacity, self.dli_fname);
  lj_make_absolute(path, capacity);
  lj_text text = {.start = path, .capacity = capacity, .length = lj_length(path)};
  while (text.length && text.start[text.length - 1] != '/') text.length--;
  text.start[text.length] = 0;
  lj_put(&text, "lockjaw");
  if (text.cut) path[0] = 0;
}

enum { RING_DEFAULT = 4096 };

static bool lj_is_set(const char *value) { return value && value[0]; }

static uint32_t lj_ring_of_text(const char *text) {
  uint64_t number;
  if (!lj_take_decimal(&text, &number) || *text || number < 1) {
    lj_log("LOCKJAW_RING wants a number of operations per thread; 4096 are kept");
    return RING_DEFAULT;
  }
  uint32_t capacity = LJ_RING_SMALLEST;
  while (capacity < number && capacity < LJ_RING_LARGEST) capacity *= 2;
  return capacity;
}

static void lj_read_level(const char *level, const char *ring, const char *mode) {
  lj_settings *settings = &lj_process.settings;
  settings->level = LJ_LEVEL_STATE;
  if (lj_is_set(level)) {
    if (lj_equal(level, "sites")) settings->level = LJ_LEVEL_SITES;
    else if (lj_equal(level, "all")) settings->level = LJ_LEVEL_ALL;
    else if (!lj_equal(level, "state")) lj_log("LOCKJAW_RECORD wants 'state', 'sites' or 'all'; 'state' is recorded");
  }
  settings->ring_operations = lj_is_set(ring) ? lj_ring_of_text(ring) : RING_DEFAULT;
  settings->ring_mode = LJ_RING_OVERWRITE;
  if (lj_is_set(mode)) {
    if (lj_equal(mode, "stop")) settings->ring_mode = LJ_RING_STOP;
    else if (!lj_equal(mode, "overwrite")) lj_log("LOCKJAW_RING_MODE wants 'overwrite' or 'stop'; it overwrites");
  }
}

static void lj_read_clock(const char *clock) {
  bool is_monotonic = lj_is_set(clock) && lj_equal(clock, "monotonic");
  if (lj_is_set(clock) && !is_monotonic && !lj_equal(clock, "auto"))
    lj_log("LOCKJAW_CLOCK wants 'auto' or 'monotonic'; the processor decides");
  lj_process.settings.clock_is_monotonic = is_monotonic;
}

static void lj_read_keep(const char *keep) {
  lj_process.settings.keep = lj_is_set(keep) && lj_equal(keep, "1");
  if (lj_is_set(keep) && !lj_equal(keep, "1") && !lj_equal(keep, "0"))
    lj_log("LOCKJAW_KEEP wants '1' or '0'; the arena goes when the program ends well");
}

void lj_read_settings(void) {
  lj_settings *settings = &lj_process.settings;
  // One that is cut is another directory than the one that was named, and nobody would look there.
  if (lj_take_setting("LOCKJAW_DIR", settings->directory, sizeof settings->directory))
    lj_make_absolute(settings->directory, sizeof settings->directory);
  else
    lj_make_unusable(settings->directory, sizeof settings->directory);
  lj_trim_slashes(settings->directory);
  bool fits = lj_take_setting("XDG_RUNTIME_DIR", settings->runtime_directory, sizeof settings->runtime_directory);
  if (!fits || settings->runtime_directory[0] != '/') settings->runtime_directory[0] = 0;
  (void)lj_take_setting("LOCKJAW_SESSION", settings->session, sizeof settings->session);
  lj_find_helper(settings->helper, sizeof settings->helper);
  const char *log = getenv("LOCKJAW_LOG"), *level = getenv("LOCKJAW_RECORD");
  settings->log = log && log[0] && !lj_equal(log, "0");
  lj_read_keep(getenv("LOCKJAW_KEEP"));
  lj_read_level(level, getenv("LOCKJAW_RING"), getenv("LOCKJAW_RING_MODE"));
  lj_read_clock(getenv("LOCKJAW_CLOCK"));
}
