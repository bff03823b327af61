// Which compilation unit and which function an address belongs to.
#ifndef LOCKJAW_DWARF_UNITS_H
#define LOCKJAW_DWARF_UNITS_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  Dwarf_Addr low, high;
  Dwarf_Die die;
} lj_die_range;

// Sorted by `low` once complete.
typedef struct {
  lj_die_range *ranges;
  size_t count, capacity;
} lj_die_table;

typedef struct {
  const void *unit; // where its DIE is: offsets repeat from file to file
  lj_die_table functions;
} lj_unit_functions;

// What may be done for one file in all, whatever it says: a list of ranges can be as long as the file and belong to every
// function in it. Looking at a range or at a DIE is one step.
enum { LJ_MOST_STEPS = 32 << 20, LJ_MOST_RANGES = 4 << 20 };

typedef struct {
  unsigned steps;       // taken
  size_t ranges;        // kept, over all tables
  bool has_units;
  bool is_cut_short;    // a bound ended a look at the file: what is not found may be there
  lj_die_table units;
  lj_unit_functions *functions;
  size_t function_tables, function_capacity;
} lj_dwarf_index;

// The unit of `pc`. Of one that is split over two files it is the skeleton.
bool lj_index_unit(lj_dwarf_index *index, Dwarf *dwarf, Dwarf_Addr pc, Dwarf_Die *unit);
// The half of a split unit that has the functions: `unit` becomes it, where its file is there. `false`: it is not.
bool lj_enter_split_unit(Dwarf_Die *unit);
bool lj_index_function(lj_dwarf_index *index, Dwarf_Die *unit, Dwarf_Addr pc, Dwarf_Die *function);
// Whether the DIE's code covers `pc`. `false` also when there are no steps left.
bool lj_index_covers(lj_dwarf_index *index, Dwarf_Die *die, Dwarf_Addr pc);
// Takes a step; `false`: there is none left.
bool lj_index_step(lj_dwarf_index *index);
void lj_index_free(lj_dwarf_index *index);

#endif
