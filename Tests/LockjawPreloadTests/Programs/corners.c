// What few programs do and all may: each mode is one thing, and says "ok".
#include "probe.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <sys/prctl.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

// --- a critical section left by longjmp, and ended by whoever knows
static jmp_buf way_out;
static void leave_with_the_lock(void) {
  pthread_mutex_lock(&mutex);
  longjmp(way_out, 1);
}
static void jumps(void) {
  for (int i = 0; i < 100; i++) {
    if (setjmp(way_out) == 0) leave_with_the_lock();
    CHECK_EQUAL(holds(my_slot(), &mutex), 1);
    CHECK_EQUAL(pthread_mutex_unlock(&mutex), 0);
    CHECK_EQUAL(my_slot()->held_count, 0);
  }
}

// --- objects shared between processes
typedef struct shared_objects {
  pthread_mutex_t mutex;
  pthread_rwlock_t rwlock;
  sem_t begun;
  _Atomic int child_holds;
} shared_objects;

static void shared(void) {
  shared_objects *objects =
      mmap(NULL, sizeof *objects, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(objects != MAP_FAILED);
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  CHECK_EQUAL(pthread_mutex_init(&objects->mutex, &kind), 0);
  CHECK_EQUAL(sem_init(&objects->begun, 1, 0), 0);
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    CHECK_EQUAL(pthread_mutex_lock(&objects->mutex), 0);
    open_arena();
    CHECK_EQUAL(holds(my_slot(), &objects->mutex), 1);
    sem_post(&objects->begun);
    for (;;) pause();
  }
  CHECK_EQUAL(sem_wait(&objects->begun), 0);
  const lj_arena_header *childs = map_arena_of(child);
  CHECK(childs && find_slot_in(childs, child));
  CHECK_EQUAL(find_slot_in(childs, child)->held[0].object, (uint64_t)(uintptr_t)&objects->mutex);
  struct timespec soon = in_ms(CLOCK_REALTIME, 20);
  CHECK_EQUAL(pthread_mutex_timedlock(&objects->mutex, &soon), ETIMEDOUT);
  CHECK_EQUAL(newest_event(my_slot())->owner_tid, child);
  CHECK_EQUAL(my_slot()->held_count, 0);
  kill(child, SIGKILL);
  CHECK_EQUAL(pthread_mutex_lock(&objects->mutex), EOWNERDEAD);
  CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_OWNER_DIED);
  CHECK_EQUAL(holds(my_slot(), &objects->mutex), 1);
  CHECK_EQUAL(pthread_mutex_consistent(&objects->mutex), 0);
  CHECK_EQUAL(pthread_mutex_unlock(&objects->mutex), 0);
  CHECK_EQUAL(waitpid(child, NULL, 0), child);
}

// --- a named semaphore
static sem_t *named;
static void *wait_for_named(void *unused) {
  CHECK_EQUAL(sem_wait(named), 0);
  CHECK_EQUAL(my_slot()->permits[0].object, (uint64_t)(uintptr_t)named);
  CHECK_EQUAL(sem_post(named), 0);
  return unused;
}
static void named_semaphores(void) {
  char name[64];
  snprintf(name, sizeof name, "/lockjaw-corner-%d", getpid());
  named = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
  CHECK(named != SEM_FAILED);
  CHECK_EQUAL(sem_unlink(name), 0);
  worker w;
  start(&w, wait_for_named, NULL);
  EVENTUALLY(find_slot(w.tid) && waits_for(find_slot(w.tid), named));
  CHECK_EQUAL(find_slot(w.tid)->wait.kind, LJ_KIND_SEM);
  CHECK_EQUAL(sem_post(named), 0);
  join(&w);
  CHECK_EQUAL(sem_close(named), 0);
}

// --- a library that locks, loaded and unloaded again and again
static void *use(void *function) {
  ((void (*)(pthread_mutex_t *, int))(uintptr_t)function)(&mutex, 1);
  return NULL;
}
static void libraries(const char *path) {
  for (int i = 0; i < 30; i++) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(library);
    void *lock = dlsym(library, "library_lock");
    CHECK(lock);
    // Contended, so that the module list is read anew; then gone, while the hold's site still points into it.
    CHECK_EQUAL(pthread_mutex_lock(&mutex), 0);
    worker w;
    start(&w, use, lock);
    EVENTUALLY(find_slot(w.tid) && waits_for(find_slot(w.tid), &mutex));
    CHECK_EQUAL(pthread_mutex_unlock(&mutex), 0);
    join(&w);
    ((void (*)(pthread_mutex_t *, int))(uintptr_t)lock)(&mutex, 0);
    CHECK_EQUAL(holds(my_slot(), &mutex), 1);
    CHECK_EQUAL(dlclose(library), 0);
    CHECK_EQUAL(pthread_mutex_unlock(&mutex), 0);
    CHECK_EQUAL(my_slot()->held_count, 0);
  }
}

// --- the smallest stack that a thread may have, of which static thread-local storage takes its part
static void *with_little_stack(void *library_lock) {
  void (*lock)(pthread_mutex_t *, int) = (void (*)(pthread_mutex_t *, int))(uintptr_t)library_lock;
  lock(&mutex, 1); // its first operation, a wait, from code that is in no list of modules yet
  pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t never = PTHREAD_COND_INITIALIZER;
  struct timespec soon = in_ms(CLOCK_REALTIME, 5);
  if (pthread_mutex_lock(&own) != 0 || pthread_cond_timedwait(&never, &own, &soon) != ETIMEDOUT) _exit(3);
  pid_t child = fork();
  if (child == 0) _exit(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0 ? 0 : 4);
  int status;
  if (waitpid(child, &status, 0) != child || status != 0) _exit(5);
  if (pthread_mutex_unlock(&own) != 0) _exit(6);
  return NULL;
}
static void small_stack(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  CHECK(library);
  void *lock = dlsym(library, "library_lock");
  pthread_attr_t smallest;
  pthread_attr_init(&smallest);
  CHECK_EQUAL(pthread_attr_setstacksize(&smallest, (size_t)sysconf(_SC_THREAD_STACK_MIN)), 0);
  CHECK_EQUAL(pthread_mutex_lock(&mutex), 0);
  pthread_t thread;
  CHECK_EQUAL(pthread_create(&thread, &smallest, with_little_stack, lock), 0);
  const lj_slot *slot = NULL;
  EVENTUALLY((slot = slot_in(arena, 1)) && lj_load_acquire32(&arena->slot_count) > 1 && waits_for(slot, &mutex));
  CHECK_EQUAL(pthread_mutex_unlock(&mutex), 0);
  CHECK_EQUAL(pthread_join(thread, NULL), 0);
}

// --- a waiter that is moved from one futex to another
static uint32_t requeue_from = 1, requeue_to = 1;
static void *wait_to_be_moved(void *unused) {
  CHECK_EQUAL(syscall(SYS_futex, &requeue_from, FUTEX_WAIT_PRIVATE, 1, NULL), 0);
  CHECK_EQUAL(newest_event(my_slot())->outcome, LJ_OUTCOME_ACQUIRED);
  return unused;
}
static void requeued(void) {
  worker w;
  start(&w, wait_to_be_moved, NULL);
  EVENTUALLY(syscall(SYS_futex, &requeue_from, FUTEX_CMP_REQUEUE_PRIVATE, 0, 1L, &requeue_to, 1) == 1);
  CHECK(waits_for(find_slot(w.tid), &requeue_from));
  CHECK_EQUAL(syscall(SYS_futex, &requeue_to, FUTEX_WAKE_PRIVATE, 1), 1);
  join(&w);
}

// --- threads in numbers
static void *lock_once(void *unused) {
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}
static void a_lifetime_of_threads(void) {
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  for (int i = 0; i < 66000; i += 4) {
    pthread_t threads[4];
    for (int j = 0; j < 4; j++) CHECK_EQUAL(pthread_create(&threads[j], &small, lock_once, NULL), 0);
    for (int j = 0; j < 4; j++) CHECK_EQUAL(pthread_join(threads[j], NULL), 0);
  }
  CHECK(arena->slot_count < 64);
  for (int cause = 0; cause < LJ_LOSS_COUNT; cause++) CHECK_EQUAL(arena->losses[cause], 0);
}

enum { CROWD = 10000 };
static _Atomic int arrived;
static pthread_cond_t all_go = PTHREAD_COND_INITIALIZER;
static int may_go;
static void *one_of_a_crowd(void *unused) {
  pthread_mutex_lock(&mutex);
  __atomic_fetch_add(&arrived, 1, __ATOMIC_RELEASE);
  while (!may_go) pthread_cond_wait(&all_go, &mutex);
  pthread_mutex_unlock(&mutex);
  return unused;
}
static void a_crowd(void) {
  static pthread_t threads[CROWD];
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  int made = 0;
  while (made < CROWD && pthread_create(&threads[made], &small, one_of_a_crowd, NULL) == 0) made++;
  EVENTUALLY(__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) == made);
  int waiting = 0;
  uint32_t count = lj_load_acquire32(&arena->slot_count);
  pthread_mutex_lock(&mutex); // all are inside the wait now
  for (uint32_t i = 0; i < count; i++)
    if (slot_in(arena, i)->phase == LJ_PHASE_LIVE && waits_for(slot_in(arena, i), &all_go)) waiting++;
  // Where there is little shared memory, some have no slot, and that is counted.
  CHECK(waiting == made || arena->losses[LJ_LOSS_NO_SLOT] >= (uint64_t)(made - waiting));
  may_go = 1;
  pthread_cond_broadcast(&all_go);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < made; i++) pthread_join(threads[i], NULL);
  printf("%s\n", made == CROWD ? "all of them" : "as many as the system allows");
}

// --- C++ guards without a C++ library: the shim's own part
static void guards_alone(void) {
  int (*acquire)(uint64_t *) = (int (*)(uint64_t *))dlsym(RTLD_DEFAULT, "__cxa_guard_acquire");
  void (*release)(uint64_t *) = (void (*)(uint64_t *))dlsym(RTLD_DEFAULT, "__cxa_guard_release");
  void (*give_up)(uint64_t *) = (void (*)(uint64_t *))dlsym(RTLD_DEFAULT, "__cxa_guard_abort");
  CHECK(acquire && release && give_up);
  uint64_t guard = 0;
  CHECK_EQUAL(acquire(&guard), 1);
  CHECK_EQUAL(holds(my_slot(), &guard), 1);
  give_up(&guard);
  CHECK_EQUAL(holds(my_slot(), &guard), 0);
  CHECK_EQUAL(acquire(&guard), 1);
  release(&guard);
  CHECK_EQUAL(acquire(&guard), 0);
  CHECK_EQUAL(*(unsigned char *)&guard, 1);
  CHECK_EQUAL(my_slot()->held_count, 0);
}

int main(int count, char **arguments) {
  CHECK(count >= 2);
  const char *mode = arguments[1];
  open_arena();
  if (!strcmp(mode, "jumps")) jumps();
  else if (!strcmp(mode, "shared")) shared();
  else if (!strcmp(mode, "named")) named_semaphores();
  else if (!strcmp(mode, "library")) libraries(arguments[2]);
  else if (!strcmp(mode, "small")) small_stack(arguments[2]);
  else if (!strcmp(mode, "requeue")) requeued();
  else if (!strcmp(mode, "lifetime")) a_lifetime_of_threads();
  else if (!strcmp(mode, "crowd")) a_crowd();
  else if (!strcmp(mode, "guards")) guards_alone();
  else return 2;
  return done();
}
