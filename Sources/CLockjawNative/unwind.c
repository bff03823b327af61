#define _GNU_SOURCE
#include "lockjaw_unwind.h"

#include <libunwind.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

// Exported by libunwind for its own back ends, declared nowhere in its headers (src/dwarf/Gfind_proc_info-lsb.c).
#define search_unwind_table UNW_OBJ(dwarf_search_unwind_table)
int search_unwind_table(unw_addr_space_t space, unw_word_t ip, unw_dyn_info_t *table, unw_proc_info_t *out, int need_unwind_info,
                        void *argument);

// Reads go through windows: a handful of the source's bytes kept for the next access, which is nearly always a
// neighbour. Without them every word of a live stack would be a system call, and every byte of a table too.
enum { WINDOW_BYTES = 512, WINDOWS = 32 };

// One step decodes one CIE, one FDE and at most a few expressions: hundreds of accesses. What needs more loops.
enum { ACCESSES_PER_STEP = 20000 };

struct window {
  uint64_t start;
  size_t bytes; // readable from `start`; 0: empty
  uint8_t content[WINDOW_BYTES];
};

struct lj_unwinder {
  unw_addr_space_t space;
  struct window windows[WINDOWS];
  // Of the unwinding that goes on.
  const lj_unwind_source *source;
  const lj_registers *registers;
  unsigned accesses;
  bool has_no_table;
  bool is_unreadable; // the first address that was stays in `unreadable`
  uint64_t unreadable;
};

static bool load(struct lj_unwinder *u, uint64_t address, uint64_t *value) {
  if (++u->accesses > ACCESSES_PER_STEP) return false;
  uint64_t start = address & ~(uint64_t)(WINDOW_BYTES - 1);
  struct window *w = &u->windows[(start / WINDOW_BYTES) % WINDOWS];
  if (w->bytes == 0 || w->start != start) {
    w->start = start;
    w->bytes = u->source->read(u->source->context, start, w->content, WINDOW_BYTES);
    if (w->bytes > WINDOW_BYTES) w->bytes = 0;
  }
  uint64_t offset = address - start;
  if (offset + 8 <= w->bytes) {
    memcpy(value, w->content + offset, 8);
    return true;
  }
  // The window begins before what can be read (a stack copy does not begin on a boundary), or the word ends behind
  // it: libunwind reads whole words where a table needs only their first bytes, so the rest may be missing.
  *value = 0;
  if (u->source->read(u->source->context, address, value, 8) > 0) return true;
  // What libunwind tries after a failure says nothing.
  if (!u->is_unreadable && !u->has_no_table) {
    u->is_unreadable = true;
    u->unreadable = address;
  }
  return false;
}

static int access_mem(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write, void *argument) {
  (void)space;
  if (write) return -UNW_EINVAL;
  uint64_t word;
  if (!load(argument, address, &word)) return -UNW_EINVAL;
  *value = word;
  return 0;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value, int write, void *argument) {
  (void)space;
  struct lj_unwinder *u = argument;
  if (write || number < UNW_X86_64_RAX || number > UNW_X86_64_RIP) return -UNW_EBADREG;
  // The first 17 members of lj_registers stand in libunwind's order.
  memcpy(value, (const char *)u->registers + sizeof(uint64_t) * (size_t)number, sizeof *value);
  return 0;
}

static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *out, int need_unwind_info, void *argument) {
  struct lj_unwinder *u = argument;
  // libunwind comes here, and reads the rules it finds, with every signal blocked (its cache is locked meanwhile). A
  // SIGBUS of a guarded file has to get through; the mask is put back by libunwind when it unlocks.
  sigset_t bus;
  sigemptyset(&bus);
  sigaddset(&bus, SIGBUS);
  pthread_sigmask(SIG_UNBLOCK, &bus, NULL);
  lj_unwind_table table;
  int result = -UNW_ENOINFO;
  if (u->source->find_table(u->source->context, ip, &table)) {
    unw_dyn_info_t info = {
        .start_ip = table.start, .end_ip = table.end, .format = UNW_INFO_FORMAT_REMOTE_TABLE,
        .u.rti = {.segbase = table.header, .table_data = table.entries, .table_len = table.count * 8 / sizeof(unw_word_t)},
    };
    result = search_unwind_table(space, ip, &info, out, need_unwind_info, argument);
  }
  if (result < 0) u->has_no_table = true;
  return result;
}

// libunwind takes back itself what search_unwind_table gave (Gparser.c, put_unwind_info).
static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *info, void *argument) {
  (void)space, (void)info, (void)argument;
}

static int no_dynamic_info(unw_addr_space_t space, unw_word_t *list, void *argument) {
  (void)space, (void)list, (void)argument;
  return -UNW_ENOINFO;
}

static int no_float_register(unw_addr_space_t space, unw_regnum_t number, unw_fpreg_t *value, int write, void *argument) {
  (void)space, (void)number, (void)value, (void)write, (void)argument;
  return -UNW_EBADREG;
}

static int no_resume(unw_addr_space_t space, unw_cursor_t *cursor, void *argument) {
  (void)space, (void)cursor, (void)argument;
  return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t space, unw_word_t ip, char *name, size_t bytes, unw_word_t *offset, void *argument) {
  (void)space, (void)ip, (void)name, (void)bytes, (void)offset, (void)argument;
  return -UNW_ENOINFO;
}

lj_unwinder *lj_unwinder_create(void) {
  static unw_accessors_t accessors = {
      .find_proc_info = find_proc_info, .put_unwind_info = put_unwind_info, .get_dyn_info_list_addr = no_dynamic_info,
      .access_mem = access_mem, .access_reg = access_reg, .access_fpreg = no_float_register, .resume = no_resume,
      .get_proc_name = no_name,
  };
  lj_unwinder *u = calloc(1, sizeof *u);
  if (!u) return NULL;
  u->space = unw_create_addr_space(&accessors, 0);
  if (!u->space) {
    free(u);
    return NULL;
  }
  unw_set_caching_policy(u->space, UNW_CACHE_GLOBAL);
  unw_set_cache_size(u->space, 4096, 0);
  return u;
}

void lj_unwinder_destroy(lj_unwinder *u) {
  unw_destroy_addr_space(u->space);
  free(u);
}

size_t lj_unwinder_run(lj_unwinder *u, const lj_unwind_source *source, const lj_registers *registers, lj_unwind_frame *frames,
                       size_t limit, int *end, uint64_t *end_address) {
  u->source = source;
  u->registers = registers;
  u->accesses = 0;
  for (int i = 0; i < WINDOWS; i++) u->windows[i].bytes = 0;
  *end = LJ_UNWIND_INCONSISTENT;
  *end_address = registers->rip;
  unw_cursor_t cursor;
  if (limit == 0 || unw_init_remote(&cursor, u->space, u) != 0) return 0;

  size_t count = 0;
  unw_word_t callee_sp = 0;
  for (;;) {
    unw_word_t pc = 0, sp = 0;
    if (unw_get_reg(&cursor, UNW_REG_IP, &pc) != 0 || unw_get_reg(&cursor, UNW_REG_SP, &sp) != 0) return count;
    // What a signal interrupted stands where it stands, like the innermost frame; so does the trampoline below it,
    // which the kernel and no call has put there.
    bool was_interrupted = count > 0 && unw_is_signal_frame(&cursor) > 0;
    if (was_interrupted) frames[count - 1].is_return_address = false;
    // Stacks grow down: a caller's frame lies above, except where a signal came in on a stack of its own.
    if (count > 0 && sp <= callee_sp && !was_interrupted) return count;
    callee_sp = sp;
    frames[count] = (lj_unwind_frame){.pc = pc, .sp = sp, .is_return_address = count > 0 && !was_interrupted};
    static const unw_regnum_t preserved[] = {UNW_X86_64_RBX, UNW_X86_64_RBP, UNW_X86_64_R12,
                                             UNW_X86_64_R13, UNW_X86_64_R14, UNW_X86_64_R15};
    for (size_t i = 0; i < sizeof preserved / sizeof *preserved; i++) {
      unw_word_t value = 0;
      // A register whose saved copy cannot be read is not worth the frame.
      if (unw_get_reg(&cursor, preserved[i], &value) == 0) frames[count].preserved[i] = value;
    }
    count++;
    *end_address = pc;
    if (count == limit) {
      *end = LJ_UNWIND_LIMIT;
      return count;
    }
    u->accesses = 0;
    u->has_no_table = u->is_unreadable = false;
    int step = unw_step(&cursor);
    bool looped = u->accesses > ACCESSES_PER_STEP;
    // Without a table libunwind goes on along frame pointers, which nothing says are there: a guess, so not taken.
    if (step > 0 && !u->has_no_table && !looped) continue;
    if (u->is_unreadable && !looped) {
      *end = LJ_UNWIND_UNREADABLE;
      *end_address = u->unreadable;
    } else if (u->has_no_table && !looped) {
      *end = LJ_UNWIND_NO_TABLE;
    } else if (step == 0 && !looped) {
      *end = LJ_UNWIND_OUTERMOST;
    }
    return count;
  }
}
