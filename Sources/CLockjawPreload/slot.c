// Slots: who has which, from a thread's first operation to its end, and what happens to those nobody came back for.
//
// A slot's `phase` is its lock: FREE → CLAIMING → LIVE by its thread, LIVE → CLAIMING by whoever finds that thread
// gone, EXITED_HOLDING → CLAIMING by whoever releases what it held or needs the place. Each step away from LIVE or
// EXITED_HOLDING is a compare-and-swap, so one thread wins and nobody waits.
#define _GNU_SOURCE
#include "slot.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "arena.h"
#include "held.h"
#include "level.h"
#include "once.h"
#include "process.h"
#include "raw.h"
#include "real.h"
#include "setup.h"
#include "signals.h"

__thread lj_thread_state lj_thread = {.epoch = LJ_EPOCH_UNCLAIMED};
lj_wiped_page lj_epoch_page __attribute__((aligned(LJ_PAGE)));

enum {
  // Offsets in glibc's struct pthread, x86-64, 2.34 to at least 2.36; nothing is believed without a check.
  PTHREAD_TID = 0x2d0,
  PTHREAD_STACK_BLOCK = 0x690,
  PTHREAD_STACK_BLOCK_SIZE = 0x698,
  // Keys below this are stored inside struct pthread; setting one of the others may allocate.
  INLINE_KEYS = 32,
  SWEEP_STEP = 64,
  RETRY_EVERY = 1024, // operations of a thread without a slot between two attempts to get one
  HINTS = 4096,
};

// tid → slot index + 1, direct-mapped; only a hint, checked against the slot.
static uint32_t lj_hints[HINTS];

uint32_t lj_tid_of(uint64_t pthread) {
  return lj_process.offsets_hold ? *(const uint32_t *)(pthread + PTHREAD_TID) : 0;
}

// Not by the stack pointer: the first operation may come from a handler on an alternate stack.
static void lj_set_stack_bounds(lj_slot *slot) {
  slot->stack_low = slot->stack_high = 0;
  if (lj_process.offsets_hold) {
    uint64_t self = lj_self_pthread(), high;
    uint64_t low = *(const uint64_t *)(self + PTHREAD_STACK_BLOCK);
    uint64_t bytes = *(const uint64_t *)(self + PTHREAD_STACK_BLOCK_SIZE);
    // glibc keeps the descriptor inside the stack's own block. The main thread has none, also not one of that name in
    // a child that was forked by another thread.
    if (low && !__builtin_add_overflow(low, bytes, &high) && low <= self && self < high) {
      slot->stack_low = low;
      slot->stack_high = high;
      return;
    }
  }
  if (slot->tid != lj_process.pid) return;
  slot->stack_low = lj_process.main_stack_low;
  slot->stack_high = lj_process.main_stack_high;
}

static uint32_t lj_slot_next_free(uint32_t link) {
  return (uint32_t)lj_load_relaxed64(&lj_slot_at(link - 1)->shim_next_free);
}
static void lj_slot_set_next_free(uint32_t link, uint32_t next) {
  __atomic_store_n(&lj_slot_at(link - 1)->shim_next_free, next, __ATOMIC_RELAXED);
}

// Makes a used slot as good as new. `wait.seq` goes on counting: a reader that compares two of them must never see the
// number of another thread's wait again.
static void lj_slot_clear(lj_slot *slot) {
  for (uint32_t i = 0; i < LJ_HELD_INLINE; i++) slot->held[i].object = 0;
  lj_held_free_extents(slot);
  slot->held_count = 0;
  slot->held_lost = 0;
  slot->foreign_pending = 0;
  slot->interrupted = 0;
  slot->ring_head = 0;
  slot->acquisitions_contended = 0;
  slot->exited_ns = 0;
  __builtin_memset(slot->foreign, 0, sizeof slot->foreign);
  slot->uses_semaphores = 0;
  slot->breadcrumb = (lj_breadcrumb){0};
  __builtin_memset(slot->permits, 0, sizeof slot->permits);
  __builtin_memset(slot->posts, 0, sizeof slot->posts);
}

void lj_slot_retire(lj_slot *slot) {
  uint64_t seq = slot->wait.seq;
  if (seq & 1) lj_store_release64(&slot->wait.seq, seq + 1);
  if (slot->held_count == 0) {
    lj_store_release32(&slot->phase, LJ_PHASE_FREE);
    lj_stack_push(&lj_process.free_slots, lj_slot_index(slot) + 1, lj_slot_set_next_free);
    return;
  }
  slot->exited_ns = lj_monotonic_ns();
  lj_store_release32(&slot->phase, LJ_PHASE_EXITED_HOLDING);
}

// One step of the state machine above. Acquire: what the slot's last user wrote is visible to the winner; it pairs
// with the release store of the phase.
static bool lj_take_phase(lj_slot *slot, uint32_t from) {
  return __atomic_compare_exchange_n(&slot->phase, &from, LJ_PHASE_CLAIMING, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

// Threads that ended without running key destructors (a raw exit system call) leave live slots behind. A few are
// looked at whenever the arena has grown by as many.
static void lj_sweep(void) {
  uint32_t count = lj_load_acquire32(&lj_process.header->slot_count);
  uint32_t start = __atomic_fetch_add(&lj_process.sweep_cursor, SWEEP_STEP, __ATOMIC_RELAXED);
  for (uint32_t i = 0; i < SWEEP_STEP && i < count; i++) {
    lj_slot *slot = lj_slot_at((start + i) % count);
    if (lj_load_acquire32(&slot->phase) != LJ_PHASE_LIVE) continue;
    uint32_t tid = lj_load_relaxed32(&slot->tid);
    if (lj_raw3(SYS_tgkill, lj_process.pid, tid, 0) != -ESRCH) continue;
    if (lj_take_phase(slot, LJ_PHASE_LIVE)) lj_slot_retire(slot);
  }
}

// At full capacity the evidence of ended threads gives way to living ones.
static uint32_t lj_take_evidence(void) {
  uint32_t count = lj_load_acquire32(&lj_process.header->slot_count);
  for (uint32_t i = 0; i < count; i++) {
    lj_slot *slot = lj_slot_at(i);
    if (lj_load_relaxed32(&slot->phase) == LJ_PHASE_EXITED_HOLDING && lj_take_phase(slot, LJ_PHASE_EXITED_HOLDING))
      return i;
  }
  return LJ_NO_SLOT;
}

// In order of preference: a slot that was given back, one that a sweep frees, a new one, the evidence of a dead thread.
static uint32_t lj_find_slot(void) {
  if (lj_quiet) return LJ_NO_SLOT; // a claim needs the kernel
  uint32_t link = lj_stack_pop(&lj_process.free_slots, lj_slot_next_free);
  if (link) return link - 1;
  uint32_t count = lj_load_relaxed32(&lj_process.header->slot_count);
  if (count && (count % SWEEP_STEP == 0 || count == lj_process.header->slot_capacity)) {
    lj_sweep();
    link = lj_stack_pop(&lj_process.free_slots, lj_slot_next_free);
    if (link) return link - 1;
  }
  uint32_t index = lj_arena_grow_slots();
  return index != LJ_NO_SLOT || count < lj_process.header->slot_capacity ? index : lj_take_evidence();
}

// Async-signal-safe: lock-free, raw system calls, and pthread_setspecific only for a key whose place is inside struct
// pthread. NULL: there is no slot to be had.
static lj_slot *lj_claim(uint32_t epoch) {
  uint32_t index = lj_find_slot();
  if (index == LJ_NO_SLOT) return NULL;
  lj_slot *slot = lj_slot_at(index);
  lj_store_release32(&slot->phase, LJ_PHASE_CLAIMING);
  slot->generation++;
  uint32_t before_tid = slot->tid;
  lj_slot_clear(slot);
  slot->tid = lj_raw_gettid();
  slot->pthread = lj_self_pthread();
  slot->started_ns = lj_monotonic_ns();
  slot->ring_offset = lj_ring_offset(index);
  slot->ring_capacity = LJ_RING_INLINE;
  slot->held_lost = lj_thread.unrecorded;
  lj_thread.unrecorded = 0;
  __builtin_memset(slot->name, 0, sizeof slot->name);
  (void)lj_raw2(SYS_prctl, PR_GET_NAME, (long)slot->name);
  lj_set_stack_bounds(slot);
  __atomic_store_n(&lj_hints[slot->tid % HINTS], index + 1, __ATOMIC_RELAXED);
  if (lj_process.key >= 0 && lj_process.key < INLINE_KEYS)
    (void)pthread_setspecific((pthread_key_t)lj_process.key, (void *)(uintptr_t)1);
  lj_store_release32(&slot->phase, LJ_PHASE_LIVE);
  lj_thread.slot = slot;
  LJ_SIGNAL_FENCE(); // a handler that sees the epoch finds the slot
  lj_thread.epoch = epoch;
  lj_thread.flags &= (uint16_t)~LJ_THREAD_SLOTLESS;
  if (lj_is_detailed() || slot->history.operations_capacity) lj_level_thread_begins(slot, before_tid);
  return slot;
}

// The order of the questions matters: the real functions first, because every answer below forwards to them.
LJ_COLD lj_slot *lj_enter_slow(void) {
  lj_real_ready();
  if (lj_thread.flags & LJ_THREAD_BUSY) {
    lj_count_loss(LJ_LOSS_REENTRANT);
    return NULL;
  }
  uint32_t epoch = lj_load_acquire32(&lj_epoch_page.epoch);
  if (epoch == LJ_EPOCH_NONE && lj_process.was_set_up) { // wiped: this is a forked child
    lj_signals signals = lj_signals_block();
    lj_thread.flags |= LJ_THREAD_BUSY;
    lj_set_up_child();
    lj_thread.flags &= (uint16_t)~LJ_THREAD_BUSY;
    lj_signals_restore(signals);
    epoch = lj_load_acquire32(&lj_epoch_page.epoch);
  }
  if (epoch == LJ_EPOCH_OFF) {
    lj_thread.slot = NULL;
    LJ_SIGNAL_FENCE();
    lj_thread.epoch = LJ_EPOCH_OFF;
    return NULL;
  }
  if (epoch < LJ_EPOCH_FIRST) { // before the constructor, or while another thread sets up
    lj_count_loss(LJ_LOSS_EARLY);
    return NULL;
  }
  if (lj_thread.flags & LJ_THREAD_ENDED) {
    lj_count_loss(LJ_LOSS_LATE);
    return NULL;
  }
  if ((lj_thread.flags & LJ_THREAD_SLOTLESS) && (lj_thread.retry_in-- != 0)) {
    lj_count_loss(LJ_LOSS_NO_SLOT);
    return NULL;
  }
  lj_signals signals = lj_signals_block();
  lj_thread.flags |= LJ_THREAD_BUSY;
  // A handler that came after lj_enter's comparison may have claimed one already.
  lj_slot *slot = lj_thread.epoch == epoch ? lj_thread.slot : lj_claim(epoch);
  lj_thread.flags &= (uint16_t)~LJ_THREAD_BUSY;
  lj_signals_restore(signals);
  if (!slot) {
    lj_thread.flags |= LJ_THREAD_SLOTLESS;
    lj_thread.retry_in = RETRY_EVERY;
    lj_count_loss(LJ_LOSS_NO_SLOT);
  }
  return slot;
}

lj_slot *lj_slot_of_thread(uint32_t tid) {
  if (!tid || !lj_process.header) return NULL;
  uint32_t count = lj_load_acquire32(&lj_process.header->slot_count);
  uint32_t hint = __atomic_load_n(&lj_hints[tid % HINTS], __ATOMIC_RELAXED);
  if (hint && hint <= count) {
    lj_slot *slot = lj_slot_at(hint - 1);
    if (lj_load_acquire32(&slot->phase) == LJ_PHASE_LIVE && lj_load_relaxed32(&slot->tid) == tid) return slot;
  }
  for (uint32_t i = 0; i < count && i < LJ_SCAN_LIMIT; i++) {
    lj_slot *slot = lj_slot_at(i);
    uint32_t phase = lj_load_acquire32(&slot->phase);
    if ((phase == LJ_PHASE_LIVE || phase == LJ_PHASE_EXITED_HOLDING) && lj_load_relaxed32(&slot->tid) == tid) return slot;
  }
  return NULL;
}

// Destructors of other keys may lock too, in this round or the next; the slot goes in the last.
void lj_thread_exit(void *round) {
  uintptr_t number = (uintptr_t)round;
  if (number < PTHREAD_DESTRUCTOR_ITERATIONS) {
    (void)pthread_setspecific((pthread_key_t)lj_process.key, (void *)(number + 1));
    return;
  }
  if (lj_thread.epoch != lj_epoch_page.epoch || !lj_thread.slot) return;
  lj_slot *slot = lj_thread.slot;
  lj_held_settle(slot);
  lj_once_prune(slot, UINT64_MAX); // no routine runs any more
  if (slot->history.operations_capacity) lj_level_thread_ends(slot);
  // Busy: a child that a handler forks in here sets up no arena before this is over, and with it a new list of slots.
  lj_thread.flags |= LJ_THREAD_ENDED | LJ_THREAD_BUSY;
  lj_thread.epoch = LJ_EPOCH_UNCLAIMED;
  lj_thread.slot = NULL;
  lj_slot_retire(slot);
  lj_thread.flags &= (uint16_t)~LJ_THREAD_BUSY;
}

void lj_watch_thread_exit(void) {
  pthread_key_t key;
  lj_process.key = pthread_key_create(&key, lj_thread_exit) == 0 && key < INLINE_KEYS ? (int)key : -1;
}
