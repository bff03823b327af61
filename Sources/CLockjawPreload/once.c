// pthread_once. The thread that runs the routine holds the control word until the routine returns; whoever comes
// meanwhile waits for it. The routine is run through lj_once_run, which thereby knows that its thread is the one.
//
// A routine may leave by exception or cancellation. A cleanup as the compiler makes it would need its personality
// routine, and with that another library; lj_once_slow has a personality of its own that does the one thing there is
// to do and lets the unwinder go on. What longjmp leaves behind is dropped when the thread next waits from further up
// the stack (lj_once_prune).
#define _GNU_SOURCE
#include "once.h"

#include <pthread.h>
#include <threads.h>

#include "process.h"
#include "real.h"
#include "wait.h"

// glibc's control word: bit 0 in progress, bit 1 done, the rest a fork generation.
enum { ONCE_IN_PROGRESS = 1, ONCE_DONE = 2 };

// A call that may come to run its routine; lives in the frame of lj_once_slow, found through lj_thread.once.
typedef struct lj_once_call {
  void *outer; // restored when the call returns; never looked into
  void (*routine)(void);
  uint64_t object;
  lj_caller caller;
  bool runs;  // the routine, in this thread; the control word is on its list
  bool waits;
  lj_wait_scope scope;
} lj_once_call;

// A hold's last caller entry keeps the address of its call instead.
enum { CALL_ADDRESS = LJ_CALLERS - 1 };

void lj_once_prune(lj_slot *slot, uint64_t sp) {
  for (uint32_t i = slot->held_count; i-- > 0;) {
    const lj_held *entry = lj_held_entry(slot, i);
    if (entry && entry->kind == LJ_KIND_ONCE && entry->callers[CALL_ADDRESS] < sp) lj_held_remove(slot, i);
  }
  if ((uint64_t)(uintptr_t)lj_thread.once < sp) lj_thread.once = NULL;
}

static void lj_once_wait_over(lj_once_call *call, uint8_t outcome) {
  uint64_t now_ns;
  if (call->waits) (void)lj_wait_end(&call->scope, outcome, &now_ns);
  call->waits = false;
}

static void lj_once_hold(lj_slot *slot, const lj_once_call *call) {
  uint32_t before = slot->held_count;
  lj_held_push_slow(slot, call->object, LJ_SHAPE(LJ_KIND_ONCE, LJ_MODE_EXCLUSIVE, 0), call->caller, 0);
  if (slot->held_count != before + 1) return;
  lj_held *entry = lj_held_entry(slot, before);
  if (entry->caller_count > CALL_ADDRESS) entry->caller_count = CALL_ADDRESS;
  entry->callers[CALL_ADDRESS] = (uint64_t)(uintptr_t)call;
}

static void lj_once_let_go(lj_once_call *call) {
  lj_slot *slot = call->runs ? lj_enter() : NULL; // another one if the routine forked and this is the child
  call->runs = false;
  if (!slot) return;
  if (lj_is_detailed()) lj_level_releasing(slot, call->object, LJ_KIND_ONCE, LJ_MODE_EXCLUSIVE, call->caller.site);
  (void)lj_held_release_slow(slot, call->object, NULL);
}

// What the real pthread_once runs.
static void lj_once_run(void) {
  lj_once_call *call = lj_thread.once;
  lj_once_wait_over(call, LJ_OUTCOME_ACQUIRED);
  lj_slot *slot = lj_enter();
  call->runs = slot != NULL;
  if (slot) lj_once_hold(slot, call);
  call->routine();
  lj_once_let_go(call);
}

// The unwinder passes lj_once_slow's frame: an exception or a cancellation leaves the routine. Innermost first, so the
// call in question is always the innermost.
__attribute__((visibility("hidden"), used)) int lj_once_personality(int version, int actions, uint64_t class,
                                                                    void *exception, void *context) {
  enum { CLEANUP_PHASE = 2, CONTINUE_UNWIND = 8 }; // of the Itanium C++ ABI
  (void)version, (void)class, (void)exception, (void)context;
  lj_once_call *call = lj_thread.once;
  if ((actions & CLEANUP_PHASE) && call) {
    lj_once_wait_over(call, LJ_OUTCOME_CANCELLED);
    lj_once_let_go(call);
    lj_thread.once = call->outer;
  }
  return CONTINUE_UNWIND;
}

LJ_COLD static int lj_once_slow(pthread_once_t *control, void (*routine)(void), int word, lj_caller caller) {
  lj_once_call call = {
      .outer = lj_thread.once, .routine = routine, .object = (uint64_t)(uintptr_t)control, .caller = caller};
  lj_thread.once = &call;
  if ((word & (ONCE_IN_PROGRESS | ONCE_DONE)) == ONCE_IN_PROGRESS) {
    // In a forked child the word may be left over from a thread of the parent; then the real function runs the
    // routine at once, and lj_once_run ends this wait.
    lj_wait_spec spec = {
        .object = call.object,
        .site = caller.site,
        .kind = LJ_KIND_ONCE,
        .mode = LJ_MODE_EXCLUSIVE,
        .wake = LJ_WAKE_LOCKS,
    };
    call.waits = true;
    LJ_WAIT_BEGIN(&call.scope, lj_thread.slot, &spec);
  }
  __asm__ volatile(".cfi_personality 0x1b, lj_once_personality"); // 0x1b: relative, four bytes
  int result = lj_real.pthread_once(control, lj_once_run);
  lj_once_wait_over(&call, LJ_OUTCOME_ACQUIRED);
  lj_thread.once = call.outer;
  return result;
}

LJ_INLINE int lj_once(pthread_once_t *control, void (*routine)(void)) {
  // Acquire: what the routine wrote is visible to whoever sees it done.
  int word = __atomic_load_n(control, __ATOMIC_ACQUIRE);
  if (LJ_LIKELY(word & ONCE_DONE)) {
    lj_real_ready();
    return lj_real.pthread_once(control, routine);
  }
  if (LJ_UNLIKELY(!lj_enter())) return lj_real.pthread_once(control, routine);
  return lj_once_slow(control, routine, word, LJ_CALLER());
}

LJ_EXPORT int pthread_once(pthread_once_t *control, void (*routine)(void)) { return lj_once(control, routine); }
LJ_ALIAS(__pthread_once, pthread_once);

// C11's once_flag is a pthread_once_t inside.
LJ_EXPORT void call_once(once_flag *flag, void (*routine)(void)) { (void)lj_once((pthread_once_t *)flag, routine); }
