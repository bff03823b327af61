// Beginning and end of a recorded wait.
//
// The order of stores is the contract with the reader (lockjaw_arena.h): fields, then `seq` odd; at the end `seq` even,
// then everything else. A signal handler on this thread may come in between anywhere and wait itself; what it leaves is
// an even `seq`, higher than before, and its own values in the fields.
#define _GNU_SOURCE
#include "wait.h"

#include <errno.h>
#include <linux/futex.h>

#include "foreign.h"
#include "identity.h"
#include "level.h"
#include "modules.h"
#include "once.h"
#include "process.h"
#include "raw.h"

// The waiter's stack from its own frame upwards: what is left to unwind when the process is dead. Outside the thread's
// known stack (a coroutine, an alternate signal stack) only the rest of the page is known to be there.
static uint32_t lj_copy_stack(lj_slot *slot, uint64_t sp) {
  uint64_t available = LJ_PAGE - (sp & (LJ_PAGE - 1));
  if (sp >= slot->stack_low && sp < slot->stack_high) available = slot->stack_high - sp;
  if (available > LJ_STACK_BYTES) available = LJ_STACK_BYTES;
  available &= ~(uint64_t)7;
  __builtin_memcpy(slot->stack, (const void *)sp, available); // memory.c: no sanitizer checks it
  return (uint32_t)available;
}

static bool lj_is_on_own_stack(const lj_slot *slot, uint64_t address) {
  return address >= slot->stack_low && address < slot->stack_high;
}

// Whether the recorded wait's frame is gone, seen from a frame at `sp`. A handler runs below the frame it interrupts,
// or on another stack; whoever stands above it has left it by longjmp. Below it, the frame may still be gone and its
// place reused: then the number it kept there is no longer the wait's.
static bool lj_wait_is_over(const lj_slot *slot, uint64_t sp) {
  uint64_t waited_at = slot->wait.context.sp;
  bool on_own = lj_is_on_own_stack(slot, sp), waited_on_own = lj_is_on_own_stack(slot, waited_at);
  if (on_own && waited_on_own) {
    if (sp >= waited_at) return true;
    uint64_t frame = slot->wait.frame;
    return frame > sp && lj_is_on_own_stack(slot, frame) && *(const uint64_t *)frame != slot->wait.seq;
  }
  // A handler that interrupts an alternate or coroutine stack runs on that stack, never on the thread's own.
  if (on_own) return true;
  if (waited_on_own) return false;
  return sp >= waited_at && sp - waited_at < 1u << 20;
}

// Far beyond ring_head, so lj_finish_event leaves it alone.
#define LJ_NO_EVENT UINT64_MAX

static void lj_finish_event(lj_slot *slot, uint64_t number, uint64_t begin_ns, uint8_t outcome, uint64_t now_ns) {
  if (number >= slot->ring_head || slot->ring_head - number > slot->ring_capacity) return; // none, or overwritten
  lj_event *event = &slot->ring[number % LJ_RING_INLINE];
  if (event->begin_ns != begin_ns) return;
  event->duration_ns = now_ns - begin_ns;
  event->outcome = outcome;
}

// Ends a wait that nobody will come back to.
static void lj_wait_abandon(lj_slot *slot) {
  lj_finish_event(slot, slot->wait.event, slot->wait.since_ns, LJ_OUTCOME_CANCELLED, lj_monotonic_ns());
  lj_store_release64(&slot->wait.seq, slot->wait.seq + 1);
  // Pairs with the reader's acquire fence: whatever changes after the wait is seen together with the even number.
  __atomic_thread_fence(__ATOMIC_RELEASE);
  slot->interrupted = 0;
}

bool lj_wait_goes_on(lj_slot *slot) {
  if (!lj_wait_is_over(slot, (uint64_t)(uintptr_t)__builtin_frame_address(0))) return true;
  lj_wait_abandon(slot);
  return false;
}

static void lj_fill_wait(lj_slot *slot, lj_wait_scope *scope, const lj_wait_spec *spec, uint64_t now_ns) {
  lj_wait *wait = &slot->wait;
  wait->object = spec->object;
  wait->object2 = spec->object2;
  wait->site = spec->site;
  wait->since_ns = now_ns;
  wait->deadline_ns = spec->deadline_ns;
  wait->futex_op = spec->futex_op;
  wait->futex_value = spec->futex_value;
  wait->owner_tid = spec->owner_tid;
  wait->kind = spec->kind;
  wait->mode = spec->mode;
  wait->context = scope->context;
  wait->depth = scope->nested ? scope->outer.depth + 1 : 1;
  wait->held_mark = slot->held_count;
  wait->frame = (uint64_t)(uintptr_t)scope;
  wait->stack_bytes = lj_copy_stack(slot, scope->context.sp);
  slot->interrupted = 0;
}

// Waits for custom locks and C++ statics are recorded as such and then sleep in whatever way they like: that is not
// another wait. A lock that is taken in between is.
static bool lj_is_means_of(const lj_wait *outer, const lj_wait_spec *inner) {
  if (outer->kind == LJ_KIND_CXX_GUARD) return inner->kind == LJ_KIND_FUTEX && inner->object == outer->object;
  return outer->kind == LJ_KIND_CUSTOM && (inner->kind == LJ_KIND_FUTEX || inner->kind == LJ_KIND_COND ||
                                           inner->kind == LJ_KIND_SEM || inner->kind == LJ_KIND_BARRIER);
}

// Threads made by clone without CLONE_SETTLS run on another's thread-local storage, and so with its slot. A wait of theirs
// there would be its wait in every report, and one that ends while the other sleeps would write to its stack
// (lj_resume_outer). Whoever stands on the slot's own stack is its thread; of others (an alternate stack, a coroutine) the
// kernel knows.
static bool lj_is_anothers(const lj_slot *slot, uint64_t sp) {
  if (LJ_LIKELY(lj_is_on_own_stack(slot, sp))) return false;
  int tid = (int)lj_raw_gettid();
  return tid > 0 && (uint32_t)tid != slot->tid; // negative: in a sandbox
}

void lj_wait_begin(lj_wait_scope *scope, lj_slot *slot, const lj_wait_spec *spec) {
  scope->slot = slot;
  scope->epoch = lj_thread.epoch;
  scope->nested = false;
  scope->hidden = lj_is_anothers(slot, scope->context.sp);
  scope->quiet = spec->quiet;
  if (LJ_UNLIKELY(scope->hidden)) return;
  if (slot->wait.seq & 1) {
    if (lj_wait_is_over(slot, scope->context.sp)) {
      lj_wait_abandon(slot);
    } else if (lj_is_means_of(&slot->wait, spec)) {
      scope->hidden = true;
      return;
    } else {
      // The outer wait goes on below the handler that runs now, but what this thread waits for is the inner one.
      scope->nested = true;
      scope->outer = slot->wait;
      scope->outer_interrupted = slot->interrupted;
      lj_store_release64(&slot->wait.seq, slot->wait.seq + 1);
      __atomic_thread_fence(__ATOMIC_RELEASE); // as in lj_wait_abandon
    }
  }
  if (slot->foreign_pending && !scope->nested) lj_foreign_reconcile(slot);
  if (LJ_UNLIKELY(lj_thread.once != NULL) && !scope->nested) lj_once_prune(slot, scope->context.sp);
  lj_modules_notice(slot, spec->site);

  uint64_t now_ns = lj_monotonic_ns();
  uint64_t number = spec->quiet ? LJ_NO_EVENT : __atomic_fetch_add(&slot->ring_head, 1, __ATOMIC_RELAXED);
  if (!spec->quiet) slot->ring[number % LJ_RING_INLINE] = (lj_event){
      .begin_ns = now_ns,
      .object = spec->object,
      .object2 = spec->object2,
      .site = spec->site,
      .owner_tid = spec->owner_tid,
      .kind = spec->kind,
      .mode = spec->mode,
      .outcome = LJ_OUTCOME_IN_PROGRESS,
  };
  // A handler that waits while the fields are half written leaves its own in them and a higher number: write again.
  uint64_t seq;
  do {
    seq = lj_load_relaxed64(&slot->wait.seq);
    lj_fill_wait(slot, scope, spec, now_ns);
    slot->wait.event = number;
    scope->sequence = seq + 1;
    // Release: pairs with the reader's acquire load of `seq`; the fields are written before it is odd.
  } while (!__atomic_compare_exchange_n(&slot->wait.seq, &seq, seq + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  if (lj_is_detailed() && !spec->quiet) lj_level_wait_begins(slot, &slot->wait);
  // The exchange above is a full fence: it pairs with the one of a collector that sets `wake_mask` and then looks for
  // waits once more. One of the two sees the other.
  lj_ring_bell(spec->wake);
}

// The handler's wait is over: what its thread waits for is again the outer one, under a new number. The copy of the
// stack was the handler's in between; the outer frames have not moved, so it is taken again.
static void lj_resume_outer(lj_slot *slot, lj_wait_scope *scope) {
  uint64_t seq = slot->wait.seq;
  lj_wait *wait = &slot->wait;
  *wait = scope->outer;
  wait->seq = seq;
  wait->stack_bytes = lj_copy_stack(slot, wait->context.sp);
  slot->interrupted = scope->outer_interrupted;
  if (wait->frame) ((lj_wait_scope *)wait->frame)->sequence = seq + 1;
  lj_store_release64(&wait->seq, seq + 1);
}

lj_slot *lj_wait_end(lj_wait_scope *scope, uint8_t outcome, uint64_t *now_ns) {
  lj_slot *slot = scope->slot;
  // A handler forked and this is the child, come back from the parent's wait: the slot is not ours.
  if (scope->epoch != lj_epoch_page.epoch) return NULL;
  uint64_t now = lj_monotonic_ns();
  *now_ns = now;
  if (scope->hidden) return slot;
  // Even already: a longjmp out of a handler inside this wait made somebody else end it.
  if (slot->wait.seq & 1) {
    lj_finish_event(slot, slot->wait.event, slot->wait.since_ns, outcome, now);
    if (lj_is_detailed() && !scope->quiet)
      lj_level_wait_ended(slot, &slot->wait, outcome, now > slot->wait.since_ns ? now - slot->wait.since_ns : 0);
    lj_store_release64(&slot->wait.seq, slot->wait.seq + 1);
    __atomic_thread_fence(__ATOMIC_RELEASE); // as in lj_wait_abandon
  }
  slot->interrupted = 0;
  bool acquired = outcome == LJ_OUTCOME_ACQUIRED || outcome == LJ_OUTCOME_OWNER_DIED;
  if (acquired && !scope->quiet) slot->acquisitions_contended++;
  if (scope->nested) lj_resume_outer(slot, scope);
  return slot;
}

uint8_t lj_outcome_of(int result) {
  switch (result) {
  case 0: return LJ_OUTCOME_ACQUIRED;
  case ETIMEDOUT: return LJ_OUTCOME_TIMEOUT;
  case EINTR: return LJ_OUTCOME_INTERRUPTED;
  case EDEADLK: return LJ_OUTCOME_DEADLOCK;
  case EOWNERDEAD: return LJ_OUTCOME_OWNER_DIED;
  default: return LJ_OUTCOME_ERROR;
  }
}

uint64_t lj_deadline_ns(clockid_t clock, const struct timespec *absolute) {
  if (absolute->tv_sec < 0) return 1;
  uint64_t deadline;
  if (__builtin_mul_overflow((uint64_t)absolute->tv_sec, 1000000000u, &deadline) ||
      __builtin_add_overflow(deadline, (uint64_t)absolute->tv_nsec, &deadline))
    return UINT64_MAX;
  if (clock == CLOCK_MONOTONIC) {
    deadline = lj_machine_time_ns(deadline);
  } else {
    uint64_t wall = lj_realtime_ns(), now = lj_monotonic_ns();
    if (!wall || !now) return UINT64_MAX;
    deadline = deadline > wall ? now + (deadline - wall) : now;
  }
  return deadline ? deadline : 1;
}

void lj_ring_bell(uint32_t classes) {
  lj_collector_page *page = lj_process.collector;
  if (LJ_LIKELY(!(lj_load_relaxed32(&page->wake_mask) & classes))) return;
  if (!lj_exchange32(&page->wake_mask, 0)) return; // another waiter rings
  __atomic_fetch_add(&page->bell, 1, __ATOMIC_SEQ_CST);
  (void)lj_raw3(SYS_futex, (long)&page->bell, FUTEX_WAKE, INT32_MAX); // quiet: the reader looks now and then
}
