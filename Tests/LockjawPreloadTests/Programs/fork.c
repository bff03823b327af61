// Children of every kind: each gets an arena of its own when it first locks, and never writes into its parent's.
#include "probe.h"
#include <sched.h>
#include <semaphore.h>
#include <spawn.h>
#include <sys/time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t inherited = PTHREAD_MUTEX_INITIALIZER;

static void check_child_ended_well(pid_t child) {
  int status;
  CHECK_EQUAL(waitpid(child, &status, __WALL), child);
  CHECK_EQUAL(status, 0);
  CHECK_EQUAL(count_arenas_of(child, NULL, 0), 0); // it removed its file
  CHECK_EQUAL(count_arenas_of(getpid(), NULL, 0), 1); // and not ours
}

// What every child does: it has no file until it locks, then one that says who it is, and its lock is in there.
static void live_as_child(pid_t parent) {
  const lj_arena_header *parents = arena;
  CHECK_EQUAL(count_arenas_of(getpid(), NULL, 0), 0);
  pthread_mutex_lock(&mutex);
  open_arena();
  CHECK(arena != parents);
  CHECK_EQUAL(arena->pid, getpid());
  CHECK_EQUAL(arena->parent_pid, parent);
  CHECK_EQUAL(arena->image_number, 0);
  CHECK(arena->module_count > 0);
  CHECK_EQUAL(holds(my_slot(), &mutex), 1);
  CHECK_EQUAL(my_slot()->held_count, 1);
  const lj_slot *in_parent = find_slot_in(parents, parent);
  CHECK(in_parent);
  CHECK_EQUAL(holds(in_parent, &mutex), 0);
  pthread_mutex_unlock(&mutex);
  CHECK_EQUAL(my_slot()->held_count, 0);
  CHECK_EQUAL(arena->losses[LJ_LOSS_FOREIGN], 0);
}

static void a_forked_child(void) {
  pid_t parent = getpid(), child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    live_as_child(parent);
    exit(0);
  }
  check_child_ended_well(child);
}

static void a_child_that_exits_at_once(void) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  check_child_ended_well(child);
  child = fork();
  if (child == 0) exit(0);
  check_child_ended_well(child);
}

static void a_child_without_atfork(void) {
  pid_t parent = getpid(), child = _Fork();
  if (child == 0) {
    live_as_child(parent);
    _exit(0);
  }
  check_child_ended_well(child);
  child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    // glibc does not know of this one: its cached tid is the parent's, gettid() is not.
    live_as_child(parent);
    _exit(0);
  }
  check_child_ended_well(child);
}

static void a_grandchild(void) {
  pid_t parent = getpid(), child = fork();
  if (child == 0) {
    live_as_child(parent);
    pid_t middle = getpid(), grandchild = fork();
    if (grandchild == 0) {
      live_as_child(middle);
      _exit(0);
    }
    check_child_ended_well(grandchild);
    exit(0);
  }
  check_child_ended_well(child);
}

// A thread of the child locks before the forking thread does: that one must not use the slot it inherited.
static void *lock_once(void *unused) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}
static void a_child_whose_thread_locks_first(void) {
  pid_t child = fork();
  if (child == 0) {
    const lj_arena_header *parents = arena;
    const lj_slot *in_parent = find_slot_in(parents, getppid());
    pthread_t thread;
    CHECK_EQUAL(pthread_create(&thread, NULL, lock_once, NULL), 0);
    EVENTUALLY(count_arenas_of(getpid(), NULL, 0) == 1);
    open_arena();
    // While the other thread is still at it, this one goes on unrecorded.
    EVENTUALLY((pthread_mutex_lock(&mutex), pthread_mutex_unlock(&mutex), find_slot(gettid())));
    pthread_mutex_lock(&mutex);
    CHECK_EQUAL(holds(in_parent, &mutex), 0);
    CHECK_EQUAL(holds(my_slot(), &mutex), 1);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    exit(0);
  }
  check_child_ended_well(child);
}

static void take_before_fork(void) { pthread_mutex_lock(&inherited); }
static void release_after_fork(void) { pthread_mutex_unlock(&inherited); }

static void locks_held_over_a_fork(void) {
  // The classic pattern: taken before, released on both sides.
  pthread_atfork(take_before_fork, release_after_fork, release_after_fork);
  pid_t child = fork();
  if (child == 0) {
    // The handler's release was this child's first operation: it has its arena, and knows of nothing it lacks.
    open_arena();
    CHECK_EQUAL(my_slot()->held_count, 0);
    CHECK_EQUAL(my_slot()->held_lost, 0);
    CHECK_EQUAL(arena->foreign_releases, 0);
    CHECK_EQUAL(arena->losses[LJ_LOSS_FOREIGN], 0);
    exit(0);
  }
  check_child_ended_well(child);
  CHECK_EQUAL(my_slot()->held_count, 0);
  // Two locks held on, in the child too: its list says that it is incomplete until they are released.
  static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER, two = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&one);
  pthread_mutex_lock(&two);
  child = fork();
  if (child == 0) {
    pthread_mutex_lock(&mutex);
    open_arena();
    CHECK_EQUAL(my_slot()->held_lost, 2);
    CHECK_EQUAL(my_slot()->held_count, 1);
    pthread_mutex_unlock(&two);
    pthread_mutex_unlock(&one);
    CHECK_EQUAL(my_slot()->held_lost, 0);
    pthread_mutex_unlock(&mutex);
    CHECK_EQUAL(my_slot()->held_count, 0);
    exit(0);
  }
  check_child_ended_well(child);
  CHECK_EQUAL(my_slot()->held_count, 2);
  pthread_mutex_unlock(&two);
  pthread_mutex_unlock(&one);
}

__attribute__((noinline)) static pid_t vfork_and_lock(void) {
  pid_t child = vfork();
  if (child == 0) {
    // Shares the parent's memory and the slot of the thread that waits for it.
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    _exit(0);
  }
  return child;
}

static void a_vfork_child(void) {
  check_child_ended_well(vfork_and_lock());
  CHECK_EQUAL(arena->image_state, LJ_IMAGE_LIVE);
  CHECK_EQUAL(my_slot()->held_count, 0);
}

static void a_spawned_child(void) {
  char *arguments[] = {"true", NULL}, *environment[] = {NULL};
  pid_t child;
  CHECK_EQUAL(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environment), 0);
  check_child_ended_well(child);
  CHECK_EQUAL(system("exit 3") >> 8, 3);
  CHECK_EQUAL(arena->image_state, LJ_IMAGE_LIVE);
}

static void a_killed_child_leaves_evidence(void) {
  pid_t child = fork();
  if (child == 0) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_t *other = &inherited;
    pthread_mutex_lock(other);
    raise(SIGKILL);
  }
  int status;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status));
  const lj_arena_header *left = map_arena_of(child);
  CHECK(left);
  CHECK_EQUAL(left->image_state, LJ_IMAGE_LIVE);
  const lj_slot *slot = find_slot_in(left, child);
  CHECK_EQUAL(slot->held_count, 2);
  CHECK_EQUAL(slot->held[0].object, (uintptr_t)&mutex);
}

// Many children at once, from many threads: none hangs, none disturbs the parent's record.
static void *fork_often(void *unused) {
  pthread_mutex_t mine = PTHREAD_MUTEX_INITIALIZER;
  for (int i = 0; i < 20; i++) {
    pthread_mutex_lock(&mine);
    pid_t child = fork();
    if (child == 0) {
      pthread_mutex_unlock(&mine);
      _exit(0);
    }
    pthread_mutex_unlock(&mine);
    int status;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
  }
  CHECK_EQUAL(my_slot()->held_count, 0);
  return unused;
}
static void children_of_many_threads(void) {
  worker workers[4];
  for (int i = 0; i < 4; i++) start(&workers[i], fork_often, NULL);
  for (int i = 0; i < 4; i++) join(&workers[i]);
  CHECK_EQUAL(arena->losses[LJ_LOSS_FOREIGN], 0);
}

// A handler that forks in the middle of a lock operation: in the child, which gets its own arena in the handler, the
// operation goes on where it was, and writes to where the parent's slot was. A timer finds every place sooner or later.
static volatile int forked, ended_badly;
static void fork_in_handler(int signal) {
  (void)signal;
  static pthread_mutex_t in_handler = PTHREAD_MUTEX_INITIALIZER;
  pid_t child = fork();
  if (child == 0) {
    pthread_mutex_lock(&in_handler);
    pthread_mutex_unlock(&in_handler);
    forked = -1;
    return;
  }
  int status = -1;
  while (waitpid(child, &status, 0) != child);
  if (status != 0) ended_badly = status;
  forked++;
}

static void children_of_interrupted_operations(void) {
  enum { CHILDREN = 40 };
  static pthread_mutex_t locks[3] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
  signal(SIGALRM, fork_in_handler);
  while (forked >= 0 && forked < CHILDREN) {
    int before = forked;
    struct itimerval soon = {.it_value = {.tv_usec = 50 + before * 7}};
    CHECK_EQUAL(setitimer(ITIMER_REAL, &soon, NULL), 0);
    while (forked == before) {
      for (int i = 0; i < 3; i++) pthread_mutex_lock(&locks[i]);
      for (int i = 0; i < 3; i++) pthread_mutex_unlock(&locks[i]);
    }
  }
  if (forked < 0) {
    // The child: its own records are about its own locks, the parent's about the parent's.
    for (int i = 0; i < 3; i++) pthread_mutex_lock(&locks[i]);
    open_arena();
    CHECK_EQUAL(arena->pid, getpid());
    for (int i = 0; i < 3; i++) CHECK_EQUAL(holds(my_slot(), &locks[i]), 1);
    _exit(0);
  }
  signal(SIGALRM, SIG_DFL);
  CHECK_EQUAL(ended_badly, 0);
  CHECK_EQUAL(my_slot()->held_count, 0);
}

static void exec_again(char *self) {
  char *arguments[] = {self, "after-exec", NULL};
  execv("/proc/self/exe", arguments);
  CHECK(false);
}

int main(int argc, char **argv) {
  open_arena();
  if (argc > 1) {
    // The image before exec is gone, and its file with it: open_arena found exactly one.
    CHECK_EQUAL(arena->image_number, 1);
    pthread_mutex_lock(&mutex);
    CHECK_EQUAL(holds(my_slot(), &mutex), 1);
    return done();
  }
  CHECK_EQUAL(arena->image_number, 0);
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  a_forked_child();
  a_child_that_exits_at_once();
  a_child_without_atfork();
  a_grandchild();
  a_child_whose_thread_locks_first();
  a_vfork_child();
  a_spawned_child();
  a_killed_child_leaves_evidence();
  locks_held_over_a_fork(); // registers handlers for the rest of this program's life
  children_of_many_threads();
  children_of_interrupted_operations();
  exec_again(argv[0]);
}
