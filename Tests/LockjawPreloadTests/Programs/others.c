// Semaphores, spinlocks, barriers, joins, once, names.
#include "probe.h"
#include <semaphore.h>
#include <sys/prctl.h>
#include <threads.h>

static sem_t semaphore;

static const lj_permit *permit_of(const lj_slot *slot, const void *object) {
  for (int i = 0; i < LJ_PERMITS; i++)
    if (slot->permits[i].object == (uintptr_t)object) return &slot->permits[i];
  return NULL;
}
static bool has_posted(const lj_slot *slot, const void *object) {
  for (int i = 0; i < LJ_POSTS; i++)
    if (slot->posts[i].object == (uintptr_t)object) return true;
  return false;
}

IN_SECTION(take_permit) static int take_permit(void) { int r = sem_wait(&semaphore); __asm__ volatile(""); return r; }

static void *wait_for_permit(void *unused) {
  CHECK_EQUAL(take_permit(), 0);
  CHECK(!is_waiting(my_slot()));
  CHECK_EQUAL(permit_of(my_slot(), &semaphore)->count, 1);
  sem_post(&semaphore);
  CHECK(!permit_of(my_slot(), &semaphore));
  CHECK(!has_posted(my_slot(), &semaphore));
  return unused;
}

static void semaphores(void) {
  sem_init(&semaphore, 0, 2);
  CHECK_EQUAL(take_permit(), 0);
  CHECK_EQUAL(sem_trywait(&semaphore), 0);
  const lj_slot *me = my_slot();
  CHECK_EQUAL(permit_of(me, &semaphore)->count, 2);
  CHECK(permit_of(me, &semaphore)->taken_ticks > arena->tsc_at_creation);
  errno = 77;
  CHECK_EQUAL(sem_trywait(&semaphore), -1);
  CHECK_EQUAL(errno, EAGAIN);
  worker w;
  start(&w, wait_for_permit, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &semaphore));
  CHECK_EQUAL(find_slot(w.tid)->wait.kind, LJ_KIND_SEM);
  CHECK_EQUAL(find_slot(w.tid)->wait.mode, LJ_MODE_EXCLUSIVE);
  CHECK(IS_IN_SECTION(take_permit, find_slot(w.tid)->wait.site));
  sem_post(&semaphore);
  join(&w);
  CHECK_EQUAL(permit_of(me, &semaphore)->count, 1);
  sem_post(&semaphore);
  CHECK(!permit_of(me, &semaphore));
  CHECK(!has_posted(me, &semaphore));
  sem_post(&semaphore); // a post without a permit: this semaphore is a signal
  CHECK(has_posted(me, &semaphore));
  while (sem_trywait(&semaphore) == 0);
  struct timespec soon = in_ms(CLOCK_REALTIME, 5);
  CHECK_EQUAL(sem_timedwait(&semaphore, &soon), -1);
  CHECK_EQUAL(errno, ETIMEDOUT);
  CHECK_EQUAL(newest_event(me)->outcome, LJ_OUTCOME_TIMEOUT);
  soon = in_ms(CLOCK_MONOTONIC, 5);
  CHECK_EQUAL(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &soon), -1);
  CHECK_EQUAL(me->wait.deadline_ns, (uint64_t)soon.tv_sec * 1000000000u + (uint64_t)soon.tv_nsec);
  sem_destroy(&semaphore);
  CHECK(!permit_of(me, &semaphore));
  CHECK(!has_posted(me, &semaphore));
  // More semaphores than places: the oldest permit goes, and that is counted.
  sem_t many[LJ_PERMITS + 2];
  uint64_t lost = arena->losses[LJ_LOSS_PERMIT];
  for (int i = 0; i < LJ_PERMITS + 2; i++) {
    sem_init(&many[i], 0, 1);
    sem_wait(&many[i]);
  }
  CHECK_EQUAL(arena->losses[LJ_LOSS_PERMIT] - lost, 2);
  CHECK(!permit_of(me, &many[0]) && !permit_of(me, &many[1]) && permit_of(me, &many[2]));
}

static pthread_spinlock_t spin;
static void *wait_to_spin(void *unused) {
  pthread_spin_lock(&spin);
  CHECK_EQUAL(find_held(my_slot(), (void *)&spin)->flags, LJ_HELD_CONTENDED);
  pthread_spin_unlock(&spin);
  return unused;
}

static void spinlocks(void) {
  pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
  pthread_spin_lock(&spin);
  CHECK_EQUAL(find_held(my_slot(), (void *)&spin)->kind, LJ_KIND_SPIN);
  CHECK_EQUAL(pthread_spin_trylock(&spin), EBUSY);
  worker w;
  start(&w, wait_to_spin, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), (void *)&spin));
  pthread_spin_unlock(&spin);
  join(&w);
  CHECK_EQUAL(pthread_spin_trylock(&spin), 0);
  CHECK_EQUAL(holds(my_slot(), (void *)&spin), 1);
  pthread_spin_unlock(&spin);
  CHECK_EQUAL(my_slot()->held_count, 0);
}

static pthread_barrier_t barrier;
static void *arrive(void *unused) {
  int result = pthread_barrier_wait(&barrier);
  CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
  CHECK(!is_waiting(my_slot()));
  CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_ACQUIRED);
  return unused;
}

static void barriers(void) {
  pthread_barrier_init(&barrier, NULL, 2);
  worker w;
  start(&w, arrive, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &barrier));
  CHECK_EQUAL(find_slot(w.tid)->wait.kind, LJ_KIND_BARRIER);
  CHECK_EQUAL(find_slot(w.tid)->wait.mode, LJ_MODE_SIGNAL);
  arrive(NULL);
  join(&w);
}

static worker sleeper;
static void *sleep_until_released(void *gate) {
  while (sem_wait(gate) != 0);
  return (void *)42;
}
static void *join_it(void *unused) {
  void *value;
  CHECK_EQUAL(pthread_join(sleeper.thread, &value), 0);
  CHECK(value == (void *)42);
  CHECK(!is_waiting(my_slot()));
  return unused;
}

static void joins(void) {
  sem_t gate;
  sem_init(&gate, 0, 0);
  start(&sleeper, sleep_until_released, &gate);
  worker joiner;
  start(&joiner, join_it, NULL);
  EVENTUALLY(waits_for(find_slot(joiner.tid), (void *)sleeper.thread));
  const lj_slot *slot = find_slot(joiner.tid);
  CHECK_EQUAL(slot->wait.kind, LJ_KIND_JOIN);
  CHECK_EQUAL(slot->wait.object2, sleeper.tid);
  CHECK_EQUAL(pthread_join(pthread_self(), NULL), EDEADLK);
  CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_DEADLOCK);
  sem_post(&gate);
  join(&joiner);
  start(&sleeper, sleep_until_released, &gate);
  struct timespec soon = in_ms(CLOCK_REALTIME, 5);
  CHECK_EQUAL(pthread_timedjoin_np(sleeper.thread, NULL, &soon), ETIMEDOUT);
  CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_TIMEOUT);
  soon = in_ms(CLOCK_MONOTONIC, 5);
  CHECK_EQUAL(pthread_clockjoin_np(sleeper.thread, NULL, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
  CHECK_EQUAL(my_slot()->wait.deadline_ns, (uint64_t)soon.tv_sec * 1000000000u + (uint64_t)soon.tv_nsec);
  sem_post(&gate);
  join(&sleeper);
}

static int c11_body(void *unused) { return unused ? 1 : 7; }
static void c11_joins(void) {
  thrd_t thread;
  CHECK_EQUAL(thrd_create(&thread, c11_body, NULL), thrd_success);
  uint64_t before = my_slot()->ring_head;
  int code = 0;
  CHECK_EQUAL(thrd_join(thread, &code), thrd_success);
  CHECK_EQUAL(code, 7);
  CHECK_EQUAL(my_slot()->ring_head, before + 1);
  CHECK_EQUAL(newest_event(my_slot())->kind, LJ_KIND_JOIN);
}

static pthread_once_t once_control = PTHREAD_ONCE_INIT;
static once_flag c11_flag = ONCE_FLAG_INIT;
static sem_t once_gate;
static int once_runs;
static void once_routine(void) {
  CHECK_EQUAL(find_held(my_slot(), &once_control)->kind, LJ_KIND_ONCE);
  while (sem_wait(&once_gate) != 0);
  once_runs++;
}
static void c11_once_routine(void) {
  CHECK_EQUAL(find_held(my_slot(), &c11_flag)->kind, LJ_KIND_ONCE);
  once_runs++;
}
static void *run_once(void *unused) {
  CHECK_EQUAL(pthread_once(&once_control, once_routine), 0);
  CHECK_EQUAL(my_slot()->held_count, 0);
  CHECK(!is_waiting(my_slot()));
  return unused;
}

static pthread_once_t abandoned_control = PTHREAD_ONCE_INIT;
static void abandoned_routine(void) { pthread_exit(NULL); }
static void *abandon_once(void *unused) {
  pthread_once(&abandoned_control, abandoned_routine);
  return unused;
}

static void once(void) {
  sem_init(&once_gate, 0, 0);
  worker first, second;
  start(&first, run_once, NULL);
  EVENTUALLY(find_slot(first.tid) && find_held(find_slot(first.tid), &once_control) && is_waiting(find_slot(first.tid)));
  start(&second, run_once, NULL);
  EVENTUALLY(waits_for(find_slot(second.tid), &once_control));
  CHECK_EQUAL(find_slot(second.tid)->wait.kind, LJ_KIND_ONCE);
  CHECK_EQUAL(find_slot(second.tid)->held_count, 0);
  sem_post(&once_gate);
  join(&first);
  join(&second);
  CHECK_EQUAL(once_runs, 1);
  CHECK_EQUAL(pthread_once(&once_control, once_routine), 0);
  call_once(&c11_flag, c11_once_routine);
  call_once(&c11_flag, c11_once_routine);
  CHECK_EQUAL(once_runs, 2);
  // A routine that its thread leaves for good.
  worker leaver;
  start(&leaver, abandon_once, NULL);
  join(&leaver);
  CHECK(!find_slot(leaver.tid)); // not kept as the holder of anything
}

static void *take_a_name(void *gate) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_setname_np(pthread_self(), "before");
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  CHECK(strcmp(my_slot()->name, "before") == 0);
  pthread_setname_np(pthread_self(), "after");
  CHECK(strcmp(my_slot()->name, "after") == 0);
  CHECK_EQUAL(prctl(PR_SET_NAME, "a long name by prctl"), 0);
  CHECK(strcmp(my_slot()->name, "a long name by ") == 0);
  CHECK_EQUAL(syscall(SYS_prctl, PR_SET_NAME, "by syscall"), 0);
  CHECK(strcmp(my_slot()->name, "by syscall") == 0);
  errno = 4242;
  CHECK_EQUAL(prctl(PR_SET_NAME, (char *)8), -1);
  CHECK_EQUAL(errno, EFAULT);
  CHECK(strcmp(my_slot()->name, "by syscall") == 0);
  while (sem_wait(gate) != 0);
  return NULL;
}

static void names(void) {
  CHECK(strncmp(my_slot()->name, program_invocation_short_name, 15) == 0);
  sem_t gate;
  sem_init(&gate, 0, 0);
  worker w;
  start(&w, take_a_name, &gate);
  EVENTUALLY(waits_for(find_slot(w.tid), &gate));
  CHECK_EQUAL(pthread_setname_np(w.thread, "by another"), 0);
  CHECK(strcmp(find_slot(w.tid)->name, "by another") == 0);
  CHECK_EQUAL(pthread_setname_np(w.thread, "much longer than fifteen"), ERANGE);
  CHECK(strcmp(find_slot(w.tid)->name, "by another") == 0);
  sem_post(&gate);
  join(&w);
}

int main(void) {
  open_arena();
  semaphores();
  spinlocks();
  barriers();
  joins();
  c11_joins();
  once();
  names();
  return done();
}
