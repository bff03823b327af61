// From the registers a wait leaves behind and the unwind tables alone, the waiter's stack unwinds to its start: for
// every blocking call, and from the copy of the stack as well. Uses libunwind's remote interface over two sources.
#include "probe.h"
#include <libunwind.h>
#include <linux/futex.h>
#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_spinlock_t spin;
static sem_t semaphore, gate;
static uint32_t word;
static worker endless;

IN_SECTION(caller) static void call_it(void (*wait)(void)) {
  wait();
  __asm__ volatile("");
}
static void *outermost(void *wait) {
  call_it((void (*)(void))wait);
  return NULL;
}

static void lock_mutex(void) { pthread_mutex_lock(&mutex); pthread_mutex_unlock(&mutex); }
static void timedlock_mutex(void) {
  struct timespec later = in_ms(CLOCK_REALTIME, 600000);
  pthread_mutex_timedlock(&mutex, &later);
  pthread_mutex_unlock(&mutex);
}
static void read_rwlock(void) { pthread_rwlock_rdlock(&rwlock); pthread_rwlock_unlock(&rwlock); }
static void write_rwlock(void) { pthread_rwlock_wrlock(&rwlock); pthread_rwlock_unlock(&rwlock); }
static void wait_cond(void) {
  static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&own);
  pthread_cond_wait(&cond, &own);
  pthread_mutex_unlock(&own);
}
static void wait_sem(void) { while (sem_wait(&semaphore) != 0); }
// No tail calls: each of these is a frame of its own.
#define STAYS __asm__ volatile("")
static void wait_barrier(void) { pthread_barrier_wait(&barrier); STAYS; }
static void wait_join(void) { pthread_join(endless.thread, NULL); STAYS; }
static void wait_futex(void) { syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0); STAYS; }
static void lock_spin(void) { pthread_spin_lock(&spin); pthread_spin_unlock(&spin); }

static void *sleep_until_released(void *unused) {
  while (sem_wait(&gate) != 0);
  return unused;
}

// libunwind's accessors: registers from the wait's context, memory from the live stack or only from the copy.
typedef struct source {
  const lj_slot *slot;
  bool from_copy;
} source;

static int get_memory(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write, void *argument) {
  const source *from = argument;
  const lj_slot *slot = from->slot;
  (void)space;
  if (write) return -UNW_EINVAL;
  if (from->from_copy && address >= slot->stack_low && address < slot->stack_high) {
    uint64_t offset = address - slot->wait.context.sp;
    if (address < slot->wait.context.sp || offset + 8 > slot->wait.stack_bytes) return -UNW_EINVAL;
    memcpy(value, slot->stack + offset, 8);
    return 0;
  }
  memcpy(value, (const void *)address, 8);
  return 0;
}
static int get_register(unw_addr_space_t space, unw_regnum_t number, unw_word_t *value, int write, void *argument) {
  const lj_context *context = &((const source *)argument)->slot->wait.context;
  (void)space;
  if (write) return -UNW_EBADREG;
  switch (number) {
  case UNW_X86_64_RIP: *value = context->ip; return 0;
  case UNW_X86_64_RSP: *value = context->sp; return 0;
  case UNW_X86_64_RBP: *value = context->bp; return 0;
  case UNW_X86_64_RBX: *value = context->bx; return 0;
  case UNW_X86_64_R12: *value = context->r12; return 0;
  case UNW_X86_64_R13: *value = context->r13; return 0;
  case UNW_X86_64_R14: *value = context->r14; return 0;
  case UNW_X86_64_R15: *value = context->r15; return 0;
  default: *value = 0; return 0;
  }
}
static int no_fpreg(unw_addr_space_t s, unw_regnum_t r, unw_fpreg_t *v, int w, void *a) {
  (void)s, (void)r, (void)v, (void)w, (void)a;
  return -UNW_EBADREG;
}
static int no_resume(unw_addr_space_t s, unw_cursor_t *c, void *a) { (void)s, (void)c, (void)a; return -UNW_EINVAL; }
static int no_name(unw_addr_space_t s, unw_word_t i, char *b, size_t n, unw_word_t *o, void *a) {
  (void)s, (void)i, (void)b, (void)n, (void)o, (void)a;
  return -UNW_ENOINFO;
}

// The tables are those of this very process: the local accessors know how to find them.
static int find_tables(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *info, int need, void *argument) {
  (void)space, (void)argument;
  return unw_get_accessors(unw_local_addr_space)->find_proc_info(unw_local_addr_space, ip, info, need, NULL);
}
static void put_tables(unw_addr_space_t space, unw_proc_info_t *info, void *argument) {
  (void)space, (void)argument;
  unw_accessors_t *local = unw_get_accessors(unw_local_addr_space);
  if (local->put_unwind_info) local->put_unwind_info(unw_local_addr_space, info, NULL);
}
static int no_dyn_info(unw_addr_space_t s, unw_word_t *a, void *b) { (void)s, (void)a, (void)b; return -UNW_ENOINFO; }

static void check_stack(const lj_slot *slot, bool from_copy) {
  unw_accessors_t accessors = {find_tables, put_tables, no_dyn_info, get_memory, get_register, no_fpreg, no_resume, no_name};
  unw_addr_space_t space = unw_create_addr_space(&accessors, 0);
  source from = {.slot = slot, .from_copy = from_copy};
  unw_cursor_t cursor;
  CHECK_EQUAL(unw_init_remote(&cursor, space, &from), 0);
  uint64_t frames[32];
  int count = 0, caller = 0;
  do {
    unw_word_t ip;
    unw_get_reg(&cursor, UNW_REG_IP, &ip);
    if (ip == 0) break;
    if (IS_IN_SECTION(caller, ip)) caller = count;
    frames[count++] = ip;
  } while (count < 32 && unw_step(&cursor) > 0);
  unw_destroy_addr_space(space);
  // The shim's frames, then the waiting function, whose return address is the site, then call_it, then the thread's start.
  int site = -1;
  for (int i = 0; i < count; i++)
    if (frames[i] == slot->wait.site) site = i;
  CHECK(site == 1 || site == 2);
  CHECK_EQUAL(caller, site + 1);
  // outermost, worker_main, start_thread, clone3: from the live stack all of them.
  if (!from_copy) CHECK(count >= caller + 4);
  else CHECK(count >= caller + 2);
}

static void unwinds(void (*wait)(void), const void *object, int callable_wake(void)) {
  worker w;
  start(&w, outermost, (void *)wait);
  EVENTUALLY(waits_for(find_slot(w.tid), object));
  const lj_slot *slot = find_slot(w.tid);
  check_stack(slot, false);
  check_stack(slot, true);
  // Wakes repeat: a recorded wait is not yet asleep.
  for (bool over = false; !over;) {
    callable_wake();
    struct timespec soon = in_ms(CLOCK_REALTIME, 10);
    over = pthread_timedjoin_np(w.thread, NULL, &soon) == 0;
  }
}

static int unlock_mutex(void) { return mutex.__data.__owner == gettid() ? pthread_mutex_unlock(&mutex) : 0; }
static bool write_held;
static int unlock_rwlock(void) { return write_held ? (write_held = false, pthread_rwlock_unlock(&rwlock)) : 0; }
static int signal_cond(void) { return pthread_cond_broadcast(&cond); }
static int post(void) { return sem_post(&semaphore); }
static int arrive(void) { static bool once; return once ? 0 : (once = true, pthread_barrier_wait(&barrier)); }
static int release_endless(void) { static bool once; return once ? 0 : (once = true, sem_post(&gate)); }
static int wake(void) { return (int)syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0); }
static int unlock_spin(void) { static bool once; return once ? 0 : (once = true, pthread_spin_unlock(&spin)); }

static void take_rwlock(void) { pthread_rwlock_wrlock(&rwlock); write_held = true; }

int main(void) {
  open_arena();
  sem_init(&semaphore, 0, 0);
  sem_init(&gate, 0, 0);
  pthread_barrier_init(&barrier, NULL, 2);
  pthread_spin_init(&spin, 0);
  pthread_mutex_lock(&mutex);
  unwinds(lock_mutex, &mutex, unlock_mutex);
  pthread_mutex_lock(&mutex);
  unwinds(timedlock_mutex, &mutex, unlock_mutex);
  take_rwlock();
  unwinds(read_rwlock, &rwlock, unlock_rwlock);
  take_rwlock();
  unwinds(write_rwlock, &rwlock, unlock_rwlock);
  unwinds(wait_cond, &cond, signal_cond);
  unwinds(wait_sem, &semaphore, post);
  unwinds(wait_barrier, &barrier, arrive);
  start(&endless, sleep_until_released, NULL);
  unwinds(wait_join, (void *)endless.thread, release_endless);
  unwinds(wait_futex, &word, wake);
  pthread_spin_lock(&spin);
  unwinds(lock_spin, (void *)&spin, unlock_spin);
  return done();
}
