// Which local variable is the guard of a lock: names a hold that is known already, and never decides whether there is one.
#ifndef LOCKJAW_DWARF_GUARDS_H
#define LOCKJAW_DWARF_GUARDS_H

#include "lockjaw_dwarf.h"
#include "lockjaw_nullability.h"

LJ_NONNULL_BEGIN

// A frame whose callee has not returned, and how to read the memory its variables are in.
typedef struct lj_frame_values {
  uint64_t registers[16]; // in DWARF's order: rax rdx rcx rbx rsi rdi rbp rsp r8…r15
  uint32_t known;         // a bit for each register
  uint64_t cfa;           // the stack pointer when the frame will have returned; 0: not known
  void *_Nullable context;
  size_t (*_Nullable read)(void *_Nullable context, uint64_t address, void *into, size_t bytes); // returns the bytes it read
} lj_frame_values;

// Strings belong to the lj_dwarf.
typedef struct lj_dwarf_guard {
  const char *name;
  const char *_Nullable file;
  const char *_Nullable directory; // of the compilation, for a relative `file`
  int line;                        // 0: not known
} lj_dwarf_guard;

// Variables in scope at `pc` (an address of the file) that are guards, or have one as a part, and whose guard refers to the
// lock at `lock` (an address of the process); innermost scope first. Those whose place is not described at `pc` are left out.
size_t lj_dwarf_guards(
    lj_dwarf *dwarf, uint64_t pc, const lj_frame_values *frame, uint64_t lock, lj_dwarf_guard *guards, size_t capacity);

LJ_NONNULL_END
#endif
