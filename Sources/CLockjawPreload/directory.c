// The arena directory: 0700, ours, not a symbolic link; anything else is refused, because whoever can write there
// could swap the file under us.
#define _GNU_SOURCE
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "evidence.h"
#include "identity.h"
#include "process.h"
#include "raw.h"
#include "text.h"

enum { ENTRIES_BUFFER = 8192, DEAD_FILES = 256, KEPT_FILES = 32, MANY_FILES = 32, CLOSER_LOOKS = 16, SLOTS_LOOKED_AT = 8192 };
#define LJ_KEPT_BYTES (256u << 20)

// Where arenas may live, in order of preference.
enum lj_place { PLACE_SET, PLACE_RUNTIME, PLACE_SHARED_MEMORY, PLACES };

static bool lj_choose_directory(enum lj_place place) {
  const lj_settings *settings = &lj_process.settings;
  lj_text path = lj_text_in(lj_process.directory, sizeof lj_process.directory);
  switch (place) {
  case PLACE_SET:
    if (!settings->directory[0]) return false;
    lj_put(&path, settings->directory);
    break;
  case PLACE_RUNTIME:
    if (!settings->runtime_directory[0]) return false;
    lj_put(&path, settings->runtime_directory);
    lj_put(&path, "/lockjaw");
    break;
  default:
    lj_put(&path, "/dev/shm/lockjaw-");
    lj_put_decimal(&path, (uint64_t)lj_raw0(SYS_geteuid));
  }
  return !path.cut;
}

// The descriptor, or -1: `*others` says whether that is because the directory is another user's.
static int lj_open_own_directory(const char *path, bool *others) {
  (void)lj_raw3(SYS_mkdirat, AT_FDCWD, (long)path, 0700);
  int fd = lj_raw_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
  *others = fd == -EACCES || fd == -EPERM;
  if (fd < 0) return -1;
  struct stat status;
  bool known = lj_raw2(SYS_fstat, fd, (long)&status) == 0;
  *others = known && status.st_uid != (uint32_t)lj_raw0(SYS_geteuid);
  if (known && !*others && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return fd;
  lj_raw_close(fd);
  return -1;
}

// Anew for every set-up: a child may run as another user than its parent, and the directory that LOCKJAW_DIR or
// XDG_RUNTIME_DIR names is then the parent's user's. Only for that reason is the next place tried: a directory of our
// own that others may write to, or a symbolic link, is a mistake or an attack, and is refused.
int lj_open_directory(const char **why) {
  bool others = true;
  int fd = -1;
  for (enum lj_place place = PLACE_SET; place < PLACES && fd < 0 && others; place++)
    if (lj_choose_directory(place)) fd = lj_open_own_directory(lj_process.directory, &others);
  *why = others ? "the arena directory belongs to another user; set LOCKJAW_DIR to one of your own"
                : "the arena directory could not be opened, is no directory or is writable by others; "
                  "set LOCKJAW_DIR to one of your own";
  return fd;
}

typedef struct lj_arena_name {
  uint64_t pid, start_ticks, image;
} lj_arena_name;

// Anything else in the directory is somebody else's and is left alone.
static bool lj_parse_name(const char *at, lj_arena_name *name) {
  return lj_take(&at, "lockjaw-") && lj_take_decimal(&at, &name->pid) && lj_take(&at, "-") &&
         lj_take_decimal(&at, &name->start_ticks) && lj_take(&at, "-") && lj_take_decimal(&at, &name->image) &&
         lj_equal(at, ".arena");
}

static void lj_build_name(char *name, size_t bytes, uint64_t pid, uint64_t start_ticks, uint64_t image) {
  lj_text text = lj_text_in(name, bytes);
  lj_put(&text, "lockjaw-");
  lj_put_decimal(&text, pid);
  lj_put(&text, "-");
  lj_put_decimal(&text, start_ticks);
  lj_put(&text, "-");
  lj_put_decimal(&text, image);
  lj_put(&text, ".arena");
}

typedef struct lj_dead_file {
  lj_arena_name name;
  int64_t modified;
  uint64_t bytes;
  enum lj_evidence evidence;
} lj_dead_file;

// Evidence of dead processes, as the directory was read. Set-up runs in one thread.
static lj_dead_file lj_dead[DEAD_FILES];
static unsigned lj_dead_count;

static void lj_remove(int directory, const lj_arena_name *name) {
  char path[96];
  lj_build_name(path, sizeof path, name->pid, name->start_ticks, name->image);
  (void)lj_raw3(SYS_unlinkat, directory, (long)path, 0);
}

// A pid that is in use again counts as alive, unless the directory is so full that a few closer looks pay.
static bool lj_is_dead(const lj_arena_name *name, uint64_t seen, unsigned *closer_looks) {
  if (name->pid > INT32_MAX) return true;
  if (lj_raw2(SYS_kill, (long)name->pid, 0) == -ESRCH) return true;
  if (seen <= MANY_FILES || *closer_looks == 0) return false;
  --*closer_looks;
  uint64_t ticks = lj_start_ticks((uint32_t)name->pid);
  return ticks && ticks != name->start_ticks;
}

// Beyond DEAD_FILES the rest waits for a later set-up.
static void lj_note_dead(int directory, const lj_arena_name *name, const char *path) {
  if (lj_dead_count == DEAD_FILES) return;
  struct stat status;
  if (lj_raw4(SYS_newfstatat, directory, (long)path, (long)&status, AT_SYMLINK_NOFOLLOW) < 0) return;
  lj_dead[lj_dead_count++] = (lj_dead_file){
      .name = *name, .modified = status.st_mtim.tv_sec, .bytes = (uint64_t)status.st_blocks * 512};
}

static bool lj_goes_before(const lj_dead_file *a, const lj_dead_file *b) {
  return a->evidence != b->evidence ? a->evidence < b->evidence : a->modified < b->modified;
}

// Keeps what a person may still want to analyse, within bounds: a process in which nobody waited goes first, then one
// whose waits are what idle threads do, last one with a thread that waited for a lock; among equals the oldest.
static void lj_prune(int directory) {
  uint64_t bytes = 0;
  for (unsigned i = 0; i < lj_dead_count; i++) bytes += lj_dead[i].bytes;
  if (lj_dead_count <= KEPT_FILES && bytes <= LJ_KEPT_BYTES) return;
  unsigned slots_left = SLOTS_LOOKED_AT;
  for (unsigned i = 0; i < lj_dead_count; i++) {
    char path[96];
    const lj_arena_name *name = &lj_dead[i].name;
    lj_build_name(path, sizeof path, name->pid, name->start_ticks, name->image);
    lj_dead[i].evidence = lj_evidence_in(directory, path, &slots_left);
  }
  while (lj_dead_count && (lj_dead_count > KEPT_FILES || bytes > LJ_KEPT_BYTES)) {
    unsigned first = 0;
    for (unsigned i = 1; i < lj_dead_count; i++)
      if (lj_goes_before(&lj_dead[i], &lj_dead[first])) first = i;
    lj_remove(directory, &lj_dead[first].name);
    bytes -= lj_dead[first].bytes;
    lj_dead[first] = lj_dead[--lj_dead_count];
  }
}

typedef struct lj_dirent64 {
  uint64_t inode;
  int64_t offset;
  uint16_t record_bytes;
  uint8_t type;
  char name[];
} lj_dirent64;

void lj_name_file(int directory) {
  static char buffer[ENTRIES_BUFFER] __attribute__((aligned(8)));
  uint64_t image = 0, seen = 0;
  unsigned closer_looks = CLOSER_LOOKS;
  lj_dead_count = 0;
  for (long got; (got = lj_raw3(SYS_getdents64, directory, (long)buffer, sizeof buffer)) > 0;) {
    for (long at = 0; at < got;) {
      const lj_dirent64 *entry = (const lj_dirent64 *)(buffer + at);
      at += entry->record_bytes;
      lj_arena_name name;
      if (!lj_parse_name(entry->name, &name)) continue;
      seen++;
      if (name.pid == lj_process.pid) {
        // An earlier image of this process, before exec: its locks are gone with its memory. Or a dead process whose
        // pid we have now.
        if (name.start_ticks == lj_process.start_ticks) {
          if (name.image >= image) image = name.image + 1;
          lj_remove(directory, &name);
        } else {
          lj_note_dead(directory, &name, entry->name);
        }
      } else if (lj_is_dead(&name, seen, &closer_looks)) {
        lj_note_dead(directory, &name, entry->name);
      }
    }
  }
  lj_prune(directory);
  lj_build_name(lj_process.file_name, sizeof lj_process.file_name, lj_process.pid, lj_process.start_ticks, image);
}
