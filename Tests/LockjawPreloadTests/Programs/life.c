// Ends and beginnings: what is left of a process, by the way it ended, and what its arena says about it.
//   life end exit|_exit|_Exit|quick_exit|syscall|abort|kill|segv|pthread_exit|return|threads
//   life identity        the header describes this process
//   life crowd           many threads, wherever the arena has room; prints the losses
//   life inherited       holds a lock from before main (early.c)
//   life limited         whatever limits the caller set
//   life modules LIB     a library loaded later is noticed
//   life signal          raises the watchdog signal twice and goes on
//   life lockall         locks its memory, which must not allocate the whole arena
//   life elsewhere       started with a relative LOCKJAW_DIR, goes to another directory
//   life nothing         needs no arena
#include "probe.h"
#include <dlfcn.h>
#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *lock_for_ever(void *unused) {
  pthread_mutex_t mine = PTHREAD_MUTEX_INITIALIZER;
  for (;;) {
    pthread_mutex_lock(&mine);
    pthread_mutex_unlock(&mine);
  }
  return unused;
}

static void end(const char *way) {
  pthread_mutex_lock(&mutex);
  fflush(stdout);
  if (!strcmp(way, "exit")) exit(3);
  if (!strcmp(way, "_exit")) _exit(4);
  if (!strcmp(way, "_Exit")) _Exit(5);
  if (!strcmp(way, "quick_exit")) quick_exit(6);
  if (!strcmp(way, "syscall")) syscall(SYS_exit_group, 7);
  if (!strcmp(way, "abort")) abort();
  if (!strcmp(way, "kill")) raise(SIGKILL);
  if (!strcmp(way, "segv")) *(volatile int *)8 = 0;
  if (!strcmp(way, "pthread_exit")) pthread_exit(NULL);
  if (!strcmp(way, "threads")) {
    worker workers[4];
    for (int i = 0; i < 4; i++) start(&workers[i], lock_for_ever, NULL);
    exit(8);
  }
}

static const lj_module *module_at(uint64_t address) {
  const lj_module *modules = (const lj_module *)((const char *)arena + arena->modules_offset);
  for (uint32_t i = lj_load_acquire32(&arena->module_count); i-- > 0;)
    if (address >= modules[i].start && address < modules[i].end) return &modules[i];
  return NULL;
}

static void identity(int argc, char **argv) {
  open_arena();
  CHECK_EQUAL(arena->version, LJ_ABI_VERSION);
  CHECK_EQUAL(arena->header_bytes, sizeof(lj_arena_header));
  CHECK_EQUAL(arena->slot_bytes, sizeof(lj_slot));
  CHECK_EQUAL(arena->pid, getpid());
  CHECK_EQUAL(arena->parent_pid, getppid());
  CHECK_EQUAL(arena->uid, geteuid());
  CHECK_EQUAL(arena->image_number, 0);
  CHECK_EQUAL(arena->level, LJ_LEVEL_STATE);
  CHECK(arena->created_ns > 0 && arena->created_ns <= now_ns());
  CHECK(strcmp(arena->session, "session of the test") == 0);
  char path[512] = {0}, expected[1024] = "", boot[64] = {0};
  CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
  CHECK(strcmp(arena->executable, path) == 0);
  for (int i = 0; i < argc; i++) {
    if (i) strcat(expected, " ");
    strcat(expected, argv[i]);
  }
  CHECK(strcmp(arena->command, expected) == 0);
  FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
  CHECK(file && fgets(boot, sizeof boot, file));
  fclose(file);
  char text[40], *at = text;
  for (int i = 0; i < 16; i++) at += sprintf(at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", arena->boot_id[i]);
  CHECK(strncmp(text, boot, 36) == 0);
  unsigned long long ticks = 0;
  file = fopen("/proc/self/stat", "r");
  CHECK(file && fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &ticks) == 1);
  fclose(file);
  CHECK_EQUAL(arena->start_ticks, ticks);

  const lj_module *own = module_at((uintptr_t)&identity), *libc = module_at((uintptr_t)dlsym(RTLD_NEXT, "getpid"));
  CHECK(own && libc && own != libc);
  CHECK(strcmp(own->path, path) == 0);
  CHECK((uintptr_t)&identity >= own->text_start && (uintptr_t)&identity < own->text_end);
  CHECK_EQUAL(own->build_id_bytes, 20);
  CHECK(strstr(libc->path, "libc.so.6"));
  struct stat status;
  CHECK_EQUAL(stat(libc->path, &status), 0);
  CHECK_EQUAL(libc->inode, status.st_ino);
  CHECK_EQUAL(libc->device_major << 8 | libc->device_minor, status.st_dev >> 8 << 8 | (status.st_dev & 0xff));
  const lj_module *shim = module_at(arena->shim_base);
  CHECK(shim && shim->start == arena->shim_base && strstr(shim->path, "liblockjaw"));
  // The build-id as the linker wrote it: printed for the test, which asks readelf.
  for (uint32_t i = 0; i < own->build_id_bytes; i++) printf("%02x", own->build_id[i]);
  puts("");
  // No descriptor of the arena is left behind.
  for (int fd = 0; fd < 100; fd++) {
    char link[40], target[600] = {0};
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, target, sizeof target - 1) > 0) CHECK(!strstr(target, "lockjaw-"));
  }
}

static sem_t gate;
static void *lock_and_stay(void *unused) {
  pthread_mutex_t mine = PTHREAD_MUTEX_INITIALIZER;
  for (int i = 0; i < 1000; i++) {
    CHECK_EQUAL(pthread_mutex_lock(&mine), 0);
    CHECK_EQUAL(pthread_mutex_unlock(&mine), 0);
  }
  while (sem_wait(&gate) != 0);
  CHECK_EQUAL(sem_post(&gate), 0);
  return unused;
}

static void crowd(void) {
  enum { THREADS = 300, LOCKS = 3000 };
  static worker workers[THREADS];
  static pthread_mutex_t locks[LOCKS];
  sem_init(&gate, 0, 0);
  for (int i = 0; i < THREADS; i++) start(&workers[i], lock_and_stay, NULL);
  for (int i = 0; i < LOCKS; i++) CHECK_EQUAL(pthread_mutex_lock(&locks[i]), 0);
  for (int i = 0; i < LOCKS; i++) CHECK_EQUAL(pthread_mutex_unlock(&locks[i]), 0);
  open_arena();
  uint64_t no_slot = arena->losses[LJ_LOSS_NO_SLOT], no_memory = arena->losses[LJ_LOSS_NO_MEMORY];
  printf("slots %u\n", arena->slot_count);
  printf("overflow %llu\n", (unsigned long long)arena->losses[LJ_LOSS_HELD_OVERFLOW]);
  printf("%s\n", no_slot ? "threads without a slot" : "a slot for everybody");
  printf("%s\n", no_memory ? "memory ran out" : "memory sufficed");
  CHECK_EQUAL(my_slot()->held_count, 0);
  CHECK_EQUAL(my_slot()->held_lost, 0);
  sem_post(&gate);
  for (int i = 0; i < THREADS; i++) join(&workers[i]);
}

// With early.c preloaded: a lock was taken in a constructor, before or after the shim's own, and is still held.
static void inherited(void) {
  open_arena();
  pthread_mutex_lock(&mutex);
  CHECK_EQUAL(my_slot()->held_count + my_slot()->held_lost, 2);
  pthread_mutex_unlock(&mutex);
  printf("%s\n", my_slot()->held_lost ? "before the shim" : "after the shim");
  CHECK_EQUAL(arena->losses[LJ_LOSS_EARLY] > 0, my_slot()->held_lost > 0);
}

static void limited(void) {
  pthread_mutex_lock(&mutex);
  struct rlimit file, space;
  getrlimit(RLIMIT_FSIZE, &file);
  getrlimit(RLIMIT_AS, &space);
  uint64_t mapped = (uint64_t)mapped_arena_bytes();
  arena = map_arena_of(getpid());
  CHECK(arena);
  printf("state %u, capacity %u\n%s\n", arena->image_state, arena->slot_capacity, arena->reason);
  if (arena->image_state == LJ_IMAGE_LIVE) {
    CHECK(arena->file_bytes <= file.rlim_cur);
    if (space.rlim_cur != RLIM_INFINITY) CHECK(mapped > 0 && mapped <= space.rlim_cur / 8);
    CHECK_EQUAL(holds(my_slot(), &mutex), 1);
  }
  pthread_mutex_unlock(&mutex);
}

static pthread_mutex_t from_library = PTHREAD_MUTEX_INITIALIZER;
static void *call_library(void *library) {
  void (*lock_it)(pthread_mutex_t *) = (void (*)(pthread_mutex_t *))dlsym(library, "lock_it");
  CHECK(lock_it);
  lock_it(&from_library);
  pthread_mutex_unlock(&from_library);
  return NULL;
}
static void modules(const char *path) {
  open_arena();
  void *library = dlopen(path, RTLD_NOW);
  CHECK(library);
  uint64_t address = (uintptr_t)dlsym(library, "lock_it");
  CHECK(!module_at(address));
  pthread_mutex_lock(&from_library);
  worker w;
  start(&w, call_library, library);
  EVENTUALLY(find_slot(w.tid) && waits_for(find_slot(w.tid), &from_library));
  CHECK(module_at(address));
  CHECK(strcmp(module_at(address)->path, path) == 0);
  CHECK(module_at(find_slot(w.tid)->wait.site) == module_at(address));
  CHECK_EQUAL(arena->modules_generation, 2);
  pthread_mutex_unlock(&from_library);
  join(&w);
}

static void lock_memory(void) {
  // The arena is not mapped here: a mapping of this program's own would be locked all over.
  sem_init(&gate, 0, 0);
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
    puts("may not lock memory");
    return;
  }
  worker w;
  start(&w, lock_and_stay, NULL);
  sem_post(&gate);
  join(&w);
  char path[600];
  struct stat status;
  CHECK_EQUAL(count_arenas_of(getpid(), path, sizeof path), 1);
  CHECK_EQUAL(stat(path, &status), 0);
  printf("%lld KiB\n", (long long)status.st_blocks / 2);
  CHECK(status.st_blocks < 4 << 11);
}

static void go_elsewhere(void) {
  char path[600];
  CHECK_EQUAL(count_arenas_of(getpid(), path, sizeof path), 1); // LOCKJAW_DIR is relative
  CHECK_EQUAL(chdir("/"), 0);
  CHECK_EQUAL(count_arenas_of(getpid(), NULL, 0), 0);
  pid_t child = fork();
  if (child == 0) {
    pthread_mutex_lock(&mutex);
    raise(SIGKILL); // its file stays where the others are
  }
  waitpid(child, NULL, 0);
}

static void raise_signal(const char *name) {
  open_arena();
  int number = atoi(name);
  CHECK_EQUAL(arena->report_requests, 0);
  raise(number);
  CHECK_EQUAL(arena->report_requests, 1);
  raise(number); // within five seconds: counted, but no second helper
  CHECK_EQUAL(arena->report_requests, 2);
  // Whatever helper was started is nobody's child here.
  CHECK_EQUAL(waitpid(-1, NULL, 0), -1);
  CHECK_EQUAL(errno, ECHILD);
}

int main(int argc, char **argv) {
  CHECK(argc > 1);
  if (!strcmp(argv[1], "end")) end(argv[2]);
  else if (!strcmp(argv[1], "identity")) identity(argc, argv);
  else if (!strcmp(argv[1], "crowd")) crowd();
  else if (!strcmp(argv[1], "inherited")) inherited();
  else if (!strcmp(argv[1], "limited")) limited();
  else if (!strcmp(argv[1], "modules")) modules(argv[2]);
  else if (!strcmp(argv[1], "lockall")) lock_memory();
  else if (!strcmp(argv[1], "elsewhere")) go_elsewhere();
  else if (!strcmp(argv[1], "signal")) raise_signal(argv[2]);
  else if (!strcmp(argv[1], "nothing")) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
  } else return 64;
  return !strcmp(argv[1], "end") ? 0 : done();
}
