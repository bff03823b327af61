// The arena's file and its pages.
//
// The file is as large as the largest arena may become, and sparse. Only its beginning is mapped at set-up, 3 MiB; more
// slots and extents follow when they are needed (chunks.c). A page is allocated by MADV_POPULATE_WRITE before its
// first store, so that a full tmpfs costs records and never a SIGBUS. The descriptor is closed as soon as the mappings
// exist: the program finds no descriptor it did not open.
#define _GNU_SOURCE
#include "arena.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "identity.h"
#include "level.h"
#include "process.h"
#include "raw.h"
#include "text.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
  PREALLOCATED_SLOTS = 256,     // where the kernel cannot populate on demand
  PREALLOCATED_EXTENTS = 16,
  PREALLOCATED_MODULES = 64,
  SMALLEST_SLOTS = 4,
};

typedef struct lj_layout {
  uint32_t modules, slots, extents, history;
  uint64_t slots_offset, extents_offset, history_offset, bytes;
} lj_layout;

static lj_layout lj_layout_of(uint32_t modules, uint32_t slots, uint32_t extents) {
  lj_layout layout = {.modules = modules, .slots = slots, .extents = extents};
  uint64_t module_bytes = (uint64_t)modules * sizeof(lj_module);
  layout.slots_offset = LJ_MODULES_OFFSET + ((module_bytes + LJ_PAGE - 1) & ~(uint64_t)(LJ_PAGE - 1));
  layout.extents_offset = layout.slots_offset + (uint64_t)slots * sizeof(lj_slot);
  layout.history_offset = (layout.extents_offset + (uint64_t)extents * sizeof(lj_extent) + LJ_HISTORY_UNIT - 1) &
                          ~(uint64_t)(LJ_HISTORY_UNIT - 1);
  layout.bytes = layout.history_offset;
  return layout;
}

// What a limit on file sizes leaves is for history. Whole chunks, where it is more than one.
static void lj_add_history(lj_layout *layout, uint64_t file_limit) {
  uint64_t units = (file_limit - layout->bytes) / LJ_HISTORY_UNIT;
  if (units > LJ_HISTORY_UNITS_MAX) units = LJ_HISTORY_UNITS_MAX;
  if (units > LJ_CHUNK_UNITS) units -= units % LJ_CHUNK_UNITS;
  layout->history = (uint32_t)units;
  layout->bytes += units * LJ_HISTORY_UNIT;
}

uint64_t lj_limit(int resource) {
  struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
  if (lj_raw4(SYS_prlimit64, 0, resource, 0, (long)&limit) < 0) return UINT64_MAX;
  return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

// What set-up maps of it: everything up to the end of the first chunk of slots, the first chunk of extents, and a page
// after each, from which the next chunk is mapped.
static uint64_t lj_base_bytes(const lj_layout *layout) {
  uint32_t slots = layout->slots < LJ_CHUNK_SLOTS ? layout->slots : LJ_CHUNK_SLOTS;
  return layout->slots_offset + (uint64_t)slots * sizeof(lj_slot) + LJ_PAGE;
}
static uint64_t lj_first_extents_bytes(const lj_layout *layout) {
  uint32_t extents = layout->extents < LJ_CHUNK_EXTENTS ? layout->extents : LJ_CHUNK_EXTENTS;
  return (uint64_t)extents * sizeof(lj_extent) + LJ_PAGE;
}

// The largest layout that a file may be (RLIMIT_FSIZE would raise SIGXFSZ) and whose beginning leaves the program seven
// eighths of its address space.
static bool lj_choose_layout(lj_layout *layout) {
  uint64_t file = lj_limit(RLIMIT_FSIZE), space = lj_limit(RLIMIT_AS) / 8, smaller = file < space ? file : space;
  uint32_t modules = LJ_MODULE_CAPACITY;
  while (modules > 64 && (uint64_t)modules * sizeof(lj_module) > smaller / 8) modules /= 2;
  for (uint32_t slots = LJ_SLOT_CAPACITY_MAX; slots >= SMALLEST_SLOTS; slots /= 2) {
    *layout = lj_layout_of(modules, slots, slots / 8 ? slots / 8 : 1);
    if (layout->bytes <= file && lj_base_bytes(layout) + lj_first_extents_bytes(layout) <= space) {
      lj_add_history(layout, file);
      return true;
    }
  }
  return false;
}

// EAGAIN and EINTR pass; anything else (EFAULT on a full tmpfs, ENOMEM) means that there is no memory.
bool lj_arena_populate(const void *from, uint64_t bytes) {
  if (lj_process.preallocated) return true;
  for (;;) {
    long result = lj_raw3(SYS_madvise, (long)from, (long)bytes, MADV_POPULATE_WRITE);
    if (result == 0) return true;
    if (result != -EINTR && result != -EAGAIN) return false;
  }
}

// Allocates pages on kernels before 5.14 while the descriptor is still open: a fixed number of slots, no growth.
static bool lj_preallocate(int fd, lj_layout *layout) {
  uint32_t slots = layout->slots < PREALLOCATED_SLOTS ? layout->slots : PREALLOCATED_SLOTS;
  uint64_t head = LJ_MODULES_OFFSET + PREALLOCATED_MODULES * sizeof(lj_module);
  if (lj_raw4(SYS_fallocate, fd, 0, 0, (long)head) < 0) return false;
  for (; slots >= SMALLEST_SLOTS; slots /= 2)
    if (lj_raw4(SYS_fallocate, fd, 0, (long)layout->slots_offset, (long)(slots * sizeof(lj_slot))) == 0) break;
  if (slots < SMALLEST_SLOTS) return false;
  uint32_t extents = layout->extents < PREALLOCATED_EXTENTS ? layout->extents : PREALLOCATED_EXTENTS;
  if (lj_raw4(SYS_fallocate, fd, 0, (long)layout->extents_offset, (long)(extents * sizeof(lj_extent))) < 0) extents = 0;
  layout->slots = slots;
  layout->extents = extents;
  layout->modules = PREALLOCATED_MODULES;
  layout->history = 0; // nothing to fall back to: such a kernel gets level `state`
  lj_process.preallocated = true;
  return true;
}

static void lj_write_layout(lj_arena_header *header, const lj_layout *layout) {
  header->magic = LJ_ARENA_MAGIC;
  header->version = LJ_ABI_VERSION;
  header->header_bytes = sizeof(lj_arena_header);
  header->slot_bytes = sizeof(lj_slot);
  header->held_bytes = sizeof(lj_held);
  header->event_bytes = sizeof(lj_event);
  header->module_bytes = sizeof(lj_module);
  header->file_bytes = layout->bytes;
  header->modules_offset = LJ_MODULES_OFFSET;
  header->slots_offset = layout->slots_offset;
  header->extents_offset = layout->extents_offset;
  header->module_capacity = layout->modules;
  header->slot_capacity = layout->slots;
  header->extent_capacity = layout->extents;
  header->history_offset = layout->history_offset;
  header->history_capacity = layout->history;
}

// A leading dot: readers and pruning look for names that begin with "lockjaw-".
static void lj_temporary_name(char *name, size_t bytes) {
  lj_text text = lj_text_in(name, bytes);
  lj_put(&text, ".");
  lj_put(&text, lj_process.file_name);
}

static int lj_create_file(int directory, const char *name) {
  int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = lj_raw_openat(directory, name, flags, 0600);
  if (fd == -EEXIST) { // left by an earlier image of this process that did not get further
    (void)lj_raw3(SYS_unlinkat, directory, (long)name, 0);
    fd = lj_raw_openat(directory, name, flags, 0600);
  }
  return fd;
}

bool lj_arena_publish(int directory) {
  char temporary[sizeof lj_process.file_name + 1];
  lj_temporary_name(temporary, sizeof temporary);
  if (lj_raw4(SYS_renameat, directory, (long)temporary, directory, (long)lj_process.file_name) < 0) {
    (void)lj_raw3(SYS_unlinkat, directory, (long)temporary, 0);
    return false;
  }
  lj_process.has_file = true;
  return true;
}

// Both are for the person who wonders why a process is not covered.
static const char *lj_why_no_memory(long error) {
  return error == -ENOMEM ? "the arena could not be mapped: not enough address space or memory"
                          : "the arena could not be allocated: the file system of the arena directory is full";
}

// The collector's page a second time, where every operation looks for the level (level.h), and the page from which
// history is mapped when it is needed.
static long lj_map_pages_apart(int fd, const lj_layout *layout) {
  long control = lj_raw6(SYS_mmap, (long)&lj_control, LJ_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                         LJ_COLLECTOR_OFFSET);
  if (control != (long)&lj_control) return control;
  if (!layout->history) return 0;
  long page = lj_raw6(SYS_mmap, 0, LJ_PAGE, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, (long)layout->history_offset);
  if (page < 0 && page > -4096) return page;
  lj_process.history_page = (void *)page;
  return 0;
}

// Maps `fd` and makes header, collector page and the first modules usable. NULL: `*reason` says why.
static char *lj_map(int fd, lj_layout *layout, const char **reason) {
  uint64_t base_bytes = lj_base_bytes(layout), extents_bytes = lj_first_extents_bytes(layout);
  long mapped = lj_raw6(SYS_mmap, 0, (long)base_bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (mapped < 0 && mapped > -4096) {
    *reason = lj_why_no_memory(mapped);
    return NULL;
  }
  char *base = (char *)mapped;
  long extents = lj_raw6(SYS_mmap, 0, (long)extents_bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd,
                         (long)layout->extents_offset);
  bool have_extents = !(extents < 0 && extents > -4096);
  long error = have_extents ? 0 : extents;
  if (error == 0) error = lj_raw3(SYS_mprotect, mapped, (long)layout->slots_offset, PROT_READ | PROT_WRITE);
  if (error == 0) {
    error = lj_raw3(SYS_madvise, mapped, LJ_MODULES_OFFSET, MADV_POPULATE_WRITE);
    if (error == -EINVAL) error = lj_preallocate(fd, layout) ? 0 : -ENOSPC;
  }
  if (error == 0) error = lj_map_pages_apart(fd, layout);
  if (error == 0) {
    lj_process.base_bytes = base_bytes;
    lj_process.mapped_bytes = base_bytes + extents_bytes;
    lj_process.slot_chunks[0] = (lj_slot *)(base + layout->slots_offset);
    lj_process.extent_chunks[0] = (lj_extent *)extents;
    return base;
  }
  *reason = lj_why_no_memory(error);
  (void)lj_raw2(SYS_munmap, mapped, (long)base_bytes);
  if (have_extents) (void)lj_raw2(SYS_munmap, extents, (long)extents_bytes);
  return NULL;
}

enum lj_arena_failure lj_arena_create(int directory, char *reason, size_t reason_bytes) {
  lj_layout layout;
  if (!lj_choose_layout(&layout)) {
    lj_copy_text(reason, reason_bytes, "RLIMIT_FSIZE or RLIMIT_AS leaves no room for an arena; raise the limit");
    return LJ_ARENA_REFUSED;
  }
  char temporary[sizeof lj_process.file_name + 1];
  lj_temporary_name(temporary, sizeof temporary);
  int fd = lj_create_file(directory, temporary);
  if (fd < 0) return LJ_ARENA_NO_DIRECTORY;
  const char *why = "the arena file could not be given its size";
  char *base = NULL;
  lj_process.preallocated = false;
  uint64_t bytes = layout.bytes;
  if (lj_raw2(SYS_ftruncate, fd, (long)bytes) == 0) base = lj_map(fd, &layout, &why);
  lj_raw_close(fd);
  if (!base) {
    (void)lj_raw3(SYS_unlinkat, directory, (long)temporary, 0);
    lj_copy_text(reason, reason_bytes, why);
    return LJ_ARENA_REFUSED;
  }
  lj_arena_header *header = (lj_arena_header *)base;
  layout.bytes = bytes;
  lj_write_layout(header, &layout);
  lj_arena_describe(header, LJ_IMAGE_STARTING);
  lj_process.header = header;
  header->ring_operations = lj_process.settings.ring_operations;
  header->ring_mode = lj_process.settings.ring_mode;
  lj_control.page.level = layout.history ? lj_process.settings.level : LJ_LEVEL_STATE;
  lj_process.collector = &lj_control.page;
  lj_process.modules = (lj_module *)(base + header->modules_offset);
  lj_process.free_slots = lj_process.free_extents = 0;
  lj_process.sweep_cursor = 0;
  return LJ_ARENA_OK;
}

void lj_arena_leave_reason(int directory, const char *reason) {
  static lj_arena_header header; // too large for a small stack; set-up runs in one thread
  header = (lj_arena_header){0};
  if (lj_limit(RLIMIT_FSIZE) < LJ_MODULES_OFFSET) return;
  lj_layout layout = lj_layout_of(0, 0, 0);
  lj_write_layout(&header, &layout);
  lj_arena_describe(&header, LJ_IMAGE_DISABLED);
  lj_copy_text(header.reason, sizeof header.reason, reason);
  char temporary[sizeof lj_process.file_name + 1];
  lj_temporary_name(temporary, sizeof temporary);
  int fd = lj_create_file(directory, temporary);
  if (fd < 0) return;
  bool written = lj_raw2(SYS_ftruncate, fd, LJ_MODULES_OFFSET) == 0 &&
                 lj_raw4(SYS_pwrite64, fd, (long)&header, sizeof header, 0) == (long)sizeof header;
  lj_raw_close(fd);
  if (written) (void)lj_arena_publish(directory);
  else (void)lj_raw3(SYS_unlinkat, directory, (long)temporary, 0);
}
