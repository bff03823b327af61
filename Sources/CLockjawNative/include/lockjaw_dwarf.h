// Source lines and inlined calls out of DWARF, through libdw.
//
// libdw's own dwarf_getscopes() loses inlined calls of Rust programs (0.188), so the tree is walked here: a sorted
// table of each compilation unit's functions, then down through the blocks and inlined calls that cover the address.
#ifndef LOCKJAW_DWARF_H
#define LOCKJAW_DWARF_H

#include "lockjaw_nullability.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

LJ_NONNULL_BEGIN

typedef struct lj_dwarf lj_dwarf;

// `image` is a whole ELF file in memory, and stays there until lj_dwarf_close(). NULL: it has no readable DWARF.
lj_dwarf *_Nullable lj_dwarf_open(const void *image, size_t bytes);
void lj_dwarf_close(lj_dwarf *dwarf);

// Some debug files share names and types through another file, which `.gnu_debugaltlink` names. It belongs to `dwarf` from
// now on, and its image stays as long. NULL: it is not there, and no other file is taken for it; what it has is missing
// then. To be called before anything is asked.
void lj_dwarf_set_alternate(lj_dwarf *dwarf, lj_dwarf *_Nullable alternate);
// Whether something that was asked for stood in another file that is not there (a .dwo file).
bool lj_dwarf_missed_split_unit(const lj_dwarf *dwarf);
// Whether something was not looked for, or not to the end, because the file's debug information asks for more work than any
// one file is given.
bool lj_dwarf_is_cut_short(const lj_dwarf *dwarf);

// Strings belong to the lj_dwarf.
typedef struct lj_dwarf_frame {
  const char *_Nullable linkage_name; // mangled
  const char *_Nullable name;         // as the source has it, with its namespaces and types where there is no linkage name
  const char *_Nullable file;
  const char *_Nullable directory; // of the compilation, for a relative `file`
  int line;                        // 0: not known
  bool is_inlined;
} lj_dwarf_frame;

// The calls that are at `pc` (an address of the file, not of the process), innermost first; 0 where no function
// covers it. The innermost one's line comes from the line table, the others' from the inlined calls.
size_t lj_dwarf_frames(lj_dwarf *dwarf, uint64_t pc, lj_dwarf_frame *frames, size_t capacity);

// How the source reaches `offset` inside the global variable that begins at `address`: "[1].lock" of an array of
// structures, "" for the variable itself. Goes down to a lock and not into it: a lock's own fields are nobody's names.
// `false`: the variable or its type is not described, or a search of bounded length did not find it.
bool lj_dwarf_variable_path(lj_dwarf *dwarf, uint64_t address, uint64_t offset, char *path, size_t bytes);

LJ_NONNULL_END
#endif
