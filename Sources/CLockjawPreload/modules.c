// Module list. Entries are only ever appended: a file that was unmapped stays, and a later entry over the same
// addresses wins.
#define _GNU_SOURCE
#include "modules.h"

#include <elf.h>
#include <fcntl.h>

#include "arena.h"
#include "held.h"
#include "process.h"
#include "raw.h"
#include "text.h"

enum { MAPS_BUFFER = 8192, KNOWN_PAGES = 64, FREE_READINGS = 32, HELD_SITES_CHECKED = 4, NOTE_BYTES = 512, SEGMENTS = 24 };
#define LJ_REREAD_NS 1000000000u
// Sites of a JIT compiler that take each other's place in the cache of pages must not cost a reading each.
#define LJ_READING_EVERY_NS 100000000u

static uint32_t lj_reading;          // atomic: 1 while a thread reads
static uint64_t lj_last_read_ns;     // atomic
static uint32_t lj_readings;         // atomic: begun since set-up
static uint64_t lj_known_pages[KNOWN_PAGES]; // atomic: page number << 1 | 1 if not in any module as of the last reading

// Walks ELF notes, which come from a file nobody vouches for: every size is checked before it is used.
static bool lj_take_build_id(lj_module *module, const uint8_t *notes, size_t bytes) {
  for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= bytes;) {
    Elf64_Nhdr note;
    __builtin_memcpy(&note, notes + at, sizeof note);
    size_t name = at + sizeof note, content = name + (((size_t)note.n_namesz + 3) & ~(size_t)3);
    size_t end = content + (((size_t)note.n_descsz + 3) & ~(size_t)3);
    if (content > bytes || end > bytes || end < content) return false;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && lj_equal((const char *)notes + name, "GNU") &&
        note.n_descsz <= sizeof module->build_id) {
      __builtin_memcpy(module->build_id, notes + content, note.n_descsz);
      module->build_id_bytes = note.n_descsz;
      return true;
    }
    at = end;
  }
  return false;
}

// From the mapped image: its first page is the file's. Read through the kernel, because a file truncated after it was
// mapped would raise SIGBUS.
static void lj_read_build_id(lj_module *module) {
  Elf64_Ehdr elf;
  Elf64_Phdr segments[SEGMENTS];
  uint8_t notes[NOTE_BYTES];
  if (!lj_peek(module->start, &elf, sizeof elf) || __builtin_memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0) return;
  unsigned count = elf.e_phnum < SEGMENTS ? elf.e_phnum : SEGMENTS;
  if (elf.e_phentsize != sizeof(Elf64_Phdr)) return;
  if (!lj_peek(module->start + elf.e_phoff, segments, count * sizeof(Elf64_Phdr))) return;
  uint64_t first = 0;
  for (unsigned i = 0; i < count; i++)
    if (segments[i].p_type == PT_LOAD) {
      first = segments[i].p_vaddr - segments[i].p_offset;
      break;
    }
  for (unsigned i = 0; i < count && !module->build_id_bytes; i++) {
    if (segments[i].p_type != PT_NOTE) continue;
    size_t bytes = segments[i].p_filesz < sizeof notes ? segments[i].p_filesz : sizeof notes;
    if (lj_peek(module->start + segments[i].p_vaddr - first, notes, bytes)) (void)lj_take_build_id(module, notes, bytes);
  }
}

static bool lj_is_listed(const lj_module *module) {
  for (uint32_t i = 0; i < lj_process.header->module_count; i++) {
    const lj_module *known = &lj_process.modules[i];
    if (known->start == module->start && known->end == module->end && known->text_start == module->text_start &&
        known->inode == module->inode && known->device_major == module->device_major &&
        known->device_minor == module->device_minor)
      return true;
  }
  return false;
}

// The page first, the entry second, the count last (release): a reader sees whole entries only.
static void lj_append(const lj_module *module, bool maps_header) {
  lj_arena_header *header = lj_process.header;
  if (!module->text_end || lj_is_listed(module)) return;
  uint32_t index = header->module_count;
  lj_module *entry = &lj_process.modules[index];
  if (index >= header->module_capacity) {
    lj_count_loss(LJ_LOSS_MODULES);
    return;
  }
  if ((index * sizeof(lj_module)) % LJ_PAGE == 0 && !lj_arena_populate(entry, LJ_PAGE)) {
    lj_count_loss(LJ_LOSS_MODULES);
    lj_count_loss(LJ_LOSS_NO_MEMORY);
    return;
  }
  *entry = *module;
  if (maps_header) lj_read_build_id(entry);
  lj_store_release32(&header->module_count, index + 1);
}

typedef struct lj_maps_line {
  uint64_t start, end, offset, major, minor, inode;
  bool executable;
  const char *path;
} lj_maps_line;

// "start-end perms offset major:minor inode    path"
static bool lj_parse_maps_line(const char *at, lj_maps_line *line) {
  if (!lj_take_hex(&at, &line->start) || !lj_take(&at, "-") || !lj_take_hex(&at, &line->end) || !lj_take(&at, " "))
    return false;
  if (lj_length(at) < 5) return false;
  line->executable = at[2] == 'x';
  at += 5;
  if (!lj_take_hex(&at, &line->offset) || !lj_take(&at, " ") || !lj_take_hex(&at, &line->major) || !lj_take(&at, ":") ||
      !lj_take_hex(&at, &line->minor) || !lj_take(&at, " ") || !lj_take_decimal(&at, &line->inode))
    return false;
  while (*at == ' ') at++;
  line->path = at;
  return true;
}

typedef struct lj_maps_reading {
  lj_module module;   // being put together from consecutive lines of one file
  bool maps_header;   // its first line maps the file from its beginning
} lj_maps_reading;

// Lines of one file follow each other; memory without a file (.bss) may lie between them and belongs to none.
static void lj_see_line(lj_maps_reading *reading, const lj_maps_line *line) {
  lj_module *module = &reading->module;
  if (line->inode == 0 || line->path[0] != '/') {
    if (lj_equal(line->path, "[stack]") && !lj_process.main_stack_high) lj_process.main_stack_high = line->end;
    return;
  }
  bool same = module->inode == line->inode && module->device_major == line->major && module->device_minor == line->minor;
  if (!same) {
    lj_append(module, reading->maps_header);
    *module = (lj_module){
        .start = line->start,
        .inode = line->inode,
        .device_major = (uint32_t)line->major,
        .device_minor = (uint32_t)line->minor,
    };
    lj_text path = lj_text_in(module->path, sizeof module->path);
    lj_put(&path, line->path);
    module->path_truncated = path.cut;
    reading->maps_header = line->offset == 0;
  }
  module->end = line->end;
  if (line->executable && !module->text_end) {
    module->text_start = line->start;
    module->text_end = line->end;
    module->text_offset = line->offset;
  }
}

static void lj_read_maps(void) {
  static char buffer[MAPS_BUFFER]; // guarded by lj_reading
  int fd = lj_raw_openat(AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return;
  lj_maps_reading reading = {0};
  size_t length = 0;
  for (;;) {
    long got = lj_raw_read(fd, buffer + length, sizeof buffer - length);
    if (got == -4 /* EINTR */) continue;
    if (got <= 0) break;
    length += (size_t)got;
    size_t begin = 0;
    for (size_t i = 0; i < length; i++) {
      if (buffer[i] != '\n') continue;
      buffer[i] = 0;
      lj_maps_line line;
      if (lj_parse_maps_line(buffer + begin, &line)) lj_see_line(&reading, &line);
      begin = i + 1;
    }
    __builtin_memmove(buffer, buffer + begin, length - begin);
    length -= begin;
    if (length == sizeof buffer) length = 0; // a line longer than any path
  }
  lj_raw_close(fd);
  lj_append(&reading.module, reading.maps_header);
}

void lj_modules_read(void) {
  if (__atomic_exchange_n(&lj_reading, 1, __ATOMIC_ACQUIRE)) return;
  lj_read_maps();
  __atomic_store_n(&lj_last_read_ns, lj_monotonic_ns(), __ATOMIC_RELAXED);
  __atomic_fetch_add(&lj_process.header->modules_generation, 1, __ATOMIC_RELEASE);
  __atomic_store_n(&lj_reading, 0, __ATOMIC_RELEASE);
}

static bool lj_is_in_module(uint64_t site) {
  uint32_t count = lj_load_acquire32(&lj_process.header->module_count);
  for (uint32_t i = 0; i < count; i++)
    if (site >= lj_process.modules[i].start && site < lj_process.modules[i].end) return true;
  return false;
}

bool lj_modules_has_code(uint64_t address) {
  uint32_t count = lj_load_acquire32(&lj_process.header->module_count);
  for (uint32_t i = 0; i < count; i++)
    if (address > lj_process.modules[i].text_start && address <= lj_process.modules[i].text_end) return true;
  return false;
}

// Direct-mapped cache by page; a page without a file is remembered as such until the maps may be read again.
static void lj_notice_site(uint64_t site) {
  if (!site) return;
  uint64_t page = site >> 12, *place = &lj_known_pages[page % KNOWN_PAGES];
  uint64_t cached = lj_load_relaxed64(place);
  if (LJ_LIKELY(cached == page << 1)) return;
  uint64_t age_ns = lj_monotonic_ns() - lj_load_relaxed64(&lj_last_read_ns);
  if (cached == (page << 1 | 1) && age_ns < LJ_REREAD_NS) return;
  bool known = lj_is_in_module(site);
  if (!known) {
    // Not remembered: whoever waits here next asks again.
    if (lj_load_relaxed32(&lj_readings) >= FREE_READINGS && age_ns < LJ_READING_EVERY_NS) return;
    __atomic_fetch_add(&lj_readings, 1, __ATOMIC_RELAXED);
    lj_modules_read();
    known = lj_is_in_module(site);
  }
  __atomic_store_n(place, page << 1 | !known, __ATOMIC_RELAXED);
}

void lj_modules_notice(const lj_slot *slot, uint64_t site) {
  if (LJ_UNLIKELY(lj_quiet)) return;
  lj_notice_site(site);
  uint32_t count = slot->held_count < LJ_HELD_INLINE ? slot->held_count : LJ_HELD_INLINE;
  for (uint32_t i = 0; i < count && i < HELD_SITES_CHECKED; i++) lj_notice_site(slot->held[count - 1 - i].site);
}

void lj_modules_reset(void) {
  lj_reading = 0;
  lj_last_read_ns = 0;
  lj_readings = 0;
  __builtin_memset(lj_known_pages, 0, sizeof lj_known_pages);
}
