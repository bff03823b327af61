// Slots and extents: mapped, made accessible, allocated, published, each step no earlier than needed.
//
//   mapped       a chunk at a time (256 slots, 2 MiB; 64 extents; 4 MiB of history): a limit on address space or locked memory that the
//                program sets or has counts mappings, not use
//   accessible   64 at a time, history as much as is asked for; the rest has no access, or mlockall would allocate it
//   allocated    one at a time, before its first store (a full tmpfs would raise SIGBUS)
//   published    by the count in the header
//
// A chunk is mapped without the file's descriptor, which is long closed, and without its name, which a process that
// changed its root or its user can no longer open: mremap with an old size of 0 makes a second mapping of what a
// shared mapping shows (mremap(2)). Each chunk is mapped with one page more, never accessible, whose place in the file
// is the next chunk's beginning; the next chunk is a second mapping of that page, as long as it needs to be. History has
// only such a page at first.
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "arena.h"
#include "level.h"
#include "process.h"
#include "raw.h"

enum { ACCESSIBLE_AT_ONCE = 64 };
_Static_assert(LJ_CHUNK_SLOTS % ACCESSIBLE_AT_ONCE == 0 && LJ_CHUNK_EXTENTS % ACCESSIBLE_AT_ONCE == 0,
               "what is made accessible at once lies in one chunk");

typedef struct lj_region {
  void **chunks;
  void **retired;
  void **page_before; // of the first chunk, where that is not mapped at set-up
  uint32_t chunk_count, per_chunk;
  uint64_t bytes_each;
} lj_region;

static const lj_region lj_slot_region = {
    .chunks = (void **)lj_process.slot_chunks,
    .retired = lj_process.retired.slot_chunks,
    .chunk_count = LJ_SLOT_CAPACITY_MAX / LJ_CHUNK_SLOTS,
    .per_chunk = LJ_CHUNK_SLOTS,
    .bytes_each = sizeof(lj_slot),
};
static const lj_region lj_extent_region = {
    .chunks = (void **)lj_process.extent_chunks,
    .retired = lj_process.retired.extent_chunks,
    .chunk_count = LJ_EXTENT_CAPACITY_MAX / LJ_CHUNK_EXTENTS,
    .per_chunk = LJ_CHUNK_EXTENTS,
    .bytes_each = sizeof(lj_extent),
};

static const lj_region lj_history_region = {
    .chunks = lj_process.history_chunks,
    .retired = lj_process.retired.history_chunks,
    .page_before = &lj_process.history_page,
    .chunk_count = LJ_HISTORY_UNITS_MAX / LJ_CHUNK_UNITS,
    .per_chunk = LJ_CHUNK_UNITS,
    .bytes_each = LJ_HISTORY_UNIT,
};

static uint64_t lj_chunk_bytes(const lj_region *region) { return region->per_chunk * region->bytes_each + LJ_PAGE; }

// The chunk that holds `index`, mapped if it was not; NULL: it cannot be. Of several threads that map it one wins.
static char *lj_chunk_of(const lj_region *region, uint32_t index) {
  uint32_t number = index / region->per_chunk;
  void *chunk = __atomic_load_n(&region->chunks[number], __ATOMIC_ACQUIRE);
  if (chunk) return chunk;
  uint64_t bytes = lj_chunk_bytes(region);
  // Capacities beyond one chunk are whole chunks, so the one before is complete and has its page after the end.
  char *page = number ? (char *)__atomic_load_n(&region->chunks[number - 1], __ATOMIC_ACQUIRE) + bytes - LJ_PAGE
                      : *region->page_before;
  if (!page) return NULL;
  if (lj_load_relaxed64(&lj_process.mapped_bytes) + bytes > lj_limit(RLIMIT_AS) / 8) return NULL;
  long mapped = lj_raw4(SYS_mremap, (long)page, 0, (long)bytes, MREMAP_MAYMOVE);
  if (mapped < 0 && mapped > -4096) return NULL;
  // Release: pairs with the acquire above; readers of published slots come through the count.
  if (!__atomic_compare_exchange_n(&region->chunks[number], &chunk, (void *)mapped, false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE)) {
    (void)lj_raw2(SYS_munmap, mapped, (long)bytes);
    return chunk;
  }
  __atomic_fetch_add(&lj_process.mapped_bytes, bytes, __ATOMIC_RELAXED);
  return (char *)mapped;
}

// Harmless when several threads do it.
static bool lj_make_accessible(const lj_region *region, char *at, uint32_t index, uint32_t capacity) {
  if (index % ACCESSIBLE_AT_ONCE) return true;
  uint32_t count = capacity - index < ACCESSIBLE_AT_ONCE ? capacity - index : ACCESSIBLE_AT_ONCE;
  return lj_raw3(SYS_mprotect, (long)at, (long)(count * region->bytes_each), PROT_READ | PROT_WRITE) == 0;
}

// Several threads may grow at once: each allocates the same next page first, one wins the number, the others go on
// to the one after. So nobody waits and a published count never covers a page that is not there.
static uint32_t lj_grow(const lj_region *region, uint32_t *count, uint32_t capacity) {
  for (;;) {
    uint32_t index = lj_load_acquire32(count);
    if (index >= capacity || lj_quiet) return LJ_NO_SLOT;
    char *chunk = lj_chunk_of(region, index), *at = chunk + index % region->per_chunk * region->bytes_each;
    if (!chunk || !lj_make_accessible(region, at, index, capacity) || !lj_arena_populate(at, region->bytes_each)) {
      lj_count_loss(LJ_LOSS_NO_MEMORY);
      return LJ_NO_SLOT;
    }
    // Release: pairs with the reader's acquire load of the count.
    if (__atomic_compare_exchange_n(count, &index, index + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return index;
  }
}

uint32_t lj_arena_grow_slots(void) {
  return lj_grow(&lj_slot_region, &lj_process.header->slot_count, lj_process.header->slot_capacity);
}

// As lj_grow, but several units at once, side by side in one chunk. What is left of a chunk that is too small for them
// stays unused.
void *lj_history_claim(uint64_t bytes, uint32_t *unit) {
  const lj_region *region = &lj_history_region;
  lj_arena_header *header = lj_process.header;
  uint32_t units = (uint32_t)((bytes + LJ_HISTORY_UNIT - 1) / LJ_HISTORY_UNIT), capacity = header->history_capacity;
  for (;;) {
    uint32_t seen = lj_load_acquire32(&header->history_units), index = seen, left = LJ_CHUNK_UNITS - index % LJ_CHUNK_UNITS;
    if (left < units) index += left;
    if (lj_quiet || units > LJ_CHUNK_UNITS || index > capacity || capacity - index < units) return NULL;
    char *chunk = lj_chunk_of(region, index), *at = chunk + (uint64_t)(index % LJ_CHUNK_UNITS) * LJ_HISTORY_UNIT;
    if (!chunk || lj_raw3(SYS_mprotect, (long)at, (long)units * LJ_HISTORY_UNIT, PROT_READ | PROT_WRITE) != 0 ||
        !lj_arena_populate(at, (uint64_t)units * LJ_HISTORY_UNIT)) {
      lj_count_loss(LJ_LOSS_NO_MEMORY);
      return NULL;
    }
    if (!__atomic_compare_exchange_n(&header->history_units, &seen, index + units, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
      continue;
    *unit = index + 1;
    return at;
  }
}

// The first chunk of extents is a mapping of its own; the first of slots goes with the header.
static uint64_t lj_first_extents_bytes(const lj_arena_header *header) {
  uint32_t extents = header->extent_capacity < LJ_CHUNK_EXTENTS ? header->extent_capacity : LJ_CHUNK_EXTENTS;
  return (uint64_t)extents * sizeof(lj_extent) + LJ_PAGE;
}

static void lj_unmap(void *at, uint64_t bytes) {
  if (at) (void)lj_raw2(SYS_munmap, (long)at, (long)bytes);
}

static void lj_unmap_region(void **chunks, const lj_region *region, uint32_t from, uint64_t first_bytes) {
  for (uint32_t i = from; i < region->chunk_count; i++) {
    lj_unmap(chunks[i], i ? lj_chunk_bytes(region) : first_bytes);
    if (chunks[i]) chunks[i] = NULL;
  }
}

// The parent's page goes; until there is a new arena nobody records at any level.
static void lj_unmap_control(void) {
  (void)lj_raw6(SYS_mmap, (long)&lj_control, LJ_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                0);
}

// Of an arena that nobody has used.
void lj_arena_unmap(void) {
  lj_arena_header *header = lj_process.header;
  lj_process.header = NULL;
  if (!header) return;
  lj_unmap_control();
  lj_unmap_region(lj_extent_region.chunks, &lj_extent_region, 0, lj_first_extents_bytes(header));
  lj_process.slot_chunks[0] = NULL;
  lj_unmap_region(lj_slot_region.chunks, &lj_slot_region, 1, 0);
  lj_unmap_region(lj_history_region.chunks, &lj_history_region, 0, lj_chunk_bytes(&lj_history_region));
  lj_unmap(lj_process.history_page, LJ_PAGE);
  lj_process.history_page = NULL;
  lj_unmap(header, lj_process.base_bytes);
}

// Puts memory of this process's own where [at, at + bytes) shows the parent's arena, with a copy of what lies there of the
// parent's header and of this thread's slot. Pages that nobody touches cost nothing. NULL: it could not, and nothing is
// mapped there.
static void *lj_retire(void *at, uint64_t bytes, const lj_arena_header *header, const lj_slot *slot) {
  enum { ACCESS = PROT_READ | PROT_WRITE, KIND = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE };
  long made = lj_raw6(SYS_mmap, 0, (long)bytes, ACCESS, KIND, -1, 0);
  if (made > 0 || made <= -4096) {
    (void)lj_raw3(SYS_madvise, made, (long)bytes, MADV_NOHUGEPAGE); // three pages, not two megabytes
    uint64_t of_header = (uint64_t)((const char *)header - (char *)at), of_slot = (uint64_t)((const char *)slot - (char *)at);
    if (of_header < bytes) __builtin_memcpy((char *)made + of_header, header, sizeof *header);
    if (slot && of_slot < bytes) {
      lj_slot *copy = (lj_slot *)((char *)made + of_slot);
      __builtin_memcpy(copy, slot, sizeof *copy);
      // Extents are found by their numbers, which mean others from now on.
      copy->held_extent = LJ_NO_EXTENT;
      if (copy->held_count > LJ_HELD_INLINE) copy->held_count = LJ_HELD_INLINE;
    }
    if (lj_raw6(SYS_mremap, made, (long)bytes, (long)bytes, MREMAP_MAYMOVE | MREMAP_FIXED, (long)at, 0) == (long)at)
      return at;
    lj_unmap((void *)made, bytes);
  }
  // No room for both at a time: then what is there begins as zeroes.
  if (lj_raw6(SYS_mmap, (long)at, (long)bytes, ACCESS, KIND | MAP_FIXED, -1, 0) == (long)at) return at;
  lj_unmap(at, bytes);
  return NULL;
}

static void lj_retire_region(const lj_region *region, uint32_t from, uint64_t first_bytes,
                             const lj_arena_header *header, const lj_slot *slot) {
  for (uint32_t i = from; i < region->chunk_count; i++) {
    void *chunk = region->chunks[i];
    if (!chunk) continue;
    region->chunks[i] = NULL;
    region->retired[i] = lj_retire(chunk, i ? lj_chunk_bytes(region) : first_bytes, header, slot);
  }
}

// A signal handler may fork in the middle of an operation of this library; in the child, the operation goes on when the
// handler returns, with the addresses it has. So what the parent's arena was mapped at stays mapped, and no new arena
// comes to lie there. What a grandparent's was mapped at is given up: only a handler within such a handler would return
// to that.
void lj_arena_retire(void) {
  lj_arena_header *header = lj_process.header;
  lj_process.header = NULL;
  if (!header) return;
  lj_unmap_control();
  lj_retired *retired = &lj_process.retired;
  lj_unmap_region(lj_extent_region.retired, &lj_extent_region, 0, retired->first_extents_bytes);
  lj_unmap_region(lj_slot_region.retired, &lj_slot_region, 1, 0);
  lj_unmap_region(lj_history_region.retired, &lj_history_region, 0, lj_chunk_bytes(&lj_history_region));
  lj_unmap(retired->base, retired->base_bytes);

  const lj_slot *slot = lj_thread.epoch == lj_process.epoch ? lj_thread.slot : NULL;
  retired->first_extents_bytes = lj_first_extents_bytes(header);
  retired->base_bytes = lj_process.base_bytes;
  lj_retire_region(&lj_extent_region, 0, retired->first_extents_bytes, header, slot);
  lj_process.slot_chunks[0] = NULL;
  lj_retire_region(&lj_slot_region, 1, 0, header, slot);
  lj_retire_region(&lj_history_region, 0, lj_chunk_bytes(&lj_history_region), header, slot);
  lj_unmap(lj_process.history_page, LJ_PAGE); // never accessible
  lj_process.history_page = NULL;
  retired->base = lj_retire(header, lj_process.base_bytes, header, slot);
}

// The next link may be stale by the time of the exchange; then the tag has changed and the exchange fails. Reading it
// is safe all the same: slots and extents stay mapped.
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

static uint32_t lj_extent_next(uint32_t link) { return lj_load_relaxed32(&lj_extent_at(link)->next); }
static void lj_extent_set_next(uint32_t link, uint32_t next) {
  __atomic_store_n(&lj_extent_at(link)->next, next, __ATOMIC_RELAXED);
}

uint32_t lj_extent_claim(uint32_t owner_slot) {
  uint32_t link = lj_stack_pop(&lj_process.free_extents, lj_extent_next);
  if (!link) {
    lj_arena_header *header = lj_process.header;
    uint32_t index = lj_grow(&lj_extent_region, &header->extent_count, header->extent_capacity);
    if (index == LJ_NO_SLOT) return LJ_NO_EXTENT;
    link = index + 1;
  }
  lj_extent *extent = lj_extent_at(link);
  extent->next = LJ_NO_EXTENT;
  extent->owner_slot = owner_slot;
  for (uint32_t i = 0; i < LJ_HELD_PER_EXTENT; i++) extent->held[i].object = 0;
  return link;
}

void lj_extent_release(uint32_t link) { lj_stack_push(&lj_process.free_extents, link, lj_extent_set_next); }
