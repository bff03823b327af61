// rwlocks: readers are individuals, writers are named, both kinds, every variant.
#include "probe.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

IN_SECTION(read_it) static int read_it(pthread_rwlock_t *l) { int r = pthread_rwlock_rdlock(l); __asm__ volatile(""); return r; }
IN_SECTION(write_it) static int write_it(pthread_rwlock_t *l) { int r = pthread_rwlock_wrlock(l); __asm__ volatile(""); return r; }

static void holds_are_listed(void) {
  const lj_slot *me = my_slot();
  CHECK_EQUAL(read_it(&lock), 0);
  CHECK_EQUAL(read_it(&lock), 0);
  CHECK_EQUAL(me->held_count, 2); // a reader twice holds twice
  CHECK_EQUAL(holds(me, &lock), 2);
  CHECK_EQUAL(lock.__data.__readers >> 3, 2);
  CHECK_EQUAL(me->held[0].kind, LJ_KIND_RWLOCK);
  CHECK_EQUAL(me->held[0].mode, LJ_MODE_READ);
  CHECK(IS_IN_SECTION(read_it, me->held[1].site));
  pthread_rwlock_unlock(&lock);
  CHECK_EQUAL(holds(me, &lock), 1);
  pthread_rwlock_unlock(&lock);
  CHECK_EQUAL(write_it(&lock), 0);
  CHECK_EQUAL(me->held[0].mode, LJ_MODE_WRITE);
  CHECK(IS_IN_SECTION(write_it, me->held[0].site));
  CHECK_EQUAL(read_it(&lock), EDEADLK);
  CHECK_EQUAL(newest_event(me)->outcome, LJ_OUTCOME_DEADLOCK);
  CHECK_EQUAL(write_it(&lock), EDEADLK);
  CHECK_EQUAL(pthread_rwlock_tryrdlock(&lock), EBUSY);
  CHECK(!is_waiting(me));
  CHECK_EQUAL(holds(me, &lock), 1);
  pthread_rwlock_unlock(&lock);
  CHECK_EQUAL(pthread_rwlock_tryrdlock(&lock), 0);
  CHECK_EQUAL(me->held[0].flags, LJ_HELD_TRY);
  pthread_rwlock_unlock(&lock);
  CHECK_EQUAL(pthread_rwlock_trywrlock(&lock), 0);
  CHECK_EQUAL(me->held[0].mode, LJ_MODE_WRITE);
  pthread_rwlock_unlock(&lock);
  CHECK_EQUAL(me->held_count, 0);
}

static void *wait_to_read(void *l) {
  CHECK_EQUAL(read_it(l), 0);
  CHECK_EQUAL(find_held(my_slot(), l)->flags, LJ_HELD_CONTENDED);
  pthread_rwlock_unlock(l);
  return NULL;
}
static void *wait_to_write(void *l) {
  CHECK_EQUAL(write_it(l), 0);
  CHECK_EQUAL(find_held(my_slot(), l)->mode, LJ_MODE_WRITE);
  pthread_rwlock_unlock(l);
  return NULL;
}

static void waits_are_recorded(void) {
  worker reader, writer;
  CHECK_EQUAL(write_it(&lock), 0);
  start(&reader, wait_to_read, &lock);
  start(&writer, wait_to_write, &lock);
  EVENTUALLY(waits_for(find_slot(reader.tid), &lock));
  EVENTUALLY(waits_for(find_slot(writer.tid), &lock));
  CHECK_EQUAL(find_slot(reader.tid)->wait.mode, LJ_MODE_READ);
  CHECK_EQUAL(find_slot(writer.tid)->wait.mode, LJ_MODE_WRITE);
  CHECK_EQUAL(find_slot(reader.tid)->wait.kind, LJ_KIND_RWLOCK);
  CHECK_EQUAL(find_slot(reader.tid)->wait.owner_tid, gettid());
  CHECK(IS_IN_SECTION(write_it, find_slot(writer.tid)->wait.site));
  pthread_rwlock_unlock(&lock);
  join(&reader);
  join(&writer);
}

static void a_reader_waits_behind_a_writer_where_the_kind_says_so(void) {
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_t writers_first;
  pthread_rwlock_init(&writers_first, &attributes);
  worker reader, writer;
  CHECK_EQUAL(read_it(&writers_first), 0);
  start(&writer, wait_to_write, &writers_first);
  EVENTUALLY(waits_for(find_slot(writer.tid), &writers_first));
  EVENTUALLY(pthread_rwlock_tryrdlock(&writers_first) == EBUSY || (pthread_rwlock_unlock(&writers_first), false));
  start(&reader, wait_to_read, &writers_first);
  EVENTUALLY(waits_for(find_slot(reader.tid), &writers_first));
  CHECK_EQUAL(find_slot(reader.tid)->wait.owner_tid, 0);
  pthread_rwlock_unlock(&writers_first);
  join(&writer);
  join(&reader);
  CHECK_EQUAL(my_slot()->held_count, 0);
}

static void *time_out(void *unused) {
  const lj_slot *me;
  struct timespec soon = in_ms(CLOCK_REALTIME, 10);
  CHECK_EQUAL(pthread_rwlock_timedrdlock(&lock, &soon), ETIMEDOUT);
  me = my_slot();
  CHECK_EQUAL(newest_event(me)->outcome, LJ_OUTCOME_TIMEOUT);
  soon = in_ms(CLOCK_REALTIME, 10);
  CHECK_EQUAL(pthread_rwlock_timedwrlock(&lock, &soon), ETIMEDOUT);
  soon = in_ms(CLOCK_MONOTONIC, 10);
  CHECK_EQUAL(pthread_rwlock_clockrdlock(&lock, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
  CHECK_EQUAL(me->wait.deadline_ns, (uint64_t)soon.tv_sec * 1000000000u + (uint64_t)soon.tv_nsec);
  soon = in_ms(CLOCK_REALTIME, 10);
  CHECK_EQUAL(pthread_rwlock_clockwrlock(&lock, CLOCK_REALTIME, &soon), ETIMEDOUT);
  CHECK_EQUAL(me->ring_head, 4);
  CHECK(!is_waiting(me));
  CHECK_EQUAL(me->held_count, 0);
  return unused;
}

static void timed_variants(void) {
  worker waiter;
  CHECK_EQUAL(write_it(&lock), 0);
  start(&waiter, time_out, NULL);
  join(&waiter);
  pthread_rwlock_unlock(&lock);
  struct timespec later = in_ms(CLOCK_REALTIME, 60000);
  CHECK_EQUAL(pthread_rwlock_timedrdlock(&lock, &later), 0);
  CHECK_EQUAL(pthread_rwlock_clockrdlock(&lock, CLOCK_REALTIME, &later), 0);
  CHECK_EQUAL(holds(my_slot(), &lock), 2);
  pthread_rwlock_unlock(&lock);
  pthread_rwlock_unlock(&lock);
  CHECK_EQUAL(pthread_rwlock_timedwrlock(&lock, &later), 0);
  pthread_rwlock_unlock(&lock);
  CHECK_EQUAL(my_slot()->held_count, 0);
}

int main(void) {
  open_arena();
  read_it(&lock);
  pthread_rwlock_unlock(&lock);
  holds_are_listed();
  waits_are_recorded();
  a_reader_waits_behind_a_writer_where_the_kind_says_so();
  timed_variants();
  return done();
}
