// Local variables → the guard that refers to a lock.
//
// A variable counts only if its bytes, read where its description says they are, hold a reference to that very lock inside
// a type known as a guard. So a guard of another lock, an empty Option and a variable whose place is lost are passed over.
// A guard that was moved away in the same frame still has its reference: it is named all the same, being where the hold
// began.
//
// Rules of this file: as in dwarf_frames.c, nothing in the file is trusted. Scopes, members and operations are followed a
// bounded number of times, out of the file's budget of steps; bytes of the process are read through the caller's function
// only.
#include "dwarf_file.h"
#include "dwarf_types.h"
#include "lockjaw_dwarf_guards.h"

#include <dwarf.h>
#include <string.h>

enum {
  MAX_SCOPES = 256,
  MAX_SIBLINGS = 1 << 16,
  MAX_VARIABLE_BYTES = 512,
  MAX_NESTING = 12, // of structures
  MAX_MEMBERS = 512, // of one variable, with all its parts
};

// MARK: where a variable is

static bool register_value(const lj_frame_values *frame, unsigned number, uint64_t *value) {
  if (number >= 16 || !(frame->known >> number & 1)) return false;
  *value = frame->registers[number];
  return true;
}

static bool read_all(const lj_frame_values *frame, uint64_t address, void *into, size_t bytes) {
  return frame->read && frame->read(frame->context, address, into, bytes) == bytes;
}

static bool operations_at(Dwarf_Die *die, unsigned name, uint64_t pc, Dwarf_Op **operations, size_t *count) {
  Dwarf_Attribute attribute;
  return dwarf_attr(die, name, &attribute) && dwarf_getlocation_addr(&attribute, pc, operations, count, 1) == 1;
}

static bool frame_base(Dwarf_Die *function, uint64_t pc, const lj_frame_values *frame, uint64_t *base) {
  Dwarf_Op *operations;
  size_t count;
  if (!operations_at(function, DW_AT_frame_base, pc, &operations, &count) || count != 1) return false;
  if (operations[0].atom == DW_OP_call_frame_cfa) {
    *base = frame->cfa;
    return frame->cfa != 0;
  }
  if (operations[0].atom < DW_OP_reg0 || operations[0].atom > DW_OP_reg31) return false;
  return register_value(frame, operations[0].atom - DW_OP_reg0, base);
}

enum place { NOTHING, ADDRESS, VALUE, LOST };

// One operation (DWARF 5, 2.5 and 2.6), of those that compilers write for variables in memory and in registers.
static enum place step(
    const Dwarf_Op *op, enum place place, Dwarf_Die *function, uint64_t pc, const lj_frame_values *frame, uint64_t *value) {
  if (place == LOST) return LOST;
  if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
    if (!register_value(frame, op->atom - DW_OP_breg0, value)) return LOST;
    *value += op->number;
    return ADDRESS;
  }
  if (op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31) {
    return register_value(frame, op->atom - DW_OP_reg0, value) ? VALUE : LOST;
  }
  switch (op->atom) {
  case DW_OP_fbreg:
    if (!frame_base(function, pc, frame, value)) return LOST;
    *value += op->number;
    return ADDRESS;
  case DW_OP_plus_uconst:
    *value += op->number;
    return place == NOTHING ? LOST : place;
  case DW_OP_deref: return place == ADDRESS && read_all(frame, *value, value, sizeof *value) ? ADDRESS : LOST;
  case DW_OP_stack_value: return place == NOTHING ? LOST : VALUE;
  default: return LOST;
  }
}

// The bytes of a variable; of one in pieces those of lost pieces are zero. `false`: there is nothing of it.
static bool bytes_of(
    Dwarf_Die *variable, Dwarf_Die *function, uint64_t pc, const lj_frame_values *frame, uint8_t *bytes, size_t size) {
  Dwarf_Op *operations;
  size_t count, filled = 0;
  if (!operations_at(variable, DW_AT_location, pc, &operations, &count)) return false;
  enum place place = NOTHING;
  uint64_t value = 0;
  bool has_pieces = false;
  for (size_t i = 0; i < count; i++) {
    if (operations[i].atom != DW_OP_piece) {
      place = step(&operations[i], place, function, pc, frame, &value);
      continue;
    }
    has_pieces = true;
    size_t piece = operations[i].number;
    if (piece > size - filled) return false;
    if (place == ADDRESS && !read_all(frame, value, bytes + filled, piece)) memset(bytes + filled, 0, piece);
    if (place == VALUE) memcpy(bytes + filled, &value, piece < 8 ? piece : 8);
    filled += piece;
    place = NOTHING;
  }
  if (has_pieces) return true;
  if (place == ADDRESS) return read_all(frame, value, bytes, size);
  if (place == VALUE) memcpy(bytes, &value, size < 8 ? size : 8);
  return place == VALUE;
}

// MARK: what it refers to

static bool is_guard(Dwarf_Die *type) {
  static const char *const names[] = {
      // Rust std and parking_lot's lock_api
      "MutexGuard", "RwLockReadGuard", "RwLockWriteGuard", "RwLockUpgradableReadGuard", "MappedMutexGuard",
      "MappedRwLockReadGuard", "MappedRwLockWriteGuard", "ReentrantLockGuard", "ReentrantMutexGuard",
      // C++ and boost, abseil
      "lock_guard", "unique_lock", "shared_lock", "scoped_lock", "upgrade_lock", "MutexLock", "ReaderMutexLock",
      "WriterMutexLock", "ReleasableMutexLock",
  };
  return lj_is_named(type, names, sizeof names / sizeof *names);
}

typedef struct {
  lj_dwarf_index *index;
  const uint8_t *bytes;
  size_t size;
  uint64_t lock;
  unsigned members_left;
} lj_guard_search;

static bool refers(lj_guard_search *search, Dwarf_Die *type, uint64_t offset, bool in_guard, int depth);

// Members of a structure, of the cases of a Rust enum, and what is inherited.
static bool member_refers(lj_guard_search *search, Dwarf_Die *structure, uint64_t offset, bool in_guard, int depth) {
  Dwarf_Die child;
  if (depth > MAX_NESTING || dwarf_child(structure, &child) != 0) return false;
  do {
    if (search->members_left == 0 || !lj_index_step(search->index)) return false;
    search->members_left--;
    int tag = dwarf_tag(&child);
    if (tag == DW_TAG_variant_part || tag == DW_TAG_variant) {
      if (member_refers(search, &child, offset, in_guard, depth + 1)) return true;
      continue;
    }
    if (tag != DW_TAG_member && tag != DW_TAG_inheritance) continue;
    Dwarf_Attribute attribute;
    Dwarf_Word at = 0;
    Dwarf_Die type;
    if (dwarf_attr(&child, DW_AT_data_member_location, &attribute) && dwarf_formudata(&attribute, &at) != 0) continue;
    if (at <= MAX_VARIABLE_BYTES && lj_bare_type_of(&child, &type) && refers(search, &type, offset + at, in_guard, depth + 1)) return true;
  } while (dwarf_siblingof(&child, &child) == 0);
  return false;
}

static bool refers(lj_guard_search *search, Dwarf_Die *type, uint64_t offset, bool in_guard, int depth) {
  int tag = dwarf_tag(type);
  if (tag == DW_TAG_structure_type || tag == DW_TAG_class_type) {
    return member_refers(search, type, offset, in_guard || is_guard(type), depth);
  }
  if (!in_guard || (tag != DW_TAG_pointer_type && tag != DW_TAG_reference_type)) return false;
  uint64_t address;
  if (offset > search->size || search->size - offset < sizeof address) return false;
  memcpy(&address, search->bytes + offset, sizeof address);
  // The word lies somewhere in the lock that the guard refers to.
  Dwarf_Die lock;
  int bytes = lj_bare_type_of(type, &lock) ? dwarf_bytesize(&lock) : -1;
  return search->lock - address < (uint64_t)(bytes > 0 ? bytes : 1);
}

// MARK: scopes

static size_t scopes_at(lj_dwarf_index *index, Dwarf_Die *function, uint64_t pc, Dwarf_Die *scopes) {
  size_t count = 1;
  scopes[0] = *function;
  while (count < MAX_SCOPES) {
    Dwarf_Die child;
    if (dwarf_child(&scopes[count - 1], &child) != 0) return count;
    bool goes_deeper = false;
    unsigned siblings = 0;
    do {
      int tag = dwarf_tag(&child);
      bool is_scope = tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block || tag == DW_TAG_try_block ||
                      tag == DW_TAG_catch_block;
      if (is_scope && lj_index_covers(index, &child, pc)) {
        scopes[count++] = child;
        goes_deeper = true;
        break;
      }
    } while (++siblings < MAX_SIBLINGS && lj_index_step(index) && dwarf_siblingof(&child, &child) == 0);
    if (!goes_deeper) return count;
  }
  return count;
}

static const char *directory_of(Dwarf_Die *unit) {
  Dwarf_Attribute attribute;
  return dwarf_attr(unit, DW_AT_comp_dir, &attribute) ? dwarf_formstring(&attribute) : NULL;
}

// Not dwarf_decl_file() (0.188): it ends the process where a split unit's table of files has not been read yet. `directory`
// goes in as that of `unit`; of a function inlined from elsewhere both are its own unit's, by whose table its files count.
static const char *declared_in(Dwarf_Die *unit, Dwarf_Die *variable, const char **directory) {
  Dwarf_Attribute attribute;
  Dwarf_Die own = *unit;
  Dwarf_Word number;
  Dwarf_Files *files;
  size_t count;
  if (!dwarf_attr_integrate(variable, DW_AT_decl_file, &attribute) || dwarf_formudata(&attribute, &number) != 0) return NULL;
  if (attribute.cu != unit->cu) {
    if (!dwarf_cu_die(attribute.cu, &own, NULL, NULL, NULL, NULL, NULL, NULL)) return NULL;
    *directory = directory_of(&own);
  }
  if (dwarf_getsrcfiles(&own, &files, &count) != 0 || number >= count) return NULL;
  return dwarf_filesrc(files, number, NULL, NULL);
}

size_t lj_dwarf_guards(
    lj_dwarf *d, uint64_t pc, const lj_frame_values *frame, uint64_t lock, lj_dwarf_guard *guards, size_t capacity) {
  Dwarf_Die unit, function, scopes[MAX_SCOPES];
  if (!lj_index_unit(&d->index, d->dwarf, pc, &unit)) return 0;
  const char *unit_directory = directory_of(&unit); // it stands in a split unit's skeleton
  d->missed_split_unit |= !lj_enter_split_unit(&unit);
  if (!lj_index_function(&d->index, &unit, pc, &function)) return 0;
  size_t count = 0;
  for (size_t i = scopes_at(&d->index, &function, pc, scopes); i-- > 0;) {
    Dwarf_Die child;
    if (dwarf_child(&scopes[i], &child) != 0) continue;
    unsigned siblings = 0;
    do {
      int tag = dwarf_tag(&child), line = 0;
      Dwarf_Die type;
      uint8_t bytes[MAX_VARIABLE_BYTES] = {0};
      if (tag != DW_TAG_variable && tag != DW_TAG_formal_parameter) continue;
      const char *name = dwarf_diename(&child);
      int size = name && lj_bare_type_of(&child, &type) ? dwarf_bytesize(&type) : -1;
      if (size < 0 || size > MAX_VARIABLE_BYTES || !bytes_of(&child, &function, pc, frame, bytes, (size_t)size)) continue;
      lj_guard_search search = {
          .index = &d->index, .bytes = bytes, .size = (size_t)size, .lock = lock, .members_left = MAX_MEMBERS};
      if (!refers(&search, &type, 0, false, 0)) continue;
      if (count == capacity) return count;
      const char *directory = unit_directory, *file = declared_in(&unit, &child, &directory);
      if (dwarf_decl_line(&child, &line) != 0) line = 0;
      guards[count++] = (lj_dwarf_guard){.name = name, .file = file, .directory = directory, .line = line};
    } while (++siblings < MAX_SIBLINGS && lj_index_step(&d->index) && dwarf_siblingof(&child, &child) == 0);
  }
  return count;
}
