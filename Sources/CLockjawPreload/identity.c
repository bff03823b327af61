// Clocks, process identity, and the header fields that come from them.
#define _GNU_SOURCE
#include "identity.h"

#include <fcntl.h>
#include <stdbool.h>
#include <time.h>

#include "arena.h"
#include "process.h"
#include "raw.h"
#include "real.h"
#include "text.h"

static int (*lj_clock)(clockid_t, struct timespec *);

// Looked up once; several threads that do so at the same time store the same.
static uint64_t lj_read_clock(clockid_t clock) {
  struct timespec now = {0};
  if (LJ_UNLIKELY(lj_quiet)) {
    // The coarse clocks are read from memory, whatever the clock source, and without the time-stamp counter, which
    // strict seccomp forbids.
    if (!lj_process.has_vdso || !lj_clock) return 0;
    clock = clock == CLOCK_MONOTONIC ? CLOCK_MONOTONIC_COARSE : CLOCK_REALTIME_COARSE;
  }
  if (LJ_UNLIKELY(!lj_clock)) {
    void *found = lj_libc_symbol("clock_gettime");
    lj_clock = found ? (int (*)(clockid_t, struct timespec *))found : clock_gettime;
  }
  (void)lj_clock(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t lj_machine_time_ns(uint64_t monotonic_ns) {
  int64_t shift = lj_process.monotonic_shift_ns;
  // Nothing is before the machine's boot; a deadline may lie beyond what the word holds.
  if (shift >= 0) return monotonic_ns > (uint64_t)shift ? monotonic_ns - (uint64_t)shift : 0;
  uint64_t sum;
  return __builtin_add_overflow(monotonic_ns, 0 - (uint64_t)shift, &sum) ? UINT64_MAX : sum;
}

uint64_t lj_monotonic_ns(void) {
  uint64_t now_ns = lj_read_clock(CLOCK_MONOTONIC);
  return now_ns ? lj_machine_time_ns(now_ns) : 0; // 0 stays "not known"
}
uint64_t lj_realtime_ns(void) { return lj_read_clock(CLOCK_REALTIME); }

// "monotonic  -3000  500000000": seconds, which may be negative, and nanoseconds, which are not.
static bool lj_take_shift(const char **at, const char *clock, int64_t *shift_ns) {
  uint64_t seconds, nanoseconds;
  if (!lj_take(at, clock)) return false;
  while (**at == ' ' || **at == '\t') ++*at;
  bool is_negative = lj_take(at, "-");
  if (!lj_take_decimal(at, &seconds) || seconds > INT64_MAX / 1000000000u - 1) return false;
  while (**at == ' ' || **at == '\t') ++*at;
  if (!lj_take_decimal(at, &nanoseconds) || nanoseconds >= 1000000000u || !lj_take(at, "\n")) return false;
  *shift_ns = (int64_t)(seconds * 1000000000u) * (is_negative ? -1 : 1) + (int64_t)nanoseconds;
  return true;
}

// The file tells of the namespace that children will have. After unshare(2), and before Linux 6.0 also after an exec, that
// is not the process' own; its own is then most likely the machine's.
static bool lj_is_in_the_childrens_time(void) {
  char own[64] = "", childrens[64] = "";
  long a = lj_raw4(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/ns/time", (long)own, sizeof own - 1);
  long b = lj_raw4(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/ns/time_for_children", (long)childrens, sizeof childrens - 1);
  return a > 0 && b > 0 && lj_equal(own, childrens);
}

void lj_find_time_namespace(void) {
  char shifts[256];
  int64_t monotonic_ns = 0, boot_ns = 0;
  const char *at = shifts;
  lj_process.monotonic_shift_ns = lj_process.boot_shift_ns = 0;
  if (lj_raw_read_file("/proc/self/timens_offsets", shifts, sizeof shifts) <= 0) return; // before Linux 5.6
  if (!lj_take_shift(&at, "monotonic", &monotonic_ns) || !lj_take_shift(&at, "boottime", &boot_ns)) return;
  if ((!monotonic_ns && !boot_ns) || !lj_is_in_the_childrens_time()) return;
  lj_process.monotonic_shift_ns = monotonic_ns;
  lj_process.boot_shift_ns = boot_ns;
}

// The kernel counts starts in hundredths of a second, whatever its own tick (USER_HZ).
enum { TICK_NS = 10000000 };

uint64_t lj_start_ticks(uint32_t pid) {
  char path[40], stat[1024];
  lj_text text = lj_text_in(path, sizeof path);
  lj_put(&text, "/proc/");
  if (pid) lj_put_decimal(&text, pid);
  else lj_put(&text, "self");
  lj_put(&text, "/stat");
  long length = lj_raw_read_file(path, stat, sizeof stat);
  if (length <= 0) return 0;
  // The second field is the program's name in parentheses and may hold anything, so count from the last ')'.
  const char *at = stat + length;
  while (at > stat && *at != ')') at--;
  for (int field = 2; field < 22; field++) {
    while (*at && *at != ' ') at++;
    if (!*at) return 0;
    at++;
  }
  uint64_t ticks = 0;
  return lj_take_decimal(&at, &ticks) ? ticks - (uint64_t)(lj_process.boot_shift_ns / TICK_NS) : 0;
}

void lj_read_boot_id(uint8_t boot_id[16]) {
  char text[64];
  __builtin_memset(boot_id, 0, 16);
  if (lj_raw_read_file("/proc/sys/kernel/random/boot_id", text, sizeof text) < 36) return;
  unsigned nibble = 0;
  for (const char *at = text; *at && nibble < 32; at++) {
    unsigned value;
    if (*at >= '0' && *at <= '9') value = (unsigned)(*at - '0');
    else if (*at >= 'a' && *at <= 'f') value = (unsigned)(*at - 'a' + 10);
    else continue;
    boot_id[nibble / 2] = (uint8_t)(boot_id[nibble / 2] << 4 | value);
    nibble++;
  }
}

// "lockjaw-<pid>-<start>-<image>.arena" → image; the name was built from it.
static uint32_t lj_image_number(void) {
  const char *at = lj_process.file_name + lj_length(lj_process.file_name);
  while (at > lj_process.file_name && at[-1] != '-') at--;
  uint64_t number = 0;
  (void)lj_take_decimal(&at, &number);
  return (uint32_t)number;
}

void lj_arena_describe(lj_arena_header *header, uint32_t image_state) {
  static uint8_t boot_id[16]; // the same for every image and child
  static bool have_boot_id;
  if (!have_boot_id) lj_read_boot_id(boot_id);
  have_boot_id = true;
  __builtin_memcpy(header->boot_id, boot_id, sizeof boot_id);
  header->level = lj_process.settings.level;
  header->pid = lj_process.pid;
  header->parent_pid = (uint32_t)lj_raw0(SYS_getppid);
  header->uid = (uint32_t)lj_raw0(SYS_geteuid);
  header->image_number = lj_image_number();
  header->start_ticks = lj_process.start_ticks;
  header->created_realtime_ns = lj_realtime_ns();
  header->created_ns = lj_monotonic_ns(); // and at once the ticks: the first pair of a calibration
  header->tsc_at_creation = lj_ticks();
  header->clock = CLOCK_MONOTONIC;
  header->shim_base = lj_process.shim_base;
  lj_copy_text(header->session, sizeof header->session, lj_process.settings.session);
  long length = lj_raw4(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)header->executable,
                        sizeof header->executable - 1);
  header->executable[length > 0 ? length : 0] = 0;
  length = lj_raw_read_file("/proc/self/cmdline", header->command, sizeof header->command);
  for (long i = 0; i + 1 < length; i++)
    if (!header->command[i]) header->command[i] = ' ';
  lj_store_release32(&header->image_state, image_state);
}
