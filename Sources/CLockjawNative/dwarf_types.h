// Types as debug information describes them: followed a bounded number of times, whatever the file says.
#ifndef LOCKJAW_DWARF_TYPES_H
#define LOCKJAW_DWARF_TYPES_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LJ_MAX_TYPE_DEPTH = 32 };

// A typedef or a qualifier: another name of the type it refers to.
bool lj_is_alias(Dwarf_Die *type);
// Of a variable, member, array, pointer or alias, one step. A definition outside its class has its type at the declaration.
bool lj_type_of(Dwarf_Die *die, Dwarf_Die *type);
// The same with aliases peeled off.
bool lj_bare_type_of(Dwarf_Die *die, Dwarf_Die *type);
// `false`: it has no size, or none that a bounded look at it finds.
bool lj_type_size(Dwarf_Die *type, uint64_t *bytes);
// Whether it is called one of `names`; templates and generics without their arguments.
bool lj_is_named(Dwarf_Die *die, const char *const *names, size_t count);

#endif
