// Futex waits through libc's syscall(), and that every other system call passes through it untouched.
#include "probe.h"
#include <limits.h>
#include <linux/futex.h>

static uint32_t word = 5;

static long futex(uint32_t *address, int operation, uint32_t value, const struct timespec *timeout, uint32_t *second,
                  uint32_t third) {
  return syscall(SYS_futex, address, operation, value, timeout, second, third);
}
IN_SECTION(sleep_on) static long sleep_on(uint32_t *address, int operation, uint32_t value, const struct timespec *timeout) {
  long result = futex(address, operation, value, timeout, NULL, FUTEX_BITSET_MATCH_ANY);
  __asm__ volatile("");
  return result;
}

static void *wait_for_word(void *operation) {
  CHECK_EQUAL(sleep_on(&word, (int)(intptr_t)operation, 5, NULL), 0);
  CHECK(!is_waiting(my_slot()));
  CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_ACQUIRED);
  return NULL;
}

static void waits_are_recorded(int operation) {
  worker w;
  start(&w, wait_for_word, (void *)(intptr_t)operation);
  EVENTUALLY(waits_for(find_slot(w.tid), &word));
  const lj_wait *wait = &find_slot(w.tid)->wait;
  CHECK_EQUAL(wait->kind, LJ_KIND_FUTEX);
  CHECK_EQUAL(wait->mode, LJ_MODE_SIGNAL);
  CHECK_EQUAL(wait->futex_op, operation);
  CHECK_EQUAL(wait->futex_value, 5);
  CHECK_EQUAL(wait->deadline_ns, 0);
  EVENTUALLY(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1);
  join(&w);
}

static void deadlines_and_answers(void) {
  struct timespec relative = {.tv_nsec = 5000000};
  const uint64_t before = now_ns();
  CHECK_EQUAL(sleep_on(&word, FUTEX_WAIT_PRIVATE, 5, &relative), -1);
  CHECK_EQUAL(errno, ETIMEDOUT);
  const lj_slot *me = my_slot();
  CHECK(me->wait.deadline_ns > before + 4000000 && me->wait.deadline_ns < before + 2000000000u);
  CHECK_EQUAL(newest_event(me)->outcome, LJ_OUTCOME_TIMEOUT);
  CHECK_EQUAL(sleep_on(&word, FUTEX_WAIT_PRIVATE, 6, NULL), -1);
  CHECK_EQUAL(errno, EAGAIN);
  CHECK(!is_waiting(me));
  struct timespec absolute = in_ms(CLOCK_MONOTONIC, 5);
  CHECK_EQUAL(sleep_on(&word, FUTEX_WAIT_BITSET_PRIVATE, 5, &absolute), -1);
  CHECK_EQUAL(me->wait.deadline_ns, (uint64_t)absolute.tv_sec * 1000000000u + (uint64_t)absolute.tv_nsec);
  absolute = in_ms(CLOCK_REALTIME, 5);
  CHECK_EQUAL(sleep_on(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 5, &absolute), -1);
  CHECK(me->wait.deadline_ns > before && me->wait.deadline_ns < before + 5000000000u);
  // A timeout on the heap is read too; a bad one is the kernel's to refuse.
  struct timespec *heap = malloc(sizeof *heap);
  *heap = in_ms(CLOCK_MONOTONIC, 5);
  CHECK_EQUAL(sleep_on(&word, FUTEX_WAIT_BITSET_PRIVATE, 5, heap), -1);
  CHECK_EQUAL(me->wait.deadline_ns, (uint64_t)heap->tv_sec * 1000000000u + (uint64_t)heap->tv_nsec);
  free(heap);
  CHECK_EQUAL(sleep_on(&word, FUTEX_WAIT_PRIVATE, 5, (void *)8), -1);
  CHECK_EQUAL(errno, EFAULT);
  CHECK_EQUAL(sleep_on((void *)8, FUTEX_WAIT_PRIVATE, 5, NULL), -1);
  CHECK_EQUAL(errno, EFAULT);
  CHECK_EQUAL(sleep_on(&word, 99, 5, NULL), -1);
  CHECK_EQUAL(errno, ENOSYS);
}

static uint32_t pi_word;
static void *hold_pi(void *unused) {
  CHECK_EQUAL(futex(&pi_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
  CHECK(!is_waiting(my_slot()));
  CHECK_EQUAL(futex(&pi_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
  return unused;
}
static void priority_inheriting_futexes(void) {
  CHECK_EQUAL(futex(&pi_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
  CHECK_EQUAL(futex(&pi_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), -1);
  CHECK_EQUAL(errno, EDEADLK);
  CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_DEADLOCK);
  CHECK_EQUAL(newest_event(my_slot())->kind, LJ_KIND_PI_FUTEX);
  worker w;
  start(&w, hold_pi, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &pi_word));
  CHECK_EQUAL(find_slot(w.tid)->wait.kind, LJ_KIND_PI_FUTEX);
  CHECK_EQUAL(find_slot(w.tid)->wait.mode, LJ_MODE_EXCLUSIVE);
  CHECK_EQUAL(futex(&pi_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
  join(&w);
}

static void other_calls_pass(void) {
  CHECK_EQUAL(syscall(SYS_getpid), getpid());
  errno = 0;
  CHECK_EQUAL(syscall(SYS_close, -1), -1);
  CHECK_EQUAL(errno, EBADF);
  // Six arguments, the last one on the stack of the caller.
  int file = (int)syscall(SYS_memfd_create, "six", 0);
  CHECK(file >= 0);
  CHECK_EQUAL(ftruncate(file, 8192), 0);
  CHECK_EQUAL(pwrite(file, "second page", 12, 4096), 12);
  char *mapped = (char *)syscall(SYS_mmap, NULL, 4096L, (long)PROT_READ, (long)MAP_SHARED, (long)file, 4096L);
  CHECK(mapped != MAP_FAILED);
  CHECK(strcmp(mapped, "second page") == 0);
  CHECK_EQUAL(syscall(SYS_munmap, mapped, 4096L), 0);
  CHECK_EQUAL(syscall(LONG_MAX), -1);
  CHECK_EQUAL(errno, ENOSYS);
}

static uint32_t vector_words[2] = {7, 8};
static void *wait_for_either(void *unused) {
  struct {
    uint64_t value, word;
    uint32_t flags, reserved;
  } waiters[2] = {{7, (uintptr_t)&vector_words[0], 2 | FUTEX_PRIVATE_FLAG, 0}, // 2: 32 bits
                  {8, (uintptr_t)&vector_words[1], 2 | FUTEX_PRIVATE_FLAG, 0}};
  long woken = syscall(449, waiters, 2, 0, NULL, 0);
  CHECK(woken == 1 || (woken == -1 && errno == ENOSYS));
  return unused;
}
static void vectors(void) {
  worker w;
  start(&w, wait_for_either, NULL);
  // Over at once where the kernel is older than 5.16.
  EVENTUALLY(!find_slot(w.tid) || waits_for(find_slot(w.tid), &vector_words[0]) || find_slot(w.tid)->ring_head);
  if (find_slot(w.tid) && waits_for(find_slot(w.tid), &vector_words[0])) {
    CHECK_EQUAL(find_slot(w.tid)->wait.kind, LJ_KIND_FUTEX);
    CHECK_EQUAL(find_slot(w.tid)->wait.object2, 2);
    CHECK_EQUAL(find_slot(w.tid)->wait.futex_value, 7);
  }
  while (pthread_tryjoin_np(w.thread, NULL) != 0) futex(&vector_words[1], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

// futex_wait and futex_wake of Linux 6.7; 2: words of 32 bits.
static long futex2_wait(const struct timespec *deadline, clockid_t clock) {
  return syscall(455, &word, 5UL, 0xFFFFFFFFUL, 2 | FUTEX_PRIVATE_FLAG, deadline, clock);
}
static void *wait_by_new_call(void *unused) {
  CHECK_EQUAL(futex2_wait(NULL, CLOCK_MONOTONIC), 0);
  CHECK(!is_waiting(my_slot()));
  CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_ACQUIRED);
  return unused;
}
static void new_calls(void) {
  struct timespec soon = in_ms(CLOCK_MONOTONIC, 5);
  errno = 0;
  CHECK_EQUAL(futex2_wait(&soon, CLOCK_MONOTONIC), -1);
  if (errno == ENOSYS) return; // an older kernel
  CHECK_EQUAL(errno, ETIMEDOUT);
  const lj_slot *me = my_slot();
  CHECK_EQUAL(newest_event(me)->outcome, LJ_OUTCOME_TIMEOUT);
  CHECK_EQUAL(me->wait.deadline_ns, (uint64_t)soon.tv_sec * 1000000000u + (uint64_t)soon.tv_nsec);
  worker w;
  start(&w, wait_by_new_call, NULL);
  EVENTUALLY(waits_for(find_slot(w.tid), &word));
  const lj_wait *wait = &find_slot(w.tid)->wait;
  CHECK_EQUAL(wait->kind, LJ_KIND_FUTEX);
  CHECK_EQUAL(wait->futex_op, FUTEX_WAIT_BITSET_PRIVATE);
  CHECK_EQUAL(wait->futex_value, 5);
  CHECK_EQUAL(wait->deadline_ns, 0);
  EVENTUALLY(syscall(454, &word, 0xFFFFFFFFUL, 1, 2 | FUTEX_PRIVATE_FLAG) == 1);
  join(&w);
}

int main(void) {
  open_arena();
  vectors();
  new_calls();
  waits_are_recorded(FUTEX_WAIT_PRIVATE);
  waits_are_recorded(FUTEX_WAIT_BITSET_PRIVATE);
  deadlines_and_answers();
  priority_inheriting_futexes();
  other_calls_pass();
  return done();
}
