// Where the wrappers forward to.
//
// Two steps. First libc's own definitions of the default version, read from its symbol table in memory: nothing in that
// can call back into a wrapper. Then dlsym(RTLD_NEXT) for each, and where that is not libc, it takes the place: another
// interposer behind us (a sanitizer's runtime, say) stays in the chain. dlvsym would not do: it passes such a library
// by, whose symbols have no version. dlsym may call an allocator that locks a mutex, which is us again: that call finds
// the table filled.
#define _GNU_SOURCE
#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>

#include "self.h"
#include "text.h"

lj_real_table lj_real;

enum { UNFILLED, FILLED_FROM_LIBC, COMPLETE };
static int lj_real_state = UNFILLED;

typedef struct lj_symbol_tables {
  uintptr_t base;
  const ElfW(Sym) * symbols;
  const char *strings;
  const uint16_t *versions;
  const uint32_t *gnu_hash;
} lj_symbol_tables;

static bool lj_read_tables(lj_symbol_tables *tables, uintptr_t base, uintptr_t dynamic) {
  *tables = (lj_symbol_tables){.base = base};
  for (const ElfW(Dyn) *entry = (const ElfW(Dyn) *)dynamic; entry->d_tag != DT_NULL; entry++) {
    // The loader has already made these absolute where the section is writable; elsewhere they are offsets.
    uintptr_t value = entry->d_un.d_ptr < base ? base + entry->d_un.d_ptr : entry->d_un.d_ptr;
    if (entry->d_tag == DT_SYMTAB) tables->symbols = (const ElfW(Sym) *)value;
    if (entry->d_tag == DT_STRTAB) tables->strings = (const char *)value;
    if (entry->d_tag == DT_VERSYM) tables->versions = (const uint16_t *)value;
    if (entry->d_tag == DT_GNU_HASH) tables->gnu_hash = (const uint32_t *)value;
  }
  return tables->symbols && tables->strings && tables->gnu_hash;
}

static bool lj_find_libc_tables(lj_symbol_tables *tables) {
  Dl_info found;
  if (!dladdr((const void *)(uintptr_t)&gnu_get_libc_version, &found) || !found.dli_fbase) return false;
  uintptr_t base = (uintptr_t)found.dli_fbase;
  const ElfW(Ehdr) *elf = (const ElfW(Ehdr) *)base;
  const ElfW(Phdr) *segments = (const ElfW(Phdr) *)(base + elf->e_phoff);
  for (int i = 0; i < elf->e_phnum; i++)
    if (segments[i].p_type == PT_DYNAMIC) return lj_read_tables(tables, base, base + segments[i].p_vaddr);
  return false;
}

// DT_GNU_HASH: header of four words, a Bloom filter, buckets, then chains of hashes whose lowest bit ends a chain.
static void *lj_lookup(const lj_symbol_tables *tables, const char *name) {
  const uint32_t bucket_count = tables->gnu_hash[0], first = tables->gnu_hash[1], bloom_words = tables->gnu_hash[2];
  const uint32_t *buckets = tables->gnu_hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / 4);
  const uint32_t *chains = buckets + bucket_count;
  uint32_t hash = 5381;
  for (const char *c = name; *c; c++) hash = hash * 33 + (uint8_t)*c;
  if (!bucket_count) return NULL;
  uint32_t index = buckets[hash % bucket_count];
  if (index < first) return NULL;
  for (;; index++) {
    uint32_t entry = chains[index - first];
    const ElfW(Sym) *symbol = &tables->symbols[index];
    // Bit 15 of the version marks a definition that is not the default one: an old ABI.
    bool is_default = !tables->versions || !(tables->versions[index] & 0x8000);
    if ((entry | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF && lj_equal(tables->strings + symbol->st_name, name)) {
      // An IFUNC's value is its resolver, not the function.
      if (ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && is_default) return (void *)(tables->base + symbol->st_value);
    }
    if (entry & 1) return NULL;
  }
}

// What libc has not, and need not be there: dlsym would allocate a message to say that it is not, and leave it for the
// program's dlerror(). The loader's list of objects is in the order in which it looks; this library is not asked.
static void *lj_find_loaded(const char *name) {
  Dl_info self;
  struct link_map *own = NULL;
  if (!dladdr1((const void *)(uintptr_t)&lj_find_loaded, &self, (void **)&own, RTLD_DL_LINKMAP) || !own) return NULL;
  struct link_map *map = own;
  while (map->l_prev) map = map->l_prev;
  for (; map; map = map->l_next) {
    lj_symbol_tables tables;
    void *found =
        map != own && map->l_ld && lj_read_tables(&tables, map->l_addr, (uintptr_t)map->l_ld) ? lj_lookup(&tables, name) : NULL;
    if (found) return found;
  }
  return NULL;
}

static bool lj_is_in_libc(const lj_symbol_tables *tables, const void *function) {
  Dl_info found;
  return dladdr(function, &found) && (uintptr_t)found.dli_fbase == tables->base;
}

void *lj_libc_symbol(const char *name) {
  lj_symbol_tables tables;
  return lj_find_libc_tables(&tables) ? lj_lookup(&tables, name) : NULL;
}

// What a libc without the function would do. Never reached with a glibc the shim can be loaded into.
static int lj_not_implemented(void) { return ENOSYS; }

static bool lj_is_missing(const void *function) { return function == (const void *)(uintptr_t)&lj_not_implemented; }

bool lj_real_is_there(const void *function) { return !lj_is_missing(function); }

void lj_real_ready(void) {
  // Acquire: pairs with the release stores below; the table is read after the state.
  int state = __atomic_load_n(&lj_real_state, __ATOMIC_ACQUIRE);
  if (state == COMPLETE) return;
  if ((lj_thread.flags & LJ_THREAD_LOOKS_UP) && state == FILLED_FROM_LIBC) return;
  lj_symbol_tables tables;
  bool have = lj_find_libc_tables(&tables);
  if (state == UNFILLED) {
    void *found;
#define LJ_REAL(name, result, parameters)                                                       \
  found = have ? lj_lookup(&tables, #name) : NULL;                                              \
  __atomic_store_n((void **)&lj_real.name, found ? found : (void *)(uintptr_t)&lj_not_implemented, __ATOMIC_RELAXED);
#define LJ_OWN(name)
#include "interposed.def"
#undef LJ_REAL
    __atomic_store_n(&lj_real_state, FILLED_FROM_LIBC, __ATOMIC_RELEASE);
  }
  // Several threads may do this at once; they all store the same.
  lj_thread.flags |= LJ_THREAD_LOOKS_UP;
  void *next;
#define LJ_REAL(name, result, parameters)                                                         \
  next = lj_is_missing((void *)(uintptr_t)lj_real.name) ? lj_find_loaded(#name) : dlsym(RTLD_NEXT, #name);    \
  if (next && (!have || !lj_is_in_libc(&tables, next) || lj_is_missing((void *)(uintptr_t)lj_real.name))) \
    __atomic_store_n((void **)&lj_real.name, next, __ATOMIC_RELAXED);
#include "interposed.def"
#undef LJ_REAL
#undef LJ_OWN
  lj_thread.flags &= (uint16_t)~LJ_THREAD_LOOKS_UP;
  if (!lj_is_missing((void *)(uintptr_t)lj_real.syscall)) lj_futex_ready();
  if (!lj_is_missing((void *)(uintptr_t)lj_real.prctl)) lj_prctl_ready();
  __atomic_store_n(&lj_real_state, COMPLETE, __ATOMIC_RELEASE);
}
