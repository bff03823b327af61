// Address of a global variable → how the source reaches a byte inside it.
//
// The type is walked down from the variable: an index for an array, a member for a structure, until a lock is reached or
// something that has no parts. Two members can lie at one address (a structure and its first member): the walk goes on to
// the innermost, because what is looked for is a lock, and a lock stops it.
#include "dwarf_file.h"
#include "dwarf_types.h"

#include <dwarf.h>
#include <stdio.h>
#include <string.h>

// Nothing tells in which unit a variable is described, so units are searched in turn. A program whose units hold more
// top-level declarations than this shows "variable+offset".
enum { MAX_DECLARATIONS = 400000, MAX_NAMESPACES = 16 };

// Only the plain form: one operation that is the address. Thread-local variables and those in registers have others, and
// no address that could be compared.
static bool is_at(Dwarf_Die *variable, uint64_t address) {
  Dwarf_Attribute attribute;
  Dwarf_Op *operations;
  size_t count;
  if (!dwarf_attr(variable, DW_AT_location, &attribute)) return false;
  if (dwarf_getlocation(&attribute, &operations, &count) != 0 || count != 1) return false;
  return operations[0].atom == DW_OP_addr && operations[0].number == address;
}

static bool search(Dwarf_Die *scope, uint64_t address, int depth, unsigned *left, Dwarf_Die *variable) {
  Dwarf_Die child;
  if (depth > MAX_NAMESPACES || dwarf_child(scope, &child) != 0) return false;
  do {
    if (*left == 0) return false;
    --*left;
    int tag = dwarf_tag(&child);
    if (tag == DW_TAG_variable && is_at(&child, address)) {
      *variable = child;
      return true;
    }
    if (tag == DW_TAG_namespace && search(&child, address, depth + 1, left, variable)) return true;
  } while (dwarf_siblingof(&child, &child) == 0);
  return false;
}

static bool find_variable(lj_dwarf *d, uint64_t address, Dwarf_Die *variable) {
  unsigned left = MAX_DECLARATIONS;
  Dwarf_CU *unit = NULL;
  Dwarf_Die die;
  uint8_t type;
  while (left > 0 && dwarf_get_units(d->dwarf, unit, &unit, NULL, &type, &die, NULL) == 0) {
    if (type == DW_UT_compile && search(&die, address, 0, &left, variable)) return true;
  }
  return false;
}

// Locks by the name of their type.
static bool is_lock(Dwarf_Die *type) {
  static const char *const names[] = {
      "pthread_mutex_t", "pthread_rwlock_t", "pthread_cond_t", "pthread_spinlock_t", "pthread_barrier_t", "pthread_once_t",
      "sem_t", "mtx_t", "cnd_t", "once_flag", "mutex", "recursive_mutex", "timed_mutex", "recursive_timed_mutex", "shared_mutex",
      "shared_timed_mutex", "condition_variable", "condition_variable_any", "counting_semaphore", "barrier", "latch", "Mutex",
      "RwLock", "Condvar", "Once", "OnceLock", "ReentrantMutex", "FairMutex",
  };
  return lj_is_named(type, names, sizeof names / sizeof *names);
}

// `false`: no room. Then there is no path at all, since half a path names something else.
static bool append(char **at, size_t *room, const char *text) {
  size_t length = strlen(text);
  if (length >= *room) return false;
  memcpy(*at, text, length + 1);
  *at += length;
  *room -= length;
  return true;
}

// The member or base of a structure that `offset` lies in; `offset` becomes relative to it.
static bool member_at(Dwarf_Die *structure, uint64_t *offset, Dwarf_Die *member) {
  Dwarf_Die child;
  if (dwarf_child(structure, &child) != 0) return false;
  for (unsigned left = 4096; left > 0; left--) {
    int tag = dwarf_tag(&child);
    Dwarf_Attribute attribute;
    Dwarf_Die type;
    Dwarf_Word at;
    uint64_t bytes;
    if ((tag == DW_TAG_member || tag == DW_TAG_inheritance) && dwarf_attr(&child, DW_AT_data_member_location, &attribute) &&
        dwarf_formudata(&attribute, &at) == 0 && lj_type_of(&child, &type) && lj_type_size(&type, &bytes) &&
        *offset >= at && *offset - at < bytes) {
      *offset -= at;
      *member = child;
      return true;
    }
    if (dwarf_siblingof(&child, &child) != 0) return false;
  }
  return false;
}

bool lj_dwarf_variable_path(lj_dwarf *d, uint64_t address, uint64_t offset, char *path, size_t bytes) {
  Dwarf_Die at, type;
  if (bytes == 0) return false;
  *path = '\0';
  if (!find_variable(d, address, &at) || !lj_type_of(&at, &type)) return false;
  for (int depth = 0; depth < LJ_MAX_TYPE_DEPTH; depth++) {
    if (is_lock(&type)) return true;
    int tag = dwarf_tag(&type);
    if (lj_is_alias(&type)) {
      if (!lj_type_of(&type, &at)) return false;
      type = at;
    } else if (tag == DW_TAG_array_type) {
      Dwarf_Die element;
      uint64_t size;
      char index[24];
      // Of several dimensions this gives the index into all of them laid out in a row, which no source says.
      Dwarf_Die first, second;
      bool has_one = dwarf_child(&type, &first) == 0 && dwarf_siblingof(&first, &second) != 0;
      if (!has_one || !lj_type_of(&type, &element) || !lj_type_size(&element, &size) || size == 0) return false;
      snprintf(index, sizeof index, "[%llu]", (unsigned long long)(offset / size));
      if (!append(&path, &bytes, index)) return false;
      offset %= size;
      type = element;
    } else if (tag == DW_TAG_structure_type || tag == DW_TAG_class_type) {
      Dwarf_Die member;
      if (!member_at(&type, &offset, &member)) return false;
      const char *name = dwarf_diename(&member);
      // What is inherited belongs to the structure itself, and so do the members of one without a name.
      if (dwarf_tag(&member) == DW_TAG_member && name) {
        if (!append(&path, &bytes, ".") || !append(&path, &bytes, name)) return false;
      }
      if (!lj_type_of(&member, &type)) return false;
    } else {
      // A number, a pointer, a union: as far as the source has names for it.
      return offset == 0;
    }
  }
  return false;
}
