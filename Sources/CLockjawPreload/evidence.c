// The file is read, not mapped, and nothing in it is believed: whoever may write to the directory may have changed it.
#define _GNU_SOURCE
#include "evidence.h"

#include <fcntl.h>
#include <stdbool.h>

#include "lockjaw_arena.h"
#include "raw.h"

static bool lj_read_at(int fd, void *into, size_t bytes, uint64_t offset) {
  return lj_raw4(SYS_pread64, fd, (long)into, (long)bytes, (long)offset) == (long)bytes;
}

static enum lj_evidence lj_evidence_of_wait(const lj_wait *wait) {
  if (!(wait->seq & 1)) return LJ_EVIDENCE_NONE;
  switch (wait->kind) {
  case LJ_KIND_MUTEX:
  case LJ_KIND_RWLOCK:
  case LJ_KIND_SPIN:
  case LJ_KIND_ONCE:
  case LJ_KIND_PI_FUTEX: return LJ_EVIDENCE_LOCK;
  default: return LJ_EVIDENCE_WAIT;
  }
}

static enum lj_evidence lj_evidence_of_slots(int fd, const lj_arena_header *header, unsigned *slots_left) {
  enum lj_evidence most = LJ_EVIDENCE_NONE;
  for (uint32_t i = 0; i < header->slot_count && most < LJ_EVIDENCE_LOCK; i++) {
    if (!*slots_left) return LJ_EVIDENCE_LOCK;
    --*slots_left;
    lj_wait wait;
    // In 64 bits nothing overflows: the offset is checked below, a slot is 8 KiB, a number has 32 bits.
    if (!lj_read_at(fd, &wait, sizeof wait, header->slots_offset + (uint64_t)i * sizeof(lj_slot) + offsetof(lj_slot, wait)))
      return most;
    enum lj_evidence evidence = lj_evidence_of_wait(&wait);
    if (evidence > most) most = evidence;
  }
  return most;
}

enum lj_evidence lj_evidence_in(int directory, const char *name, unsigned *slots_left) {
  int fd = lj_raw_openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0) return LJ_EVIDENCE_NONE;
  static lj_arena_header header; // too large for a small stack; set-up runs in one thread
  enum lj_evidence evidence = LJ_EVIDENCE_NONE;
  if (lj_read_at(fd, &header, offsetof(lj_arena_header, session), 0) && header.magic == LJ_ARENA_MAGIC &&
      header.version == LJ_ABI_VERSION && header.slot_bytes == sizeof(lj_slot) && header.slots_offset < INT32_MAX &&
      header.image_state == LJ_IMAGE_LIVE)
    evidence = lj_evidence_of_slots(fd, &header, slots_left);
  lj_raw_close(fd);
  return evidence;
}
