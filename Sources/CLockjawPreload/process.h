// What this process image knows about itself: one instance, `lj_process`. Written by set-up, which runs in one thread;
// read-only afterwards but for the fields marked atomic. A forked child inherits a copy and sets up anew from it.
#ifndef LOCKJAW_PROCESS_H
#define LOCKJAW_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "lockjaw_arena.h"
#include "raw.h"

enum { LJ_PATH_BYTES = 512, LJ_CHUNK_SLOTS = 256, LJ_CHUNK_EXTENTS = 64, LJ_CHUNK_UNITS = 512 };

typedef struct lj_settings {
  char directory[LJ_PATH_BYTES]; // LOCKJAW_DIR; empty: the default of the user at the time
  char runtime_directory[LJ_PATH_BYTES]; // XDG_RUNTIME_DIR
  char session[32];
  char helper[LJ_PATH_BYTES];    // the lockjaw program the watchdog signal starts; empty: none found
  uint32_t level;           // LJ_LEVEL_*
  uint32_t ring_operations; // a power of two
  uint32_t ring_mode;       // LJ_RING_*
  bool clock_is_monotonic;  // LOCKJAW_CLOCK: operations are dated by CLOCK_MONOTONIC whatever the processor promises
  bool log;
  bool keep; // the arena outlives also a process that ends well
} lj_settings;

// Memory in place of a parent's mappings (chunks.c).
typedef struct lj_retired {
  void *base;
  uint64_t base_bytes, first_extents_bytes;
  void *slot_chunks[LJ_SLOT_CAPACITY_MAX / LJ_CHUNK_SLOTS];
  void *extent_chunks[LJ_EXTENT_CAPACITY_MAX / LJ_CHUNK_EXTENTS];
  void *history_chunks[LJ_HISTORY_UNITS_MAX / LJ_CHUNK_UNITS];
} lj_retired;

typedef struct lj_process_state {
  lj_settings settings;
  // The arena of this image; NULL where nothing is recorded.
  lj_arena_header *header;
  lj_collector_page *collector;
  lj_module *modules;
  // Slots and extents are mapped a chunk at a time (chunks.c); each pointer is atomic, NULL until needed.
  lj_slot *slot_chunks[LJ_SLOT_CAPACITY_MAX / LJ_CHUNK_SLOTS];
  lj_extent *extent_chunks[LJ_EXTENT_CAPACITY_MAX / LJ_CHUNK_EXTENTS];
  void *history_chunks[LJ_HISTORY_UNITS_MAX / LJ_CHUNK_UNITS];
  void *history_page;     // a mapping of the history's first page, from which its first chunk is made; NULL: none
  uint64_t base_bytes;    // of the mapping that begins with the header
  lj_retired retired;     // of the image that forked this one; all NULL in one that was not forked
  uint64_t mapped_bytes;  // atomic: of all mappings
  bool preallocated;      // the kernel cannot populate on demand: pages were allocated at set-up
  bool has_file;          // `directory` and `file_name` name this image's file
  char directory[LJ_PATH_BYTES];
  char file_name[96];
  uint32_t pid;
  uint64_t start_ticks;
  int64_t monotonic_shift_ns; // of this process' time namespace against the machine's own (identity.c)
  int64_t boot_shift_ns;
  uint32_t epoch;         // the last epoch of this line of descent
  bool was_set_up;        // the constructor has run, here or in a parent
  bool offsets_hold;      // struct pthread is laid out as the shim expects (checked once)
  uint64_t main_stack_low, main_stack_high;
  int key;                // of the thread-exit destructor; -1: none
  uint64_t free_slots;    // atomic: tag << 32 | slot index + 1
  uint64_t free_extents;  // atomic: tag << 32 | extent index + 1
  uint32_t sweep_cursor;  // atomic
  uint64_t early_losses[LJ_LOSS_COUNT]; // atomic: before there was an arena
  uint64_t shim_base;
  uint64_t quiet_ticks;   // atomic: see lj_ticks
  bool has_vdso;          // clock_gettime of a coarse clock is surely no system call
} lj_process_state;

extern lj_process_state lj_process;

// Of a published slot or extent: the acquire load of the count that covers it makes its chunk visible.
static inline lj_slot *lj_slot_at(uint32_t index) {
  return __atomic_load_n(&lj_process.slot_chunks[index / LJ_CHUNK_SLOTS], __ATOMIC_RELAXED) + index % LJ_CHUNK_SLOTS;
}
static inline lj_extent *lj_extent_at(uint32_t link) {
  uint32_t index = link - 1;
  return __atomic_load_n(&lj_process.extent_chunks[index / LJ_CHUNK_EXTENTS], __ATOMIC_RELAXED) +
         index % LJ_CHUNK_EXTENTS;
}

// `ring_offset` says where in the file a claimed slot is.
static inline uint64_t lj_ring_offset(uint32_t index) {
  return lj_process.header->slots_offset + (uint64_t)index * sizeof(lj_slot) + offsetof(lj_slot, ring);
}
static inline uint32_t lj_slot_index(const lj_slot *slot) {
  return (uint32_t)((slot->ring_offset - lj_ring_offset(0)) / sizeof(lj_slot));
}

// CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds, through libc's own clock_gettime (the vdso): a preloaded
// clock-faking library does not bend the record. Monotonic time is the machine's, whatever time namespace this is
// (identity.h): a reader elsewhere compares it with its own.
uint64_t lj_monotonic_ns(void);
uint64_t lj_realtime_ns(void);

// Copies from this process' own memory by way of the kernel, for addresses that nobody vouches for: a fault becomes an error.
// Returns what process_vm_readv(2) does; lj_peek, whether all of it was there.
static inline long lj_try_peek(uint64_t address, void *to, size_t bytes) {
  struct iovec local = {to, bytes}, remote = {(void *)address, bytes};
  return lj_raw6(SYS_process_vm_readv, lj_process.pid, (long)&local, 1, (long)&remote, 1, 0);
}
static inline bool lj_peek(uint64_t address, void *to, size_t bytes) {
  return lj_try_peek(address, to, bytes) == (long)bytes;
}

// Order only. The instruction faults under strict seccomp, so a quiet process counts on from where it was.
static inline uint64_t lj_ticks(void) {
  if (__builtin_expect(lj_quiet, 0)) return __atomic_add_fetch(&lj_process.quiet_ticks, 1, __ATOMIC_RELAXED);
  return __builtin_ia32_rdtsc();
}

#endif
