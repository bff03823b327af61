// Condition variables: the wait gives the mutex up and takes it back, on every way out.
#include "probe.h"
#include <threads.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool go;

IN_SECTION(first_take) static void first_take(pthread_mutex_t *m) { pthread_mutex_lock(m); __asm__ volatile(""); }
IN_SECTION(wait_here) static int wait_here(void) { int r = pthread_cond_wait(&cond, &mutex); __asm__ volatile(""); return r; }

static void check_retaken(const lj_slot *me, int flags) {
  CHECK(!is_waiting(me));
  CHECK_EQUAL(holds(me, &mutex), 1);
  const lj_held *held = find_held(me, &mutex);
  CHECK_EQUAL(held->flags & ~LJ_HELD_CONTENDED, flags);
  CHECK(IS_IN_SECTION(first_take, held->site)); // where it was first taken, not the wait
}

static void *waiter(void *unused) {
  first_take(&mutex);
  while (!go) wait_here();
  check_retaken(my_slot(), LJ_HELD_RELOCKED);
  CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_ACQUIRED);
  pthread_mutex_unlock(&mutex);
  CHECK_EQUAL(my_slot()->held_count, 0);
  return unused;
}

static void a_wait_releases_the_mutex(void) {
  worker w;
  start(&w, waiter, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &cond));
  const lj_slot *slot = find_slot(w.tid);
  CHECK_EQUAL(slot->wait.kind, LJ_KIND_COND);
  CHECK_EQUAL(slot->wait.mode, LJ_MODE_SIGNAL);
  CHECK_EQUAL(slot->wait.object2, (uintptr_t)&mutex);
  CHECK_EQUAL(slot->wait.deadline_ns, 0);
  CHECK(IS_IN_SECTION(wait_here, slot->wait.site));
  CHECK_EQUAL(slot->held_count, 0);
  pthread_mutex_lock(&mutex);
  go = true;
  pthread_cond_signal(&cond);
  pthread_mutex_unlock(&mutex);
  join(&w);
}

static void timeouts_take_it_back(void) {
  const lj_slot *me = my_slot();
  first_take(&mutex);
  struct timespec soon = in_ms(CLOCK_REALTIME, 5);
  uint64_t before = now_ns();
  CHECK_EQUAL(pthread_cond_timedwait(&cond, &mutex, &soon), ETIMEDOUT);
  check_retaken(me, LJ_HELD_RELOCKED);
  CHECK_EQUAL(newest_event(me)->outcome, LJ_OUTCOME_TIMEOUT);
  CHECK(me->wait.deadline_ns >= before && me->wait.deadline_ns < before + 1000000000u);
  soon = in_ms(CLOCK_MONOTONIC, 5);
  CHECK_EQUAL(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
  CHECK_EQUAL(me->wait.deadline_ns, (uint64_t)soon.tv_sec * 1000000000u + (uint64_t)soon.tv_nsec);
  check_retaken(me, LJ_HELD_RELOCKED);
  soon.tv_nsec = -1;
  CHECK_EQUAL(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &soon), EINVAL);
  check_retaken(me, LJ_HELD_RELOCKED);
  // A condition made with the monotonic clock: its deadline is understood as such.
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_t monotonic;
  pthread_cond_init(&monotonic, &attributes);
  soon = in_ms(CLOCK_MONOTONIC, 5);
  CHECK_EQUAL(pthread_cond_timedwait(&monotonic, &mutex, &soon), ETIMEDOUT);
  CHECK_EQUAL(me->wait.deadline_ns, (uint64_t)soon.tv_sec * 1000000000u + (uint64_t)soon.tv_nsec);
  pthread_mutex_unlock(&mutex);
  CHECK_EQUAL(me->held_count, 0);
}

static void in_cleanup(void *cleaned) {
  // POSIX: the mutex is held again when cleanup handlers run.
  check_retaken(my_slot(), LJ_HELD_RELOCKED);
  CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_CANCELLED);
  pthread_mutex_unlock(&mutex);
  CHECK_EQUAL(my_slot()->held_count, 0);
  *(bool *)cleaned = true;
}

static void *to_be_cancelled(void *cleaned) {
  first_take(&mutex);
  pthread_cleanup_push(in_cleanup, cleaned);
  for (;;) wait_here();
  pthread_cleanup_pop(0);
  return NULL;
}

static void cancellation_takes_it_back(void) {
  worker w;
  bool cleaned = false;
  start(&w, to_be_cancelled, &cleaned);
  EVENTUALLY(waits_for(find_slot(w.tid), &cond));
  const lj_slot *slot = find_slot(w.tid);
  CHECK_EQUAL(pthread_cancel(w.thread), 0);
  void *value;
  CHECK_EQUAL(pthread_join(w.thread, &value), 0);
  CHECK(value == PTHREAD_CANCELED);
  CHECK(cleaned);
  CHECK(!is_waiting(slot));
  CHECK_EQUAL(slot->phase, LJ_PHASE_FREE);
}

static void a_recursive_mutex_is_released_once(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_t recursive;
  pthread_mutex_init(&recursive, &attributes);
  pthread_mutex_lock(&recursive);
  pthread_mutex_lock(&recursive);
  struct timespec soon = in_ms(CLOCK_REALTIME, 5);
  CHECK_EQUAL(pthread_cond_timedwait(&cond, &recursive, &soon), ETIMEDOUT);
  CHECK_EQUAL(holds(my_slot(), &recursive), 2);
  CHECK_EQUAL(recursive.__data.__count, 2);
  pthread_mutex_unlock(&recursive);
  pthread_mutex_unlock(&recursive);
  CHECK_EQUAL(my_slot()->held_count, 0);
}

static cnd_t condition;
static mtx_t c11_mutex;
static int c11_go, c11_woken;
static void *c11_waiter(void *unused) {
  CHECK_EQUAL(mtx_lock(&c11_mutex), thrd_success);
  while (!c11_go) CHECK_EQUAL(cnd_wait(&condition, &c11_mutex), thrd_success);
  CHECK_EQUAL(holds(my_slot(), &c11_mutex), 1);
  CHECK_EQUAL(find_held(my_slot(), &c11_mutex)->flags & LJ_HELD_RELOCKED, LJ_HELD_RELOCKED);
  c11_go--;
  c11_woken++;
  CHECK_EQUAL(mtx_unlock(&c11_mutex), thrd_success);
  return unused;
}
static void *c11_contender(void *unused) {
  CHECK_EQUAL(mtx_lock(&c11_mutex), thrd_success);
  CHECK_EQUAL(newest_event(my_slot())->object, (uintptr_t)&c11_mutex);
  CHECK_EQUAL(mtx_unlock(&c11_mutex), thrd_success);
  return unused;
}

static void c11_conditions_are_seen(void) {
  cnd_init(&condition);
  mtx_init(&c11_mutex, mtx_plain);
  worker waiters[3], contender;
  for (int i = 0; i < 3; i++) {
    start(&waiters[i], c11_waiter, NULL);
    EVENTUALLY(waits_for(find_slot(waiters[i].tid), &condition));
    CHECK_EQUAL(find_slot(waiters[i].tid)->wait.kind, LJ_KIND_COND);
    CHECK_EQUAL(find_slot(waiters[i].tid)->wait.object2, (uintptr_t)&c11_mutex);
    CHECK_EQUAL(find_slot(waiters[i].tid)->held_count, 0);
  }
  CHECK_EQUAL(mtx_lock(&c11_mutex), thrd_success);
  start(&contender, c11_contender, NULL);
  EVENTUALLY(waits_for(find_slot(contender.tid), &c11_mutex));
  CHECK_EQUAL(find_slot(contender.tid)->wait.owner_tid, gettid());
  c11_go = 1;
  CHECK_EQUAL(cnd_signal(&condition), thrd_success);
  CHECK_EQUAL(mtx_unlock(&c11_mutex), thrd_success);
  join(&contender);
  bool is_woken = false;
  EVENTUALLY((mtx_lock(&c11_mutex), is_woken = c11_woken == 1, mtx_unlock(&c11_mutex), is_woken));
  CHECK_EQUAL(mtx_lock(&c11_mutex), thrd_success);
  c11_go = 2;
  CHECK_EQUAL(cnd_broadcast(&condition), thrd_success);
  CHECK_EQUAL(mtx_unlock(&c11_mutex), thrd_success);
  for (int i = 0; i < 3; i++) join(&waiters[i]);
  CHECK_EQUAL(c11_woken, 3);
  mtx_lock(&c11_mutex);
  struct timespec soon = in_ms(CLOCK_REALTIME, 5);
  CHECK_EQUAL(cnd_timedwait(&condition, &c11_mutex, &soon), thrd_timedout);
  CHECK_EQUAL(newest_event(my_slot())->object, (uintptr_t)&condition);
  CHECK_EQUAL(holds(my_slot(), &c11_mutex), 1);
  mtx_unlock(&c11_mutex);
  CHECK_EQUAL(my_slot()->held_count, 0);
}

static pthread_mutex_t lost;
static void *die_holding(void *unused) {
  pthread_mutex_lock(&lost);
  return unused;
}

static void a_mutex_that_cannot_be_recovered_is_not_held(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&lost, &attributes);
  worker w;
  start(&w, die_holding, NULL);
  join(&w);
  CHECK_EQUAL(pthread_mutex_lock(&lost), EOWNERDEAD);
  pthread_mutex_unlock(&lost); // not made consistent
  CHECK_EQUAL(pthread_mutex_lock(&lost), ENOTRECOVERABLE);
  CHECK_EQUAL(holds(my_slot(), &lost), 0);
}

int main(void) {
  open_arena();
  first_take(&mutex);
  pthread_mutex_unlock(&mutex);
  a_wait_releases_the_mutex();
  timeouts_take_it_back();
  cancellation_takes_it_back();
  a_recursive_mutex_is_released_once();
  c11_conditions_are_seen();
  a_mutex_that_cannot_be_recovered_is_not_held();
  return done();
}
