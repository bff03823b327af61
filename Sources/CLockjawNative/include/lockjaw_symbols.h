// Names: ELF symbol tables and demangling.
#ifndef LOCKJAW_SYMBOLS_H
#define LOCKJAW_SYMBOLS_H

#include "lockjaw_nullability.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

LJ_NONNULL_BEGIN

typedef struct lj_symbol {
  const char *_Nullable name; // inside `strings`, zero-terminated there
  uint64_t value;
  uint64_t size;
  bool is_exported; // global or weak, not local
} lj_symbol;

// The symbol that covers `address`, out of `count` Elf64_Sym at `symbols` (no alignment needed) with names in
// `strings`. Of several names for one place, the one people know: exported rather than local, few leading
// underscores, short. A symbol without a size (assembly) covers what lies up to the next symbol.
// Linear in `count`.
bool lj_find_symbol(const void *symbols, size_t count, const char *strings, size_t string_bytes, uint64_t address,
                    bool wants_variable, lj_symbol *out);

// What a C++ or Rust name means in the source, or NULL where it is neither. The caller frees it.
char *_Nullable lj_demangle(const char *name);

LJ_NONNULL_END
#endif
