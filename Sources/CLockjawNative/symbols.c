// A linear scan, not a sorted table: a report asks for tens of addresses a module, and a table of a large library takes
// longer to sort than to scan that often. Every entry is copied out before it is looked at, as nothing says that a file
// keeps them aligned.
#include "lockjaw_symbols.h"

#include <elf.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 1 << 15 }; // C++ makes names of thousands of bytes

static size_t leading_underscores(const char *name) {
  size_t count = 0;
  while (name[count] == '_') count++;
  return count;
}

static bool is_better(const lj_symbol *candidate, const lj_symbol *best) {
  bool sized = candidate->size != 0, best_sized = best->size != 0;
  if (sized != best_sized) return sized;
  if (candidate->value != best->value) return candidate->value > best->value; // the inner one
  if (candidate->is_exported != best->is_exported) return candidate->is_exported;
  size_t a = leading_underscores(candidate->name), b = leading_underscores(best->name);
  if (a != b) return a < b;
  size_t x = strlen(candidate->name), y = strlen(best->name);
  return x != y ? x < y : strcmp(candidate->name, best->name) < 0;
}

bool lj_find_symbol(const void *symbols, size_t count, const char *strings, size_t string_bytes, uint64_t address,
                    bool wants_variable, lj_symbol *out) {
  bool found = false;
  uint64_t nearest = 0; // start of the closest symbol at or before `address`: where a sizeless one's reach ends
  for (size_t i = 0; i < count; i++) {
    Elf64_Sym symbol;
    memcpy(&symbol, (const char *)symbols + i * sizeof symbol, sizeof symbol);
    // An import has no place here; an absolute symbol is a number, not an address (versions, sizes).
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS || symbol.st_value > address) continue;
    int type = ELF64_ST_TYPE(symbol.st_info);
    bool is_variable = type == STT_OBJECT || type == STT_COMMON;
    bool is_code = type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE;
    if (wants_variable ? !is_variable : !is_code) continue;
    uint64_t within = address - symbol.st_value;
    if (symbol.st_value > nearest) nearest = symbol.st_value;
    if (symbol.st_size != 0 ? within >= symbol.st_size : wants_variable) continue;
    if (symbol.st_name == 0 || symbol.st_name >= string_bytes) continue;
    const char *name = strings + symbol.st_name;
    // The name has to end inside the table, and where it can be looked for a million times.
    size_t room = string_bytes - symbol.st_name;
    if (*name == '\0' || !memchr(name, 0, room < MAX_NAME ? room : MAX_NAME)) continue;
    lj_symbol candidate = {name, symbol.st_value, symbol.st_size, ELF64_ST_BIND(symbol.st_info) != STB_LOCAL};
    if (!found || is_better(&candidate, out)) *out = candidate;
    found = true;
  }
  return found && (out->size != 0 || out->value == nearest);
}

// Hostile names can be deep and long; libiberty limits depth by itself. Not how much it writes: parts of a name refer to
// earlier parts, and thirty that each refer to the one before twice, in 300 bytes, write a billion.
enum { MAX_MANGLED = 8192, MAX_DEMANGLED = 1 << 16 };

typedef int lj_demangler(const char *name, int options, demangle_callbackref write, void *into);

typedef struct lj_demangled {
  char *text;
  size_t length;
  jmp_buf is_too_long;
} lj_demangled;

static void write_part(const char *part, size_t length, void *into) {
  lj_demangled *name = into;
  if (length > MAX_DEMANGLED - 1 - name->length) longjmp(name->is_too_long, 1);
  memcpy(name->text + name->length, part, length);
  name->length += length;
}

// Between the two ends of the jump libiberty keeps what it has on the stack; Rust's form keeps one identifier in memory while
// it writes that.
static char *demangle(lj_demangler *demangler, const char *name, int options) {
  lj_demangled result = {.text = malloc(MAX_DEMANGLED)};
  if (!result.text) return NULL;
  if (setjmp(result.is_too_long) != 0 || !demangler(name, options, write_part, &result)) {
    free(result.text);
    return NULL;
  }
  result.text[result.length] = '\0';
  char *fitting = realloc(result.text, result.length + 1);
  return fitting ? fitting : result.text;
}

char *lj_demangle(const char *name) {
  if (strnlen(name, MAX_MANGLED) == MAX_MANGLED) return NULL;
  // Rust's older form is also a C++ name, so it is asked first. Without DMGL_VERBOSE its hash is left out.
  char *text = demangle(rust_demangle_callback, name, 0);
  if (text) return text;
  return strncmp(name, "_Z", 2) == 0 ? demangle(cplus_demangle_v3_callback, name, DMGL_PARAMS | DMGL_ANSI) : NULL;
}
