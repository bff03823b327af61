// What this process image knows about itself: one instance, `lj_process`. Written by set-up, which runs in one thread;
// read-only afterwards but for the fields marked atomic. A forked child inherits a copy and sets up anew from it.
#ifndef LOCKJAW_PROCESS_H
#define LOCKJAW_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lockjaw_arena.h"

enum { LJ_PATH_BYTES = 512 };

typedef struct lj_settings {
  char directory[LJ_PATH_BYTES]; // LOCKJAW_DIR; empty: the default of the user at the time
  char runtime_directory[LJ_PATH_BYTES]; // XDG_RUNTIME_DIR
  char session[32];
  char helper[LJ_PATH_BYTES];    // the lockjaw program the watchdog signal starts; empty: none found
  uint32_t level;
  bool log;
} lj_settings;

typedef struct lj_process_state {
  lj_settings settings;
  // The arena of this image; NULL where nothing is recorded.
  lj_arena_header *header;
  lj_collector_page *collector;
  lj_module *modules;
  char *slots;            // lj_slot[slot_capacity]
  lj_extent *extents;
  uint64_t mapped_bytes;
  bool preallocated;      // the kernel cannot populate on demand: pages were allocated at set-up
  bool has_file;          // `directory` and `file_name` name this image's file
  char directory[LJ_PATH_BYTES];
  char file_name[96];
  uint32_t pid;
  uint64_t start_ticks;
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
} lj_process_state;

extern lj_process_state lj_process;

static inline lj_slot *lj_slot_at(uint32_t index) {
  return (lj_slot *)(lj_process.slots + (uint64_t)index * sizeof(lj_slot));
}

static inline uint32_t lj_slot_index(const lj_slot *slot) {
  return (uint32_t)(((uint64_t)(uintptr_t)slot - (uint64_t)(uintptr_t)lj_process.slots) / sizeof(lj_slot));
}

// CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds, through libc's own clock_gettime (the vdso): a preloaded
// clock-faking library does not bend the record.
uint64_t lj_monotonic_ns(void);
uint64_t lj_realtime_ns(void);

static inline uint64_t lj_ticks(void) { return __builtin_ia32_rdtsc(); }

#endif
