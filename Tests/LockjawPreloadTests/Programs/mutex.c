// Mutexes of every type: what is held, what is waited for, what is said about how it ended.
#include "probe.h"
#include <threads.h>

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t other = PTHREAD_MUTEX_INITIALIZER;

IN_SECTION(take) static void take(pthread_mutex_t *mutex) {
  pthread_mutex_lock(mutex);
  __asm__ volatile("");
}

static void holds_are_listed(void) {
  take(&plain);
  const lj_slot *me = my_slot();
  CHECK_EQUAL(me->held_count, 1);
  const lj_held *held = find_held(me, &plain);
  CHECK(held);
  CHECK_EQUAL(held->kind, LJ_KIND_MUTEX);
  CHECK_EQUAL(held->mode, LJ_MODE_EXCLUSIVE);
  CHECK_EQUAL(held->count, 1);
  CHECK_EQUAL(held->since_ns, 0);
  CHECK_EQUAL(held->flags, 0);
  CHECK(IS_IN_SECTION(take, held->site));
  // Taken in one order, released in another: what stays keeps its order and its site.
  uint64_t site = held->site;
  take(&other);
  pthread_mutex_unlock(&plain);
  CHECK_EQUAL(me->held_count, 1);
  CHECK_EQUAL(me->held[0].object, (uintptr_t)&other);
  CHECK_EQUAL(me->held[0].site, site);
  CHECK_EQUAL(me->held[1].object, 0);
  pthread_mutex_unlock(&other);
  CHECK_EQUAL(me->held_count, 0);
  CHECK_EQUAL(pthread_mutex_trylock(&plain), 0);
  CHECK_EQUAL(find_held(me, &plain)->flags, LJ_HELD_TRY);
  pthread_mutex_unlock(&plain);
  CHECK_EQUAL(me->held_count, 0);
}

static void recursion_is_counted(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &attributes);
  const lj_slot *me = my_slot();
  for (int depth = 1; depth <= 5; depth++) {
    if (depth & 1) CHECK_EQUAL(pthread_mutex_lock(&mutex), 0);
    else CHECK_EQUAL(pthread_mutex_trylock(&mutex), 0);
    CHECK_EQUAL(me->held_count, 1);
    CHECK_EQUAL(find_held(me, &mutex)->count, depth);
  }
  take(&plain);
  pthread_mutex_lock(&mutex);
  CHECK_EQUAL(me->held_count, 2);
  CHECK_EQUAL(find_held(me, &mutex)->count, 6);
  for (int depth = 5; depth >= 1; depth--) {
    pthread_mutex_unlock(&mutex);
    CHECK_EQUAL(find_held(me, &mutex)->count, depth);
  }
  pthread_mutex_unlock(&mutex);
  CHECK(!find_held(me, &mutex));
  pthread_mutex_unlock(&plain);
  CHECK_EQUAL(me->held_count, 0);
  CHECK_EQUAL(pthread_mutex_unlock(&mutex), EPERM);
  CHECK_EQUAL(me->held_count, 0);
}

static void *wait_for_plain(void *unused) {
  take(&plain);
  const lj_slot *me = my_slot();
  const lj_held *held = find_held(me, &plain);
  CHECK_EQUAL(held->flags, LJ_HELD_CONTENDED);
  CHECK(held->since_ns >= newest_event(me)->begin_ns && held->since_ns <= now_ns());
  CHECK(!is_waiting(me));
  CHECK_EQUAL(newest_event(me)->outcome, LJ_OUTCOME_ACQUIRED);
  CHECK_EQUAL(newest_event(me)->duration_ns, held->since_ns - newest_event(me)->begin_ns);
  CHECK_EQUAL(me->acquisitions_contended, 1);
  pthread_mutex_unlock(&plain);
  return unused;
}

static void waits_are_recorded(void) {
  uint64_t before = now_ns();
  take(&plain);
  worker waiter;
  start(&waiter, wait_for_plain, NULL);
  EVENTUALLY(waits_for(find_slot(waiter.tid), &plain));
  const lj_slot *slot = find_slot(waiter.tid);
  const lj_wait *wait = &slot->wait;
  CHECK_EQUAL(wait->kind, LJ_KIND_MUTEX);
  CHECK_EQUAL(wait->mode, LJ_MODE_EXCLUSIVE);
  CHECK_EQUAL(wait->owner_tid, gettid());
  CHECK_EQUAL(wait->deadline_ns, 0);
  CHECK_EQUAL(wait->depth, 1);
  CHECK(IS_IN_SECTION(take, wait->site));
  CHECK(wait->since_ns >= before && wait->since_ns <= now_ns());
  CHECK_EQUAL(slot->interrupted, 0);
  CHECK_EQUAL(slot->held_count, 0);
  const lj_event *event = newest_event(slot);
  CHECK_EQUAL(event->outcome, LJ_OUTCOME_IN_PROGRESS);
  CHECK_EQUAL(event->object, (uintptr_t)&plain);
  CHECK_EQUAL(event->owner_tid, gettid());
  CHECK_EQUAL(wait->event, slot->ring_head - 1);
  // The stack copied when the wait began holds the return address of the shim's own frame.
  CHECK(wait->context.sp >= slot->stack_low && wait->context.sp < slot->stack_high);
  uint64_t offset = wait->context.bp + 8 - wait->context.sp;
  CHECK(offset + 8 <= wait->stack_bytes);
  CHECK_EQUAL(*(const uint64_t *)(slot->stack + offset), wait->site);
  pthread_mutex_unlock(&plain);
  join(&waiter);
}

static void *timed_waits(void *unused) {
  struct timespec soon = in_ms(CLOCK_REALTIME, 20);
  uint64_t before = now_ns();
  CHECK_EQUAL(pthread_mutex_timedlock(&plain, &soon), ETIMEDOUT);
  const lj_slot *me = my_slot();
  CHECK(!is_waiting(me));
  CHECK_EQUAL(me->held_count, 0);
  CHECK_EQUAL(newest_event(me)->outcome, LJ_OUTCOME_TIMEOUT);
  CHECK(me->wait.deadline_ns > before && me->wait.deadline_ns < before + 1000000000u);
  CHECK(newest_event(me)->duration_ns > 10000000);
  soon = in_ms(CLOCK_MONOTONIC, 20);
  CHECK_EQUAL(pthread_mutex_clocklock(&plain, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
  CHECK_EQUAL(me->wait.deadline_ns, (uint64_t)soon.tv_sec * 1000000000u + (uint64_t)soon.tv_nsec);
  return unused;
}

static void timeouts_end_the_wait(void) {
  take(&plain);
  worker waiter;
  start(&waiter, timed_waits, NULL);
  join(&waiter);
  pthread_mutex_unlock(&plain);
  struct timespec later = in_ms(CLOCK_REALTIME, 60000);
  CHECK_EQUAL(pthread_mutex_timedlock(&plain, &later), 0);
  CHECK(find_held(my_slot(), &plain));
  CHECK_EQUAL(find_held(my_slot(), &plain)->flags, 0);
  pthread_mutex_unlock(&plain);
}

static void refusals_are_recorded(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &attributes);
  CHECK_EQUAL(pthread_mutex_lock(&mutex), 0);
  CHECK_EQUAL(pthread_mutex_lock(&mutex), EDEADLK);
  CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_DEADLOCK);
  CHECK(!is_waiting(my_slot()));
  CHECK_EQUAL(holds(my_slot(), &mutex), 1);
  pthread_mutex_unlock(&mutex);
  CHECK_EQUAL(pthread_mutex_unlock(&mutex), EPERM);
  CHECK_EQUAL(my_slot()->held_count, 0);
}

static pthread_mutex_t robust;
static void *die_holding(void *unused) {
  CHECK_EQUAL(pthread_mutex_lock(&robust), 0);
  return unused;
}

static void a_dead_owner_is_recorded(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attributes);
  worker owner;
  start(&owner, die_holding, NULL);
  join(&owner);
  const lj_slot *dead = find_slot(owner.tid);
  CHECK(dead);
  CHECK_EQUAL(dead->phase, LJ_PHASE_EXITED_HOLDING);
  CHECK(dead->exited_ns > 0);
  CHECK_EQUAL(holds(dead, &robust), 1);
  CHECK_EQUAL(pthread_mutex_lock(&robust), EOWNERDEAD);
  CHECK_EQUAL(holds(my_slot(), &robust), 1);
  pthread_mutex_consistent(&robust);
  pthread_mutex_unlock(&robust);
  CHECK_EQUAL(holds(my_slot(), &robust), 0);
}

static void types_of_priority_are_recorded(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  CHECK_EQUAL(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT), 0);
  pthread_mutex_t inherit;
  CHECK_EQUAL(pthread_mutex_init(&inherit, &attributes), 0);
  CHECK_EQUAL(pthread_mutex_lock(&inherit), 0);
  CHECK_EQUAL(holds(my_slot(), &inherit), 1);
  pthread_mutex_unlock(&inherit);
  struct timespec later = in_ms(CLOCK_MONOTONIC, 60000);
  if (pthread_mutex_clocklock(&inherit, CLOCK_MONOTONIC, &later) == 0) {
    CHECK_EQUAL(holds(my_slot(), &inherit), 1);
    pthread_mutex_unlock(&inherit);
  }
  CHECK_EQUAL(my_slot()->held_count, 0);
}

static void a_hundred_locks_are_a_hundred_entries(void) {
  enum { LOCKS = 300 };
  static pthread_mutex_t locks[LOCKS];
  const lj_slot *me = my_slot();
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < LOCKS; i++) {
      pthread_mutex_lock(&locks[i]);
      CHECK_EQUAL(me->held_count, i + 1);
    }
    for (int i = 0; i < LOCKS; i++) CHECK_EQUAL(held_at(me, (uint32_t)i)->object, (uintptr_t)&locks[i]);
    // Every third goes, from the front: the order of the others stays.
    for (int i = 0; i < LOCKS; i += 3) pthread_mutex_unlock(&locks[i]);
    uint32_t index = 0;
    for (int i = 0; i < LOCKS; i++)
      if (i % 3) CHECK_EQUAL(held_at(me, index++)->object, (uintptr_t)&locks[i]);
    CHECK_EQUAL(me->held_count, index);
    for (int i = LOCKS; i-- > 0;)
      if (i % 3) pthread_mutex_unlock(&locks[i]);
    CHECK_EQUAL(me->held_count, 0);
  }
  CHECK_EQUAL(me->held_lost, 0);
  CHECK_EQUAL(arena->losses[LJ_LOSS_HELD_OVERFLOW], 0);
  CHECK_EQUAL(arena->extent_count, (LOCKS - LJ_HELD_INLINE + LJ_HELD_PER_EXTENT - 1) / LJ_HELD_PER_EXTENT);
}

static void c11_mutexes_are_seen(void) {
  mtx_t mutex;
  CHECK_EQUAL(mtx_init(&mutex, mtx_timed), thrd_success);
  CHECK_EQUAL(mtx_lock(&mutex), thrd_success);
  CHECK_EQUAL(holds(my_slot(), &mutex), 1);
  CHECK_EQUAL(mtx_trylock(&mutex), thrd_busy);
  struct timespec soon = in_ms(CLOCK_REALTIME, 5);
  CHECK_EQUAL(mtx_timedlock(&mutex, &soon), thrd_timedout);
  CHECK_EQUAL(mtx_unlock(&mutex), thrd_success);
  CHECK_EQUAL(holds(my_slot(), &mutex), 0);
}

static void a_new_mutex_is_not_held(void) {
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, NULL);
  pthread_mutex_lock(&mutex);
  pthread_mutex_init(&mutex, NULL); // what code does that reuses memory
  CHECK_EQUAL(holds(my_slot(), &mutex), 0);
}

int main(void) {
  open_arena();
  take(&plain);
  pthread_mutex_unlock(&plain);
  holds_are_listed();
  recursion_is_counted();
  waits_are_recorded();
  timeouts_end_the_wait();
  refusals_are_recorded();
  a_dead_owner_is_recorded();
  types_of_priority_are_recorded();
  a_hundred_locks_are_a_hundred_entries();
  c11_mutexes_are_seen();
  a_new_mutex_is_not_held();
  return done();
}
