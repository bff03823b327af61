// What an lj_dwarf is made of; private to this room.
#ifndef LOCKJAW_DWARF_FILE_H
#define LOCKJAW_DWARF_FILE_H

#include "dwarf_units.h"
#include "lockjaw_dwarf.h"

#include <libelf.h>

// A name that stands nowhere in the file; kept until the file is closed.
struct composed_name {
  struct composed_name *next;
  char text[];
};

struct lj_dwarf {
  Elf *elf;
  Dwarf *dwarf;
  lj_dwarf_index index;
  struct composed_name *names;
  struct lj_dwarf *alternate;
  bool missed_split_unit;
};

#endif
