// libdw has dwarf_peel_type() and dwarf_aggregate_size() for this. Neither is called: both go round for ever (0.188) where
// an alias is one of itself, be it as a type, an array's element or the type of its index, which a damaged file can say.
#include "dwarf_types.h"

#include <dwarf.h>
#include <string.h>

enum { MAX_DIMENSIONS = 16 };

bool lj_is_alias(Dwarf_Die *type) {
  switch (dwarf_tag(type)) {
  case DW_TAG_typedef: case DW_TAG_const_type: case DW_TAG_volatile_type: case DW_TAG_restrict_type:
  case DW_TAG_atomic_type: case DW_TAG_immutable_type: case DW_TAG_packed_type: case DW_TAG_shared_type:
    return true;
  default:
    return false;
  }
}

bool lj_type_of(Dwarf_Die *die, Dwarf_Die *type) {
  Dwarf_Attribute attribute;
  return dwarf_attr_integrate(die, DW_AT_type, &attribute) && dwarf_formref_die(&attribute, type);
}

bool lj_bare_type_of(Dwarf_Die *die, Dwarf_Die *type) {
  Dwarf_Die at = *die;
  for (int hop = 0; hop < LJ_MAX_TYPE_DEPTH; hop++) {
    if (!lj_type_of(&at, type)) return false;
    if (!lj_is_alias(type)) return true;
    at = *type;
  }
  return false;
}

static bool number(Dwarf_Die *die, unsigned name, Dwarf_Word *value) {
  Dwarf_Attribute attribute;
  return dwarf_attr(die, name, &attribute) && dwarf_formudata(&attribute, value) == 0;
}

// Over all dimensions. Indices begin at 0 in every language whose locks are looked for, unless it is said otherwise.
static bool element_count(Dwarf_Die *array, uint64_t *count) {
  Dwarf_Die child;
  *count = 1;
  if (dwarf_child(array, &child) != 0) return false;
  for (int dimensions = 0; dimensions < MAX_DIMENSIONS; dimensions++) {
    Dwarf_Word own, last, first = 0;
    if (dwarf_tag(&child) != DW_TAG_subrange_type) return false;
    if (!number(&child, DW_AT_count, &own)) {
      (void)number(&child, DW_AT_lower_bound, &first);
      if (!number(&child, DW_AT_upper_bound, &last)) return false;
      own = last - first + 1; // 0 where the last is -1: an array of no elements
    }
    if (__builtin_mul_overflow(*count, own, count)) return false;
    int next = dwarf_siblingof(&child, &child);
    if (next != 0) return next == 1;
  }
  return false;
}

bool lj_type_size(Dwarf_Die *type, uint64_t *bytes) {
  Dwarf_Die at = *type;
  uint64_t elements = 1;
  for (int depth = 0; depth < LJ_MAX_TYPE_DEPTH; depth++) {
    Dwarf_Attribute attribute;
    Dwarf_Word own = 1;
    if (dwarf_attr_integrate(&at, DW_AT_byte_size, &attribute))
      return dwarf_formudata(&attribute, &own) == 0 && !__builtin_mul_overflow(elements, own, bytes);
    int tag = dwarf_tag(&at);
    // Compilers need not say how long a pointer is.
    if (tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type || tag == DW_TAG_rvalue_reference_type)
      return !__builtin_mul_overflow(elements, sizeof(uint64_t), bytes);
    if (tag == DW_TAG_array_type && (dwarf_hasattr(&at, DW_AT_byte_stride) || !element_count(&at, &own))) return false;
    if (tag != DW_TAG_array_type && !lj_is_alias(&at)) return false;
    Dwarf_Die next;
    if (__builtin_mul_overflow(elements, own, &elements) || !lj_type_of(&at, &next)) return false;
    at = next;
  }
  return false;
}

bool lj_is_named(Dwarf_Die *die, const char *const *names, size_t count) {
  const char *name = dwarf_diename(die);
  if (!name) return false;
  size_t length = strcspn(name, "<");
  for (size_t i = 0; i < count; i++) {
    if (strlen(names[i]) == length && strncmp(name, names[i], length) == 0) return true;
  }
  return false;
}
