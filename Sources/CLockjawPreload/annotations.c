// What a program tells by itself, through lockjaw.h: custom locks, names, breadcrumbs, heartbeats. Callable from any
// thread at any time, signal handlers included, like everything here.
#define _GNU_SOURCE
#include "arena.h"
#include "foreign.h"
#include "held.h"
#include "local.h"
#include "process.h"
#include "signals.h"
#include "wait.h"

// The caller goes on while the wait lasts, so the registers kept are the caller's: those it called with. The address kept
// is inside the call, so that its line is that of the call and not of what comes next.
__asm__(
    ".text\n"
    ".globl lockjaw_v1_wait_begin\n"
    ".type lockjaw_v1_wait_begin, @function\n"
    ".p2align 4\n"
    "lockjaw_v1_wait_begin:\n"
    "\t.cfi_startproc\n"
    "\tendbr64\n"
    "\tsubq $72, %rsp\n"
    "\t.cfi_adjust_cfa_offset 72\n"
    "\tmovq 72(%rsp), %rax\n"
    "\tdecq %rax\n"
    "\tmovq %rax, 0(%rsp)\n"
    "\tleaq 80(%rsp), %rax\n"
    "\tmovq %rax, 8(%rsp)\n"
    "\tmovq %rbp, 16(%rsp)\n"
    "\tmovq %rbx, 24(%rsp)\n"
    "\tmovq %r12, 32(%rsp)\n"
    "\tmovq %r13, 40(%rsp)\n"
    "\tmovq %r14, 48(%rsp)\n"
    "\tmovq %r15, 56(%rsp)\n"
    "\tmovq %rsp, %rdx\n"
    "\tcall lj_custom_wait_begin\n"
    "\taddq $72, %rsp\n"
    "\t.cfi_adjust_cfa_offset -72\n"
    "\tret\n"
    "\t.cfi_endproc\n"
    ".size lockjaw_v1_wait_begin, .-lockjaw_v1_wait_begin\n");

_Static_assert(offsetof(lj_context, ip) == 0 && offsetof(lj_context, r15) == 56, "offsets in the assembly above");

// What no lock can have for an address. LJ_ANY_OBJECT is one of them: it would count for every lock.
LJ_INLINE bool lj_is_nothing(const void *lock) { return (uint64_t)(uintptr_t)lock <= LJ_ANY_OBJECT; }

static uint8_t lj_custom_mode(int mode) {
  return mode == LJ_MODE_READ || mode == LJ_MODE_WRITE ? (uint8_t)mode : LJ_MODE_EXCLUSIVE;
}

__attribute__((visibility("hidden"), used)) void lj_custom_wait_begin(const void *lock, int mode,
                                                                       const lj_context *context) {
  if (lj_is_nothing(lock)) return;
  lj_slot *slot = lj_enter();
  // Inside a handler inside a wait there is no place to keep the outer one: it stays what this thread waits for.
  if (!slot || lj_wait_inside_handler(slot)) return;
  lj_wait_spec spec = {
      .object = (uint64_t)(uintptr_t)lock,
      .site = context->ip + 1,
      .kind = LJ_KIND_CUSTOM,
      .mode = lj_custom_mode(mode),
      .wake = LJ_WAKE_LOCKS,
  };
  lj_wait_scope scope;
  scope.context = *context;
  lj_wait_begin(&scope, slot, &spec);
  slot->wait.frame = 0; // the scope goes with this function
}

// The time at which this thread's wait for `lock` ended; 0: it did not wait for it.
static uint64_t lj_custom_wait_over(lj_slot *slot, const void *lock, uint8_t outcome) {
  const lj_wait *wait = &slot->wait;
  if (!(wait->seq & 1) || wait->kind != LJ_KIND_CUSTOM || wait->object != (uint64_t)(uintptr_t)lock) return 0;
  lj_wait_scope scope = {.slot = slot, .epoch = lj_thread.epoch};
  uint64_t now_ns = 0;
  (void)lj_wait_end(&scope, outcome, &now_ns);
  return now_ns;
}

LJ_EXPORT void lockjaw_v1_wait_end(const void *lock) {
  if (lj_is_nothing(lock)) return;
  lj_slot *slot = lj_enter();
  if (slot) (void)lj_custom_wait_over(slot, lock, LJ_OUTCOME_TIMEOUT);
}

LJ_EXPORT void lockjaw_v1_acquired(const void *lock, int mode) {
  if (lj_is_nothing(lock)) return;
  lj_slot *slot = lj_enter();
  if (LJ_UNLIKELY(!slot)) {
    lj_unrecorded_acquire();
    return;
  }
  uint64_t since_ns = lj_custom_wait_over(slot, lock, LJ_OUTCOME_ACQUIRED);
  lj_shape shape = LJ_SHAPE(LJ_KIND_CUSTOM, lj_custom_mode(mode), since_ns ? LJ_HELD_CONTENDED : 0);
  if (since_ns) lj_held_push_slow(slot, (uint64_t)(uintptr_t)lock, shape, LJ_CALLER(), since_ns);
  else lj_held_push(slot, lock, shape);
}

LJ_EXPORT void lockjaw_v1_releasing(const void *lock, int mode) {
  if (lj_is_nothing(lock)) return;
  lj_slot *slot = lj_enter();
  if (LJ_UNLIKELY(!slot)) {
    lj_unrecorded_release();
    return;
  }
  uint64_t object = (uint64_t)(uintptr_t)lock;
  if (lj_is_detailed()) lj_level_releasing(slot, object, LJ_KIND_CUSTOM, lj_custom_mode(mode), LJ_CALLER().site);
  if (LJ_LIKELY(lj_held_pop(slot, lock))) return;
  // By a thread that did not take it: whoever lists it, in whatever mode.
  if (lj_held_release_slow(slot, object, NULL) == LJ_RELEASE_UNLISTED)
    (void)lj_foreign_announce(object, 0, lj_custom_mode(mode));
}

// Cut at a whole character: UTF-8's continuation bytes begin with binary 10.
static void lj_copy_cut(char *to, size_t capacity, const char *from) {
  size_t length = 0;
  while (length + 1 < capacity && from[length]) length++;
  if (from[length])
    while (length && (from[length] & 0xC0) == 0x80) length--;
  for (size_t i = 0; i < length; i++) to[i] = from[i];
  for (size_t i = length; i < capacity; i++) to[i] = 0;
}

static lj_names *lj_names_at(uint64_t address) { return (lj_names *)address; }

static lj_names *lj_names_make(uint64_t *offset_of_it, uint64_t *address_of_it) {
  uint32_t number;
  lj_names *unit = lj_history_claim(sizeof(lj_names), &number);
  if (!unit) return NULL;
  *address_of_it = (uint64_t)(uintptr_t)unit;
  // Release: pairs with the reader's acquire load of the offset.
  lj_store_release64(offset_of_it, lj_process.header->history_offset + (uint64_t)(number - 1) * LJ_HISTORY_UNIT);
  return unit;
}

// Each call looks through all of the chain, so it does not get long: 1,016 names a slot.
enum { MOST_NAME_UNITS = 8 };

// The place of this lock's name in the thread's chain, or a new one. Linear: programs name few locks, and each once.
static lj_name *lj_name_place(lj_slot *slot, uint64_t object) {
  uint64_t *offset = &slot->history.names_offset, *address = &slot->history.names_address;
  for (unsigned number = 0; number < MOST_NAME_UNITS; number++) {
    lj_names *unit = lj_names_at(*address);
    if (!unit) unit = lj_names_make(offset, address);
    if (!unit) return NULL;
    for (uint32_t i = 0; i < unit->count; i++)
      if (unit->names[i].object == object) return &unit->names[i];
    if (unit->count < LJ_NAMES_PER_UNIT) {
      lj_name *place = &unit->names[unit->count];
      lj_store_release32(&unit->count, unit->count + 1);
      return place;
    }
    offset = &unit->next_offset;
    address = &unit->next_address;
  }
  return NULL;
}

LJ_EXPORT void lockjaw_v1_name(const void *lock, const char *name) {
  if (lj_is_nothing(lock)) return;
  lj_slot *slot = lj_enter();
  if (!slot || !name) return;
  char text[sizeof(((lj_name *)0)->text)];
  lj_copy_cut(text, sizeof text, name); // the program's own memory: before signals are held back
  lj_signals signals = lj_signals_block();
  lj_name *place = lj_name_place(slot, (uint64_t)(uintptr_t)lock);
  if (place) {
    lj_store_release64(&place->object, 0);
    LJ_SIGNAL_FENCE();
    place->named_ns = lj_monotonic_ns();
    __builtin_memcpy(place->text, text, sizeof text);
    // Release: pairs with the reader's acquire load of the object, which vouches for the rest.
    lj_store_release64(&place->object, (uint64_t)(uintptr_t)lock);
  } else {
    lj_count_loss(LJ_LOSS_ANNOTATIONS);
  }
  lj_signals_restore(signals);
}

LJ_EXPORT void lockjaw_v1_breadcrumb(const char *text) {
  lj_slot *slot = lj_enter();
  if (!slot) return;
  lj_breadcrumb *crumb = &slot->breadcrumb;
  if (crumb->sequence & 1) { // a handler inside this very function
    lj_count_loss(LJ_LOSS_ANNOTATIONS);
    return;
  }
  lj_store_release32(&crumb->sequence, crumb->sequence + 1);
  // Pairs with the reader's second look at the number: what changes after it is odd is seen together with it.
  __atomic_thread_fence(__ATOMIC_RELEASE);
  crumb->since_ns = lj_monotonic_ns();
  lj_copy_cut(crumb->text, sizeof crumb->text, text ? text : "");
  lj_store_release32(&crumb->sequence, crumb->sequence + 1);
}

// FNV-1a (Fowler, Noll, Vo), and never one of the other states.
static uint32_t lj_heartbeat_claim(const char *name) {
  uint32_t hash = 2166136261u;
  for (; *name; name++) hash = (hash ^ (uint8_t)*name) * 16777619u;
  return hash | 0x80000000u;
}

static bool lj_is_same_text(const char *a, const char *b, size_t capacity) {
  for (size_t i = 0; i < capacity; i++) {
    if (a[i] != b[i]) return false;
    if (!a[i]) return true;
  }
  return true;
}

// The place of this name, or a new one. A claim says for which name it is: whoever finds one for its own, of another thread
// or of the code that this is a handler of, completes it, which writes the same bytes once more. So nobody waits, no name
// gets two places, of which one would be missed, and a claim left by siglongjmp out of a handler is in nobody's way.
static lj_heartbeat *lj_heartbeat_place(const char *name) {
  lj_arena_header *header = lj_process.header;
  char cut[sizeof header->heartbeats->name];
  lj_copy_cut(cut, sizeof cut, name);
  uint32_t claim = lj_heartbeat_claim(cut);
  for (unsigned i = 0; i < LJ_HEARTBEATS; i++) {
    lj_heartbeat *beat = &header->heartbeats[i];
    uint32_t state = lj_load_acquire32(&beat->state);
    bool is_mine = !state && __atomic_compare_exchange_n(&beat->state, &state, claim, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    if (is_mine || state == claim) {
      lj_copy_cut(beat->name, sizeof beat->name, cut);
      // Release: pairs with the acquire above and the reader's; the name is complete.
      lj_store_release32(&beat->state, LJ_HEARTBEAT_IN_USE);
      return beat;
    }
    if (state == LJ_HEARTBEAT_IN_USE && lj_is_same_text(beat->name, cut, sizeof cut)) return beat;
  }
  return NULL;
}

LJ_EXPORT void lockjaw_v1_heartbeat(const char *name, unsigned within_ms) {
  lj_slot *slot = lj_enter();
  if (!slot || !name) return;
  lj_heartbeat *beat = lj_heartbeat_place(name);
  if (!beat) {
    lj_count_loss(LJ_LOSS_ANNOTATIONS);
    return;
  }
  __atomic_store_n(&beat->last_ns, lj_monotonic_ns(), __ATOMIC_RELAXED);
  __atomic_store_n(&beat->tid, slot->tid, __ATOMIC_RELAXED);
  __atomic_fetch_add(&beat->beats, 1, __ATOMIC_RELAXED);
  uint32_t before = beat->within_ms;
  // Release: pairs with the reader's acquire load, so that a new limit is not held against an old beat.
  lj_store_release32(&beat->within_ms, within_ms);
  if (LJ_LIKELY(before == within_ms)) return;
  // A collector that sleeps has no such time limit in mind. Full fence: its partner is the one after the collector has
  // armed the bell; one of the two sees what the other has written.
  lj_fence_full();
  lj_ring_bell(~0u);
}
