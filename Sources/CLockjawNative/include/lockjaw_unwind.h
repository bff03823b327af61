// libunwind over memory that is handed to it: a copied stack, a module's file, a process that lives.
//
// libunwind's interface is macros over names that depend on the target, which Swift cannot see. What it reads, it
// reads through `read`; how much, is bounded: hostile tables and stacks cost a fixed budget a frame.
#ifndef LOCKJAW_UNWIND_H
#define LOCKJAW_UNWIND_H

#include "lockjaw_nullability.h"
#include "lockjaw_ptrace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

LJ_NONNULL_BEGIN

// Where one module keeps its table: the binary search table of .eh_frame_hdr (LSB, "Exception Frames").
typedef struct lj_unwind_table {
  uint64_t start, end; // code the table speaks for
  uint64_t header;     // address of .eh_frame_hdr: entries are relative to it
  uint64_t entries;    // address of the first entry
  uint64_t count;      // entries of 8 bytes each
} lj_unwind_table;

typedef struct lj_unwind_source {
  void *_Nullable context;
  // Copies up to `bytes` bytes from `address` and returns how many there were.
  size_t (*read)(void *_Nullable context, uint64_t address, void *into, size_t bytes);
  // Whether a module with a table covers `ip`.
  bool (*find_table)(void *_Nullable context, uint64_t ip, lj_unwind_table *out);
} lj_unwind_source;

enum {
  LJ_UNWIND_OUTERMOST = 0,    // the last frame says that it has no caller
  LJ_UNWIND_LIMIT = 1,
  LJ_UNWIND_NO_TABLE = 2,     // `end_address`: the code nobody speaks for
  LJ_UNWIND_UNREADABLE = 3,   // `end_address`: memory that could not be read
  LJ_UNWIND_INCONSISTENT = 4, // `end_address`: the frame whose rules make no sense, or go on for ever
};

typedef struct lj_unwind_frame {
  uint64_t pc;
  uint64_t sp;
  bool is_return_address; // `pc` lies behind the call, not on it
  // What the frame will find in the registers that a call preserves: rbx rbp r12 r13 r14 r15. Zero: not known.
  uint64_t preserved[6];
} lj_unwind_frame;

// One for a process: rules that were decoded once are remembered. NULL: out of memory.
typedef struct lj_unwinder lj_unwinder;
lj_unwinder *_Nullable lj_unwinder_create(void);
void lj_unwinder_destroy(lj_unwinder *unwinder);

// Writes up to `limit` frames, innermost first, and returns how many. `end` becomes LJ_UNWIND_*.
size_t lj_unwinder_run(lj_unwinder *unwinder, const lj_unwind_source *source, const lj_registers *registers,
                       lj_unwind_frame *frames, size_t limit, int *end, uint64_t *end_address);

LJ_NONNULL_END
#endif
