// Programs that shut themselves in. Every one of them lives without the shim, so it must with it.
//   sandbox strict                  locks for the first time in strict mode; no clock, no time-stamp counter
//   sandbox filter HOW              HOW: prctl, syscall-prctl, syscall-seccomp; an allow-list that kills
//   sandbox refused                 a filter that the kernel does not take: nothing changes
//   sandbox vfork | fork            a child's sandbox is not its parent's
// With LOCKJAW_DIR set, they also look at what is recorded.
#include "probe.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/prctl.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static bool preloaded;
static int go;

#define ALLOW(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

// What threads and stdio need, and madvise for nothing but giving a stack back.
static struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    ALLOW(SYS_read), ALLOW(SYS_write), ALLOW(SYS_futex), ALLOW(SYS_exit), ALLOW(SYS_exit_group), ALLOW(SYS_mmap),
    ALLOW(SYS_munmap), ALLOW(SYS_mprotect), ALLOW(SYS_clone), ALLOW(SYS_clone3), ALLOW(SYS_rseq), ALLOW(SYS_brk),
    ALLOW(SYS_set_robust_list), ALLOW(SYS_rt_sigprocmask), ALLOW(SYS_gettid), ALLOW(SYS_sched_yield),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_DONTNEED, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

static long shut_in(const char *how) {
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  CHECK_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  if (!strcmp(how, "prctl")) return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  if (!strcmp(how, "syscall-prctl")) return syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static void say(const char *text) { CHECK_EQUAL(write(1, text, strlen(text)), strlen(text)); }

static void strict(void) {
  sem_t permit;
  sem_init(&permit, 0, 1);
  if (preloaded) open_arena();
  CHECK_EQUAL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), 0);
  CHECK_EQUAL(pthread_mutex_lock(&mutex), 0);
  CHECK_EQUAL(sem_trywait(&permit), 0);
  CHECK_EQUAL(sem_post(&permit), 0);
  if (preloaded) {
    CHECK_EQUAL(arena->quiet_reason, LJ_QUIET_SECCOMP_STRICT);
    const lj_slot *slot = slot_in(arena, 0);
    CHECK_EQUAL(slot->held_count, 1);
    CHECK(slot->held[0].object == (uintptr_t)&mutex);
  }
  CHECK_EQUAL(pthread_mutex_unlock(&mutex), 0);
  say("ok\n");
  syscall(SYS_exit, 0);
}

// Known before the sandbox: locks in it, and waits.
static void *waits_inside(void *unused) {
  pthread_mutex_lock(&other);
  pthread_mutex_unlock(&other);
  EVENTUALLY(__atomic_load_n(&go, __ATOMIC_ACQUIRE));
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}
// Born in the sandbox.
static void *locks_inside(void *unused) {
  for (int i = 0; i < 3000; i++) {
    CHECK_EQUAL(pthread_mutex_lock(&other), 0);
    CHECK_EQUAL(pthread_mutex_unlock(&other), 0);
  }
  return unused;
}

static void filtered(const char *how) {
  worker before, inside;
  start(&before, waits_inside, NULL);
  uint64_t begun_ns = now_ns();
  if (preloaded) {
    open_arena();
    EVENTUALLY(find_slot(before.tid));
  }
  CHECK_EQUAL(shut_in(how), 0);
  CHECK_EQUAL(pthread_mutex_lock(&mutex), 0);
  start(&inside, locks_inside, NULL);
  join(&inside);
  __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
  if (preloaded) {
    const lj_slot *slot = find_slot(before.tid);
    CHECK_EQUAL(arena->quiet_reason, LJ_QUIET_SECCOMP_FILTER);
    CHECK(arena->losses[LJ_LOSS_NO_SLOT] > 0);
    CHECK(!find_slot(inside.tid));
    CHECK(my_slot()->held_count == 1 && holds(my_slot(), &mutex) == 1);
    EVENTUALLY(waits_for(slot, &mutex));
    // A coarse clock: as much as a tick behind.
    CHECK(slot->wait.since_ns + 20000000 > begun_ns && slot->wait.since_ns <= now_ns());
    CHECK_EQUAL(slot->wait.owner_tid, gettid());
  }
  CHECK_EQUAL(pthread_mutex_unlock(&mutex), 0);
  join(&before);
  say("ok\n");
  exit(0);
}

static void refused(void) {
  if (preloaded) open_arena();
  CHECK_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  CHECK_EQUAL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL), -1);
  CHECK_EQUAL(errno, EFAULT);
  CHECK_EQUAL(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), -1);
  CHECK_EQUAL(errno, EFAULT);
  CHECK_EQUAL(prctl(PR_SET_SECCOMP, 77, NULL), -1);
  CHECK_EQUAL(errno, EINVAL);
  // Every argument arrives.
  CHECK_EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 1), -1);
  CHECK_EQUAL(errno, EINVAL);
  CHECK_EQUAL(syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 1), -1);
  CHECK_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
  worker w;
  start(&w, locks_inside, NULL);
  join(&w);
  if (!preloaded) return;
  CHECK_EQUAL(arena->quiet_reason, LJ_QUIET_NONE);
  CHECK_EQUAL(arena->losses[LJ_LOSS_NO_SLOT], 0);
  CHECK_EQUAL(arena->slot_count, 2);
}

static void child_only(bool share_memory) {
  if (preloaded) open_arena();
  int status;
  pid_t child = share_memory ? vfork() : fork();
  if (child == 0) {
    if (share_memory) {
      if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0) syscall(SYS_exit, 3);
      syscall(SYS_exit, 4);
    }
    // Its first lock is in the sandbox; it ends by _exit, whose unlink would kill it.
    if (shut_in("prctl") != 0) _exit(4);
    if (pthread_mutex_lock(&mutex) != 0) _exit(5);
    _exit(3);
  }
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
  worker w;
  start(&w, locks_inside, NULL);
  join(&w);
  if (!preloaded) return;
  CHECK_EQUAL(arena->quiet_reason, LJ_QUIET_NONE);
  CHECK_EQUAL(arena->slot_count, 2);
  CHECK_EQUAL(arena->image_state, LJ_IMAGE_LIVE);
}

int main(int argc, char **argv) {
  CHECK(argc > 1);
  preloaded = getenv("LOCKJAW_DIR") != NULL;
  if (!strcmp(argv[1], "strict")) strict();
  else if (!strcmp(argv[1], "filter")) filtered(argv[2]);
  else if (!strcmp(argv[1], "refused")) refused();
  else if (!strcmp(argv[1], "fork")) child_only(false);
  else if (!strcmp(argv[1], "vfork")) child_only(true);
  else return 64;
  return done();
}
