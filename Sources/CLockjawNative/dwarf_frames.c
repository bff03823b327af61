// One address → the calls that are there, innermost first.
//
// Rules of this file
//   * The file is not trusted: chains of references, nesting and lists of siblings are followed a bounded number of
//     times, names are cut at a bound. What is not found is left out; nothing here fails.
//   * libdw checks that what it reads lies inside its sections. 12,000 randomly damaged copies of a program found no
//     crash of it (0.188); that is evidence, not proof.
#include "dwarf_file.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INLINE_DEPTH = 64, MAX_BLOCK_DEPTH = 256, MAX_SIBLINGS = 1 << 20, MAX_NAME = 2048 };

lj_dwarf *lj_dwarf_open(const void *image, size_t bytes) {
  elf_version(EV_CURRENT);
  // Writable memory: libelf changes the headers of compressed sections in place when it decompresses them.
  Elf *elf = elf_memory((char *)(uintptr_t)image, bytes);
  if (!elf) return NULL;
  Dwarf *dwarf = elf_kind(elf) == ELF_K_ELF ? dwarf_begin_elf(elf, DWARF_C_READ, NULL) : NULL;
  lj_dwarf *result = dwarf ? calloc(1, sizeof *result) : NULL;
  if (!result) {
    if (dwarf) dwarf_end(dwarf);
    elf_end(elf);
    return NULL;
  }
  result->elf = elf;
  result->dwarf = dwarf;
  return result;
}

void lj_dwarf_set_alternate(lj_dwarf *d, lj_dwarf *alternate) {
  d->alternate = alternate;
  // Left to itself libdw opens the file that has the name, whichever build it is of. All ones is what it remembers when it
  // has looked and found nothing (libdw/dwarf_getalt.c).
  dwarf_setalt(d->dwarf, alternate ? alternate->dwarf : (Dwarf *)-1);
}

bool lj_dwarf_missed_split_unit(const lj_dwarf *d) { return d->missed_split_unit; }
bool lj_dwarf_is_cut_short(const lj_dwarf *d) { return d->index.is_cut_short; }

void lj_dwarf_close(lj_dwarf *d) {
  lj_index_free(&d->index);
  while (d->names) {
    struct composed_name *next = d->names->next;
    free(d->names);
    d->names = next;
  }
  dwarf_end(d->dwarf);
  elf_end(d->elf);
  if (d->alternate) lj_dwarf_close(d->alternate);
  free(d);
}

// Follows abstract_origin and specification: an inlined copy has no name of its own, nor has a member's definition.
static const char *string_attribute(Dwarf_Die *die, unsigned name) {
  Dwarf_Attribute attribute;
  return dwarf_attr_integrate(die, name, &attribute) ? dwarf_formstring(&attribute) : NULL;
}

// Older compilers wrote it under a vendor's number.
static const char *linkage_name(Dwarf_Die *die) {
  const char *name = string_attribute(die, DW_AT_linkage_name);
  return name ? name : string_attribute(die, DW_AT_MIPS_linkage_name);
}

// Of the others (C, assembly, Go, Swift) either there are none, or the linkage name has them: the walk up the tree that
// qualified_name() costs is saved.
static bool has_namespaces(Dwarf_Die *unit) {
  switch (dwarf_srclang(unit)) {
  case DW_LANG_C_plus_plus: case DW_LANG_C_plus_plus_03: case DW_LANG_C_plus_plus_11: case DW_LANG_C_plus_plus_14:
  case DW_LANG_Rust: case DW_LANG_D: case 0x2b /* C++17 */: case 0x2c /* C++20 */:
    return true;
  default:
    return false;
  }
}

// A DIE's own name, led by those of the namespaces and types it is declared in.
static const char *qualified_name(lj_dwarf *d, Dwarf_Die *die) {
  const char *own = dwarf_diename(die);
  if (!own) return NULL;
  // The declaration stands in the type; the definition and its inlined copies refer to it.
  Dwarf_Die declaration = *die;
  for (int hop = 0; hop < 4; hop++) {
    Dwarf_Attribute attribute;
    Dwarf_Die target;
    if (!dwarf_attr(&declaration, DW_AT_abstract_origin, &attribute) && !dwarf_attr(&declaration, DW_AT_specification, &attribute)) break;
    if (!dwarf_formref_die(&attribute, &target)) break;
    declaration = target;
  }
  Dwarf_Die *scopes = NULL;
  int count = dwarf_getscopes_die(&declaration, &scopes);
  char text[MAX_NAME];
  size_t used = 0;
  for (int i = count - 1; i > 0; i--) {
    int tag = dwarf_tag(&scopes[i]);
    bool is_type = tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
    if (!is_type && tag != DW_TAG_namespace && tag != DW_TAG_subprogram) continue;
    const char *part = dwarf_diename(&scopes[i]);
    // gcc gives a lambda's type no name.
    if (!part) part = is_type && strcmp(own, "operator()") == 0 ? "{lambda}" : "(anonymous)";
    int wrote = snprintf(text + used, sizeof text - used, "%s::", part);
    if (wrote < 0 || (size_t)wrote >= sizeof text - used) break;
    used += (size_t)wrote;
  }
  free(scopes);
  if (used == 0) return own;
  size_t length = strlen(own);
  struct composed_name *name = malloc(sizeof *name + used + length + 1);
  if (!name) return own;
  memcpy(name->text, text, used);
  memcpy(name->text + used, own, length + 1);
  name->next = d->names;
  d->names = name;
  return name->text;
}

// The chain of inlined calls at `pc`, outermost first. Returns its length.
static size_t inlined_calls(lj_dwarf_index *index, Dwarf_Die *function, Dwarf_Addr pc, Dwarf_Die *chain) {
  size_t depth = 0;
  Dwarf_Die at = *function;
  for (int level = 0; level < MAX_BLOCK_DEPTH && depth < MAX_INLINE_DEPTH; level++) {
    Dwarf_Die child;
    if (dwarf_child(&at, &child) != 0) return depth;
    bool goes_deeper = false;
    unsigned siblings = 0;
    do {
      int tag = dwarf_tag(&child);
      bool is_call = tag == DW_TAG_inlined_subroutine;
      bool is_block = tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
      if ((is_call || is_block) && lj_index_covers(index, &child, pc)) {
        if (is_call) chain[depth++] = child;
        at = child;
        goes_deeper = true;
        break;
      }
    } while (++siblings < MAX_SIBLINGS && lj_index_step(index) && dwarf_siblingof(&child, &child) == 0);
    if (!goes_deeper) return depth;
  }
  return depth;
}

// Not integrated: a call's line is the inlined copy's own, and its origin's attributes are about the definition.
static int number_attribute(Dwarf_Die *die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value;
  if (!dwarf_attr(die, name, &attribute) || dwarf_formudata(&attribute, &value) != 0 || value > INT32_MAX) return 0;
  return (int)value;
}

static const char *call_file(Dwarf_Die *unit, Dwarf_Die *call) {
  Dwarf_Attribute attribute;
  Dwarf_Word index;
  Dwarf_Files *files;
  size_t count;
  if (!dwarf_attr(call, DW_AT_call_file, &attribute) || dwarf_formudata(&attribute, &index) != 0) return NULL;
  if (dwarf_getsrcfiles(unit, &files, &count) != 0 || index >= count) return NULL;
  return dwarf_filesrc(files, index, NULL, NULL);
}

size_t lj_dwarf_frames(lj_dwarf *d, uint64_t pc, lj_dwarf_frame *frames, size_t capacity) {
  Dwarf_Die unit, function, chain[MAX_INLINE_DEPTH];
  if (capacity == 0 || !lj_index_unit(&d->index, d->dwarf, pc, &unit)) return 0;
  // Lines and directory stand in a split unit's skeleton. Asked for with its own attributes only: libdw would look for the
  // other half by itself.
  Dwarf_Attribute attribute;
  const char *directory = dwarf_attr(&unit, DW_AT_comp_dir, &attribute) ? dwarf_formstring(&attribute) : NULL;
  const char *file = NULL;
  int line = 0;
  Dwarf_Line *row = dwarf_getsrc_die(&unit, pc);
  if (row) {
    file = dwarf_linesrc(row, NULL, NULL);
    if (dwarf_lineno(row, &line) != 0) line = 0;
  }
  bool is_whole = lj_enter_split_unit(&unit);
  d->missed_split_unit |= !is_whole;
  if (!lj_index_function(&d->index, &unit, pc, &function)) {
    // Assembly has lines and no functions; its name comes from the symbol table.
    if (!file) return 0;
    frames[0] = (lj_dwarf_frame){.file = file, .directory = directory, .line = line};
    return 1;
  }
  bool qualifies = is_whole && has_namespaces(&unit);
  // `chain` goes inwards, frames go outwards: the function itself is the last.
  size_t depth = inlined_calls(&d->index, &function, pc, chain), count = 0;
  for (size_t i = depth + 1; i-- > 0 && count < capacity;) {
    Dwarf_Die *die = i == 0 ? &function : &chain[i - 1];
    const char *linkage = linkage_name(die);
    frames[count++] = (lj_dwarf_frame){
        .linkage_name = linkage,
        .name = linkage || !qualifies ? dwarf_diename(die) : qualified_name(d, die),
        .file = file, .directory = directory, .line = line, .is_inlined = i > 0,
    };
    if (i > 0) { // where the next frame out stands is where this one was inlined
      file = call_file(&unit, die);
      line = number_attribute(die, DW_AT_call_line);
    }
  }
  return count;
}
