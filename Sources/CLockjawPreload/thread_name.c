// Thread names: a slot takes the kernel's name when it is claimed; a later pthread_setname_np is followed, and prctl (quiet.c).
#define _GNU_SOURCE
#include "thread_name.h"

#include <pthread.h>

#include "process.h"
#include "real.h"
#include "slot.h"

// All 16 bytes, so that a reader never sees the rest of a longer name.
static void lj_slot_name(lj_slot *slot, const char *name) {
  char padded[sizeof slot->name] = {0};
  for (size_t i = 0; i < sizeof padded - 1 && name[i]; i++) padded[i] = name[i];
  __builtin_memcpy(slot->name, padded, sizeof padded);
}

void lj_thread_is_named(const char *name) {
  if (lj_thread.epoch == lj_epoch_page.epoch && lj_thread.slot) lj_slot_name(lj_thread.slot, name);
}

LJ_EXPORT int pthread_setname_np(pthread_t thread, const char *name) {
  lj_slot *mine = lj_enter();
  int result = lj_real.pthread_setname_np(thread, name);
  if (result != 0 || !mine) return result;
  lj_slot *slot = thread == lj_self_pthread() ? mine : lj_slot_of_thread(lj_tid_of((uint64_t)thread));
  if (!slot || slot->pthread != (uint64_t)thread) return result;
  lj_slot_name(slot, name);
  return result;
}
