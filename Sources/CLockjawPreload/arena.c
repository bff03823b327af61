// The arena's file and its pages.
//
// The file is as large as the largest arena may become, sparse, and mapped once without access beyond what is in use:
// mlockall would otherwise allocate all of it. A page becomes accessible in chunks and is allocated by
// MADV_POPULATE_WRITE before its first store, so that a full tmpfs costs records and never a SIGBUS. The descriptor is
// closed as soon as the mapping exists: the program finds no descriptor it did not open.
#define _GNU_SOURCE
#include "arena.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "identity.h"
#include "process.h"
#include "raw.h"
#include "text.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
  SLOTS_PER_CHUNK = 64,         // slots made accessible at once
  EXTENTS_PER_CHUNK = 64,
  PREALLOCATED_SLOTS = 256,     // where the kernel cannot populate on demand
  PREALLOCATED_EXTENTS = 16,
  PREALLOCATED_MODULES = 64,
  SMALLEST_SLOTS = 4,
};

typedef struct lj_layout {
  uint32_t modules, slots, extents;
  uint64_t slots_offset, extents_offset, bytes;
} lj_layout;

static lj_layout lj_layout_of(uint32_t modules, uint32_t slots, uint32_t extents) {
  lj_layout layout = {.modules = modules, .slots = slots, .extents = extents};
  uint64_t module_bytes = (uint64_t)modules * sizeof(lj_module);
  layout.slots_offset = LJ_MODULES_OFFSET + ((module_bytes + LJ_PAGE - 1) & ~(uint64_t)(LJ_PAGE - 1));
  layout.extents_offset = layout.slots_offset + (uint64_t)slots * sizeof(lj_slot);
  layout.bytes = layout.extents_offset + (uint64_t)extents * sizeof(lj_extent);
  return layout;
}

// The soft limit: it is what raises the signal.
static uint64_t lj_limit(int resource) {
  struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
  if (lj_raw4(SYS_prlimit64, 0, resource, 0, (long)&limit) < 0) return UINT64_MAX;
  return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

// The largest layout that a file may be (RLIMIT_FSIZE would raise SIGXFSZ) and that leaves the program seven eighths
// of its address space.
static bool lj_choose_layout(lj_layout *layout) {
  uint64_t budget = lj_limit(RLIMIT_FSIZE), address_space = lj_limit(RLIMIT_AS);
  if (address_space != UINT64_MAX && address_space / 8 < budget) budget = address_space / 8;
  *layout = lj_layout_of(LJ_MODULE_CAPACITY, LJ_SLOT_CAPACITY_MAX, LJ_EXTENT_CAPACITY_MAX);
  if (layout->bytes <= budget) return true;
  uint32_t modules = LJ_MODULE_CAPACITY;
  while (modules > 64 && (uint64_t)modules * sizeof(lj_module) > budget / 8) modules /= 2;
  for (uint32_t slots = LJ_SLOT_CAPACITY_MAX; slots >= SMALLEST_SLOTS; slots /= 2) {
    *layout = lj_layout_of(modules, slots, slots / 8 ? slots / 8 : 1);
    if (layout->bytes <= budget) return true;
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

// Maps `fd` and makes header, collector page and the first modules usable. NULL: `*reason` says why.
static char *lj_map(int fd, lj_layout *layout, const char **reason) {
  long mapped = lj_raw6(SYS_mmap, 0, (long)layout->bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (mapped < 0 && mapped > -4096) {
    *reason = lj_why_no_memory(mapped);
    return NULL;
  }
  char *base = (char *)mapped;
  lj_process.mapped_bytes = layout->bytes;
  long error = lj_raw3(SYS_mprotect, mapped, (long)layout->slots_offset, PROT_READ | PROT_WRITE);
  if (error == 0) {
    error = lj_raw3(SYS_madvise, mapped, LJ_MODULES_OFFSET, MADV_POPULATE_WRITE);
    if (error == -EINVAL) error = lj_preallocate(fd, layout) ? 0 : -ENOSPC;
  }
  if (error == 0) return base;
  *reason = lj_why_no_memory(error);
  (void)lj_raw2(SYS_munmap, mapped, (long)layout->bytes);
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
  lj_process.collector = (lj_collector_page *)(base + LJ_COLLECTOR_OFFSET);
  lj_process.modules = (lj_module *)(base + header->modules_offset);
  lj_process.slots = base + header->slots_offset;
  lj_process.extents = (lj_extent *)(base + header->extents_offset);
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

// Makes the chunk that begins at `index` accessible; harmless when several threads do it.
static bool lj_open_chunk(char *first, uint32_t index, uint32_t capacity, uint32_t per_chunk, uint64_t bytes_each) {
  if (index % per_chunk) return true;
  uint32_t count = capacity - index < per_chunk ? capacity - index : per_chunk;
  char *from = first + index * bytes_each;
  return lj_raw3(SYS_mprotect, (long)from, (long)(count * bytes_each), PROT_READ | PROT_WRITE) == 0;
}

// Several threads may grow at once: each allocates the same next page first, one wins the number, the others go on
// to the one after. So nobody waits and a published count never covers a page that is not there.
static uint32_t lj_grow(uint32_t *count, uint32_t capacity, char *first, uint32_t per_chunk, uint64_t bytes_each) {
  for (;;) {
    uint32_t index = lj_load_acquire32(count);
    if (index >= capacity) return LJ_NO_SLOT;
    if (!lj_open_chunk(first, index, capacity, per_chunk, bytes_each) ||
        !lj_arena_populate(first + index * bytes_each, bytes_each)) {
      lj_count_loss(LJ_LOSS_NO_MEMORY);
      return LJ_NO_SLOT;
    }
    // Release: pairs with the reader's acquire load of the count.
    if (__atomic_compare_exchange_n(count, &index, index + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return index;
  }
}

uint32_t lj_arena_grow_slots(void) {
  return lj_grow(&lj_process.header->slot_count, lj_process.header->slot_capacity, lj_process.slots, SLOTS_PER_CHUNK,
                 sizeof(lj_slot));
}

// The next link may be stale by the time of the exchange; then the tag has changed and the exchange fails. Reading it
// is safe all the same: slots and extents are never unmapped.
uint32_t lj_stack_pop(uint64_t *head, uint32_t (*next_of)(uint32_t link)) {
  uint64_t old = __atomic_load_n(head, __ATOMIC_ACQUIRE), fresh;
  do {
    if (!(uint32_t)old) return 0;
    fresh = ((old >> 32) + 1) << 32 | next_of((uint32_t)old);
  } while (!__atomic_compare_exchange_n(head, &old, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
  return (uint32_t)old;
}

void lj_stack_push(uint64_t *head, uint32_t link, void (*set_next)(uint32_t link, uint32_t next)) {
  uint64_t old = __atomic_load_n(head, __ATOMIC_ACQUIRE), fresh;
  do {
    set_next(link, (uint32_t)old);
    fresh = ((old >> 32) + 1) << 32 | link;
    // Release: pairs with the acquire in lj_stack_pop; the link is written before it can be popped.
  } while (!__atomic_compare_exchange_n(head, &old, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

static uint32_t lj_extent_next(uint32_t link) { return lj_load_relaxed32(&lj_process.extents[link - 1].next); }
static void lj_extent_set_next(uint32_t link, uint32_t next) {
  __atomic_store_n(&lj_process.extents[link - 1].next, next, __ATOMIC_RELAXED);
}

uint32_t lj_extent_claim(uint32_t owner_slot) {
  uint32_t link = lj_stack_pop(&lj_process.free_extents, lj_extent_next);
  if (!link) {
    lj_arena_header *header = lj_process.header;
    uint32_t index = lj_grow(&header->extent_count, header->extent_capacity, (char *)lj_process.extents,
                             EXTENTS_PER_CHUNK, sizeof(lj_extent));
    if (index == LJ_NO_SLOT) return LJ_NO_EXTENT;
    link = index + 1;
  }
  lj_extent *extent = &lj_process.extents[link - 1];
  extent->next = LJ_NO_EXTENT;
  extent->owner_slot = owner_slot;
  for (uint32_t i = 0; i < LJ_HELD_PER_EXTENT; i++) extent->held[i].object = 0;
  return link;
}

void lj_extent_release(uint32_t link) { lj_stack_push(&lj_process.free_extents, link, lj_extent_set_next); }
