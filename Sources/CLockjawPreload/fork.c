// A child needs no handler to notice that it is one: its epoch page is wiped (self.h). What a handler is good for is
// the locks it inherits: the classic pattern takes locks before fork() and releases them in parent and child. The
// child's slot starts with `held_lost` at their number, so those releases are understood and its list is known to be
// incomplete until then.
#include "fork.h"

#include "held.h"
#include "process.h"

// glibc's own registration, without the object it belongs to: this library is never unloaded.
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *object);

static void lj_before_fork(void) {
  if (lj_thread.epoch != lj_epoch_page.epoch || !lj_thread.slot) return;
  uint32_t held = lj_thread.slot->held_lost;
  for (uint32_t i = 0; i < lj_thread.slot->held_count; i++) {
    const lj_held *entry = lj_held_entry(lj_thread.slot, i);
    if (entry) held += entry->count;
  }
  lj_thread.unrecorded = held < UINT16_MAX ? (uint16_t)held : UINT16_MAX;
}

static void lj_after_fork_in_parent(void) {
  if (lj_thread.epoch == lj_epoch_page.epoch && lj_thread.slot) lj_thread.unrecorded = 0;
}

void lj_watch_fork(void) { (void)__register_atfork(lj_before_fork, lj_after_fork_in_parent, NULL, NULL); }
