// Signal handlers inside waits, and waits left by longjmp.
#include "probe.h"
#include <semaphore.h>
#include <setjmp.h>

static pthread_mutex_t contended = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t handlers_own = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t handlers_contended = PTHREAD_MUTEX_INITIALIZER;
static sem_t gate, entered;
static int step;

static void wait_in_handler(void) {
  // A spin, not a wait: the outer wait must stay the one on record.
  int seen = __atomic_load_n(&step, __ATOMIC_ACQUIRE);
  sem_post(&entered);
  EVENTUALLY(__atomic_load_n(&step, __ATOMIC_ACQUIRE) != seen);
}

static void next_step(void) { __atomic_fetch_add(&step, 1, __ATOMIC_RELEASE); }

static void await_handler(void) { while (sem_wait(&entered) != 0); }

static void lock_in_handler(int signal) {
  (void)signal;
  pthread_mutex_lock(&handlers_own);
  wait_in_handler();
  pthread_mutex_unlock(&handlers_own);
  wait_in_handler();
}

static void *wait_for_contended(void *unused) {
  pthread_mutex_lock(&contended);
  pthread_mutex_unlock(&contended);
  return unused;
}

static void set_handler(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaction(signal, &action, NULL);
}

static void a_handler_that_locks_marks_the_wait(void) {
  set_handler(SIGUSR1, lock_in_handler, 0);
  pthread_mutex_lock(&contended);
  worker w;
  start(&w, wait_for_contended, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &contended));
  const lj_slot *slot = find_slot(w.tid);
  uint64_t sequence = slot->wait.seq;
  CHECK_EQUAL(slot->interrupted, 0);
  pthread_kill(w.thread, SIGUSR1);
  await_handler();
  CHECK(slot->interrupted != 0);
  CHECK_EQUAL(holds(slot, &handlers_own), 1);
  CHECK_EQUAL(slot->wait.seq, sequence);
  next_step();
  await_handler();
  CHECK_EQUAL(slot->interrupted, 0); // released again: what the slot says is true again
  CHECK_EQUAL(slot->held_count, 0);
  CHECK(waits_for(slot, &contended));
  next_step();
  pthread_mutex_unlock(&contended);
  join(&w);
}

static void wait_in_handler_contended(int signal) {
  (void)signal;
  pthread_mutex_lock(&handlers_contended);
  pthread_mutex_unlock(&handlers_contended);
  wait_in_handler();
}

static void *hold_one_and_wait(void *unused) {
  pthread_mutex_t mine = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mine);
  pthread_mutex_lock(&contended);
  const lj_slot *me = my_slot();
  CHECK_EQUAL(newest_event(me)->object, (uintptr_t)&handlers_contended);
  CHECK_EQUAL(me->ring[me->ring_head - 2].outcome, LJ_OUTCOME_ACQUIRED); // the outer wait's own event
  CHECK_EQUAL(me->ring[me->ring_head - 2].object, (uintptr_t)&contended);
  CHECK_EQUAL(me->held_count, 2);
  CHECK_EQUAL(me->interrupted, 0);
  pthread_mutex_unlock(&contended);
  pthread_mutex_unlock(&mine);
  return unused;
}

static void a_handler_that_waits_is_the_wait(int flags) {
  set_handler(SIGUSR1, wait_in_handler_contended, flags);
  pthread_mutex_lock(&contended);
  pthread_mutex_lock(&handlers_contended);
  worker w;
  start(&w, hold_one_and_wait, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &contended));
  const lj_slot *slot = find_slot(w.tid);
  lj_wait outer = slot->wait;
  pthread_kill(w.thread, SIGUSR1);
  EVENTUALLY(waits_for(slot, &handlers_contended));
  CHECK_EQUAL(slot->wait.depth, 2);
  CHECK_EQUAL(slot->interrupted, 0);
  CHECK_EQUAL(slot->held_count, 1);
  pthread_mutex_unlock(&handlers_contended);
  await_handler();
  // The handler's wait is over, the outer one is on record again, under a new number.
  CHECK(waits_for(slot, &contended));
  CHECK(slot->wait.seq > outer.seq);
  CHECK_EQUAL(slot->wait.depth, 1);
  CHECK_EQUAL(slot->wait.context.ip, outer.context.ip);
  CHECK_EQUAL(slot->wait.context.sp, outer.context.sp);
  CHECK_EQUAL(slot->wait.since_ns, outer.since_ns);
  CHECK_EQUAL(slot->wait.stack_bytes, outer.stack_bytes);
  uint64_t offset = outer.context.bp + 8 - outer.context.sp;
  CHECK_EQUAL(*(const uint64_t *)(slot->stack + offset), outer.site);
  next_step();
  pthread_mutex_unlock(&contended);
  join(&w);
}

static void *on_alternate_stack(void *unused) {
  static char stack[65536];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&alternate, NULL);
  return hold_one_and_wait(unused);
}

static void alternate_stacks_are_told_apart(void) {
  set_handler(SIGUSR1, wait_in_handler_contended, SA_ONSTACK);
  pthread_mutex_lock(&contended);
  pthread_mutex_lock(&handlers_contended);
  worker w;
  start(&w, on_alternate_stack, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &contended));
  const lj_slot *slot = find_slot(w.tid);
  pthread_kill(w.thread, SIGUSR1);
  EVENTUALLY(waits_for(slot, &handlers_contended));
  CHECK_EQUAL(slot->wait.depth, 2);
  CHECK(slot->wait.context.sp < slot->stack_low || slot->wait.context.sp >= slot->stack_high);
  CHECK(slot->wait.stack_bytes > 0 && slot->wait.stack_bytes <= LJ_STACK_BYTES);
  pthread_mutex_unlock(&handlers_contended);
  await_handler();
  CHECK(waits_for(slot, &contended));
  CHECK_EQUAL(slot->wait.depth, 1);
  next_step();
  pthread_mutex_unlock(&contended);
  join(&w);
}

static pthread_mutex_t taken_before = PTHREAD_MUTEX_INITIALIZER;
static void release_in_handler(int signal) {
  (void)signal;
  pthread_mutex_unlock(&taken_before);
  wait_in_handler();
}
static void *hold_and_wait(void *unused) {
  pthread_mutex_lock(&taken_before);
  pthread_mutex_lock(&contended);
  CHECK_EQUAL(my_slot()->interrupted, 0); // the wait is over, and with it the doubt
  CHECK_EQUAL(my_slot()->held_count, 1);
  pthread_mutex_unlock(&contended);
  return unused;
}

static void a_change_below_the_wait_marks_it_for_good(void) {
  set_handler(SIGUSR1, release_in_handler, 0);
  pthread_mutex_lock(&contended);
  worker w;
  start(&w, hold_and_wait, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &contended));
  const lj_slot *slot = find_slot(w.tid);
  pthread_kill(w.thread, SIGUSR1);
  await_handler();
  CHECK(slot->interrupted != 0);
  CHECK_EQUAL(holds(slot, &taken_before), 0);
  next_step();
  pthread_mutex_unlock(&contended);
  join(&w);
}

// A wait that is no cancellation point has nobody who hears of the jump. (Those that are: cancel.c.)
static sigjmp_buf out;
static void jump_out(int signal) { siglongjmp(out, signal); }
static pthread_mutex_t barred = PTHREAD_MUTEX_INITIALIZER;
static void start_barred(worker *w, void *(*body)(void *)) {
  pthread_mutex_lock(&barred);
  start(w, body, NULL);
  EVENTUALLY(waits_for(find_slot(w->tid), &barred));
  pthread_kill(w->thread, SIGUSR2);
}
static void end_barred(worker *w) {
  join(w);
  pthread_mutex_unlock(&barred);
}

static void *leave_by_longjmp(void *unused) {
  set_handler(SIGUSR2, jump_out, 0);
  if (sigsetjmp(out, 1) == 0) {
    pthread_mutex_lock(&barred); // nobody unlocks it
    CHECK(false);
  }
  const lj_slot *me = my_slot();
  CHECK(waits_for(me, &barred)); // nothing has run since that could know better
  pthread_mutex_lock(&handlers_own);
  CHECK(!is_waiting(me));
  CHECK_EQUAL(newest_event(me)->outcome, LJ_OUTCOME_CANCELLED);
  CHECK_EQUAL(me->interrupted, 0);
  CHECK_EQUAL(me->held_count, 1);
  pthread_mutex_unlock(&handlers_own);
  CHECK_EQUAL(me->held_count, 0);
  return unused;
}

static void a_wait_left_by_longjmp_ends_at_the_next_operation(void) {
  worker w;
  start_barred(&w, leave_by_longjmp);
  end_barred(&w);
}

// After a longjmp the same stack is used again, deeper than the wait was: its frame is overwritten.
__attribute__((noinline, noipa)) static void deeper(int depth) {
  volatile char frame[512];
  memset((char *)frame, depth, sizeof frame);
  if (depth) deeper(depth - 1);
  else {
    pthread_mutex_lock(&handlers_own);
    CHECK(!is_waiting(my_slot()));
    CHECK_EQUAL(my_slot()->interrupted, 0);
    pthread_mutex_unlock(&handlers_own);
  }
  frame[0] = 0;
}
static void *leave_and_go_deeper(void *unused) {
  if (sigsetjmp(out, 1) == 0) {
    pthread_mutex_lock(&barred);
    CHECK(false);
  }
  deeper(8);
  return unused;
}
static void a_wait_left_by_longjmp_is_noticed_from_below(void) {
  worker w;
  start_barred(&w, leave_and_go_deeper);
  end_barred(&w);
}

static void *wait_again(void *unused) {
  if (sigsetjmp(out, 1) == 0) {
    pthread_mutex_lock(&barred);
    CHECK(false);
  }
  pthread_mutex_lock(&contended);
  pthread_mutex_unlock(&contended);
  return unused;
}
static void a_new_wait_replaces_one_left_by_longjmp(void) {
  pthread_mutex_lock(&contended);
  worker w;
  start_barred(&w, wait_again);
  const lj_slot *slot = find_slot(w.tid);
  EVENTUALLY(waits_for(slot, &contended));
  CHECK_EQUAL(slot->wait.depth, 1);
  CHECK_EQUAL(slot->ring[0].outcome, LJ_OUTCOME_CANCELLED);
  pthread_mutex_unlock(&contended);
  end_barred(&w);
}

// Waits interrupted by a handler without SA_RESTART say EINTR.
static void only_interrupt(int signal) { (void)signal; }
static void *be_interrupted(void *unused) {
  CHECK_EQUAL(sem_wait(&gate), -1);
  CHECK_EQUAL(errno, EINTR);
  CHECK(!is_waiting(my_slot()));
  CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_INTERRUPTED);
  return unused;
}
static void an_interrupted_wait_is_over(void) {
  sem_init(&gate, 0, 0);
  set_handler(SIGUSR1, only_interrupt, 0);
  worker w;
  start(&w, be_interrupted, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &gate));
  // Recorded is not yet asleep: a signal before the sleep would be lost on it.
  for (bool over = false; !over;) {
    pthread_kill(w.thread, SIGUSR1);
    struct timespec soon = in_ms(CLOCK_REALTIME, 10);
    over = pthread_timedjoin_np(w.thread, NULL, &soon) == 0;
  }
}

// A handler that locks while the main flow pushes and pops all the time: the list stays right.
static void lock_two(int signal) {
  (void)signal;
  int saved = errno;
  static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER, two = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&one);
  pthread_mutex_lock(&two);
  pthread_mutex_unlock(&one);
  pthread_mutex_unlock(&two);
  errno = saved;
}
static void a_storm_of_handlers_leaves_the_list_right(void) {
  set_handler(SIGALRM, lock_two, SA_RESTART);
  static pthread_mutex_t locks[60];
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM};
  event._sigev_un._tid = gettid();
  CHECK_EQUAL(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  struct itimerspec often = {.it_interval.tv_nsec = 20000, .it_value.tv_nsec = 20000};
  timer_settime(timer, 0, &often, NULL);
  const lj_slot *me = my_slot();
  uint64_t until = now_ns() + 300000000u;
  while (now_ns() < until) {
    for (int i = 0; i < 60; i++) pthread_mutex_lock(&locks[i]);
    CHECK_EQUAL(me->held_count, 60);
    for (int i = 0; i < 60; i++) CHECK_EQUAL(held_at(me, (uint32_t)i)->object, (uintptr_t)&locks[i]);
    for (int i = 0; i < 60; i += 2) pthread_mutex_unlock(&locks[i]);
    for (int i = 1; i < 60; i += 2) CHECK_EQUAL(held_at(me, (uint32_t)i / 2)->object, (uintptr_t)&locks[i]);
    for (int i = 1; i < 60; i += 2) pthread_mutex_unlock(&locks[i]);
    CHECK_EQUAL(me->held_count, 0);
  }
  timer_delete(timer);
  CHECK_EQUAL(me->held_lost, 0);
}

// A thread's first operations get it a slot, a ring and tables. A handler that jumps out from the middle of that must
// leave none of it half got: what the thread does afterwards is all recorded.
enum { JUMPING_THREADS = 60, JUMPING_LOCKS = 400 };
static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t may_jump;

static void jump_out_once(int signal) {
  (void)signal;
  if (!may_jump) return;
  may_jump = 0;
  siglongjmp(back, 1);
}

static void lock_each(pthread_mutex_t *locks) {
  for (int i = 0; i < JUMPING_LOCKS; i++) {
    pthread_mutex_lock(&locks[i]);
    pthread_mutex_unlock(&locks[i]);
  }
}

static void *jump_out_of_first_operations(void *unused) {
  // Those that are left by the jump may stay locked.
  pthread_mutex_t *left = calloc(JUMPING_LOCKS, sizeof *left), *locks = calloc(JUMPING_LOCKS, sizeof *locks);
  if (sigsetjmp(back, 1) == 0) {
    may_jump = 1;
    lock_each(left);
    may_jump = 0;
  }
  lock_each(locks);
  free(locks);
  free(left);
  return unused;
}

static uint64_t losses(void) {
  uint64_t sum = 0;
  for (int cause = 0; cause < LJ_LOSS_COUNT; cause++) sum += lj_load_relaxed64(&arena->losses[cause]);
  return sum;
}

static void a_jump_out_of_first_operations_loses_nothing(void) {
  set_handler(SIGUSR1, jump_out_once, 0);
  uint64_t before = losses();
  for (int i = 0; i < JUMPING_THREADS; i++) {
    pthread_t thread;
    CHECK_EQUAL(pthread_create(&thread, NULL, jump_out_of_first_operations, NULL), 0);
    while (pthread_tryjoin_np(thread, NULL) != 0) pthread_kill(thread, SIGUSR1);
  }
  CHECK_EQUAL(losses(), before);
}

int main(void) {
  open_arena();
  sem_init(&entered, 0, 0);
  sem_post(&entered);
  sem_wait(&entered);
  a_handler_that_locks_marks_the_wait();
  a_handler_that_waits_is_the_wait(0);
  alternate_stacks_are_told_apart();
  a_change_below_the_wait_marks_it_for_good();
  a_wait_left_by_longjmp_ends_at_the_next_operation();
  a_wait_left_by_longjmp_is_noticed_from_below();
  a_new_wait_replaces_one_left_by_longjmp();
  an_interrupted_wait_is_over();
  a_storm_of_handlers_leaves_the_list_right();
  a_jump_out_of_first_operations_loses_nothing();
  return done();
}
