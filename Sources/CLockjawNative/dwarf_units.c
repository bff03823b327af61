// Address → compilation unit → function.
//
// Units are found through .debug_aranges where that covers the address, which costs no look at the units; else through
// a table of all units' ranges, built once. Functions of a unit are put into a table when the first address in it is
// asked for: a stack leads into few units, and into the same ones again and again.
#include "dwarf_units.h"

#include <dwarf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

// A damaged file can link DIEs in a circle or nest them for ever.
enum { MAX_DEPTH = 64, MAX_DIES_PER_UNIT = 4 << 20 };

bool lj_index_step(lj_dwarf_index *index) {
  if (index->steps >= LJ_MOST_STEPS) {
    index->is_cut_short = true;
    return false;
  }
  index->steps++;
  return true;
}

static void add(lj_dwarf_index *index, lj_die_table *table, Dwarf_Addr low, Dwarf_Addr high, const Dwarf_Die *die) {
  if (low >= high) return;
  if (index->ranges >= LJ_MOST_RANGES) {
    index->is_cut_short = true;
    return;
  }
  if (table->count == table->capacity) {
    size_t capacity = table->capacity ? table->capacity * 2 : 64;
    lj_die_range *grown = realloc(table->ranges, capacity * sizeof *grown);
    if (!grown) return; // the address goes without a name
    table->ranges = grown;
    table->capacity = capacity;
  }
  table->ranges[table->count++] = (lj_die_range){low, high, *die};
  index->ranges++;
}

// A function may lie in several pieces: its cold part is moved away from the rest.
static void add_ranges(lj_dwarf_index *index, lj_die_table *table, Dwarf_Die *die) {
  Dwarf_Addr base, low, high;
  for (ptrdiff_t at = 0; lj_index_step(index) && (at = dwarf_ranges(die, at, &base, &low, &high)) > 0;)
    add(index, table, low, high, die);
}

bool lj_index_covers(lj_dwarf_index *index, Dwarf_Die *die, Dwarf_Addr pc) {
  Dwarf_Addr base, low, high;
  for (ptrdiff_t at = 0; lj_index_step(index) && (at = dwarf_ranges(die, at, &base, &low, &high)) > 0;) {
    if (low <= pc && pc < high) return true;
  }
  return false;
}

static int by_low(const void *a, const void *b) {
  const lj_die_range *x = a, *y = b;
  return x->low < y->low ? -1 : x->low > y->low;
}

static void sort(lj_die_table *table) {
  if (table->count) qsort(table->ranges, table->count, sizeof *table->ranges, by_low);
}

// The range with the highest start that covers `pc`: of nested functions the inner one. Ranges hardly ever nest, so
// looking back a few entries is enough.
static bool find(const lj_die_table *table, Dwarf_Addr pc, Dwarf_Die *die) {
  size_t low = 0, high = table->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (table->ranges[middle].low <= pc) low = middle + 1;
    else high = middle;
  }
  for (size_t back = 0; back < 16 && low > back; back++) {
    const lj_die_range *range = &table->ranges[low - 1 - back];
    if (pc < range->high) {
      *die = range->die;
      return true;
    }
  }
  return false;
}

// clang writes no .debug_aranges unless asked, so a unit may be in the units' own ranges only.
static void build_units(lj_dwarf_index *index, Dwarf *dwarf) {
  index->has_units = true;
  Dwarf_CU *unit = NULL;
  Dwarf_Die die;
  uint8_t type;
  while (dwarf_get_units(dwarf, unit, &unit, NULL, &type, &die, NULL) == 0) {
    // A skeleton's code is described in a file of its own; its ranges stand in the skeleton.
    if (type == DW_UT_compile || type == DW_UT_skeleton) add_ranges(index, &index->units, &die);
  }
  sort(&index->units);
}

static const char *plain_string(Dwarf_Die *die, unsigned name) {
  Dwarf_Attribute attribute;
  return dwarf_attr(die, name, &attribute) ? dwarf_formstring(&attribute) : NULL;
}

// libdw opens whatever a skeleton names, and would wait for ever at a pipe; so it gets to see ordinary files only. That
// the file is the unit's other half, libdw tells from an id that both have.
static bool names_ordinary_file(Dwarf_Die *skeleton) {
  const char *name = plain_string(skeleton, DW_AT_dwo_name);
  if (!name) name = plain_string(skeleton, DW_AT_GNU_dwo_name);
  const char *directory = plain_string(skeleton, DW_AT_comp_dir);
  char path[PATH_MAX];
  struct stat status;
  if (!name || (name[0] != '/' && (!directory || directory[0] != '/'))) return false;
  int length = snprintf(path, sizeof path, "%s%s%s", name[0] == '/' ? "" : directory, name[0] == '/' ? "" : "/", name);
  return length > 0 && (size_t)length < sizeof path && stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

bool lj_enter_split_unit(Dwarf_Die *unit) {
  uint8_t type;
  if (dwarf_cu_info(unit->cu, NULL, &type, NULL, NULL, NULL, NULL, NULL) != 0 || type != DW_UT_skeleton) return true;
  Dwarf_Die split;
  if (!names_ordinary_file(unit) || dwarf_cu_info(unit->cu, NULL, NULL, NULL, &split, NULL, NULL, NULL) != 0 ||
      dwarf_tag(&split) != DW_TAG_compile_unit)
    return false;
  *unit = split;
  return true;
}

bool lj_index_unit(lj_dwarf_index *index, Dwarf *dwarf, Dwarf_Addr pc, Dwarf_Die *unit) {
  // Always first: the table lacks units where the bounds cut it short.
  if (dwarf_addrdie(dwarf, pc, unit)) return true;
  if (!index->has_units) build_units(index, dwarf);
  return find(&index->units, pc, unit);
}

// Functions are declared in namespaces and types, and, by Rust and Swift closures and by C++ local classes, inside other
// functions. Rust puts those of an enumeration's variants deeper still.
static bool may_contain_functions(int tag) {
  switch (tag) {
  case DW_TAG_namespace: case DW_TAG_module: case DW_TAG_structure_type: case DW_TAG_class_type: case DW_TAG_union_type:
  case DW_TAG_interface_type: case DW_TAG_enumeration_type: case DW_TAG_variant_part: case DW_TAG_variant:
  case DW_TAG_lexical_block: case DW_TAG_subprogram:
    return true;
  default:
    return false;
  }
}

// `left` is what remains of the unit's budget of DIEs.
static void collect(lj_dwarf_index *index, lj_die_table *table, Dwarf_Die *parent, int depth, unsigned *left) {
  Dwarf_Die child;
  if (depth > MAX_DEPTH || dwarf_child(parent, &child) != 0) return;
  do {
    if (*left == 0 || !lj_index_step(index)) return;
    --*left;
    int tag = dwarf_tag(&child);
    if (tag == DW_TAG_subprogram) add_ranges(index, table, &child);
    if (may_contain_functions(tag)) collect(index, table, &child, depth + 1, left);
  } while (dwarf_siblingof(&child, &child) == 0);
}

bool lj_index_function(lj_dwarf_index *index, Dwarf_Die *unit, Dwarf_Addr pc, Dwarf_Die *function) {
  for (size_t i = 0; i < index->function_tables; i++) {
    if (index->functions[i].unit == unit->addr) return find(&index->functions[i].functions, pc, function);
  }
  if (index->function_tables == index->function_capacity) {
    size_t capacity = index->function_capacity ? index->function_capacity * 2 : 8;
    lj_unit_functions *grown = realloc(index->functions, capacity * sizeof *grown);
    if (!grown) return false;
    index->functions = grown;
    index->function_capacity = capacity;
  }
  lj_unit_functions *entry = &index->functions[index->function_tables++];
  *entry = (lj_unit_functions){.unit = unit->addr};
  unsigned left = MAX_DIES_PER_UNIT;
  collect(index, &entry->functions, unit, 0, &left);
  sort(&entry->functions);
  return find(&entry->functions, pc, function);
}

void lj_index_free(lj_dwarf_index *index) {
  for (size_t i = 0; i < index->function_tables; i++) free(index->functions[i].functions.ranges);
  free(index->functions);
  free(index->units.ranges);
}
