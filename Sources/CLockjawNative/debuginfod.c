// A client that resolves names, talks to the network and unpacks archives may block or crash; so it has a process of its
// own. That process is a fork that only calls the library, which was loaded before: the loader's lock cannot be another
// thread's. Should it hang on some other lock that a thread held at the fork, its deadline ends it.
#define _GNU_SOURCE
#include "lockjaw_debuginfod.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Of elfutils/debuginfod.h, which needs another package; the ABI is versioned (ELFUTILS_0.178).
typedef struct debuginfod_client debuginfod_client;
typedef debuginfod_client *begin_function(void);
typedef int find_function(debuginfod_client *client, const unsigned char *build_id, int build_id_len, char **path);

static _Noreturn void fetch(begin_function *begin, find_function *find, const char *build_id, const char *urls, const char *cache) {
  // It shall not outlive who asked.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setenv("DEBUGINFOD_URLS", urls, 1);
  setenv("DEBUGINFOD_CACHE_PATH", cache, 1);
  debuginfod_client *client = begin();
  if (!client) _exit(ENOMEM);
  // A length of 0: the build-id is hexadecimal text.
  int result = find(client, (const unsigned char *)build_id, 0, NULL);
  _exit(result >= 0 ? 0 : -result < 128 ? -result : EIO);
}

static int64_t now_milliseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int lj_debuginfod_fetch(const char *build_id, const char *urls, const char *cache, int64_t milliseconds) {
  void *library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) return -ENOSYS;
  begin_function *begin = (begin_function *)dlsym(library, "debuginfod_begin");
  find_function *find = (find_function *)dlsym(library, "debuginfod_find_debuginfo");
  if (!begin || !find) return -ENOSYS;
  int64_t deadline = now_milliseconds() + milliseconds;
  pid_t child = fork();
  if (child < 0) return -errno;
  if (child == 0) fetch(begin, find, build_id, urls, cache);
  int descriptor = (int)syscall(SYS_pidfd_open, child, 0);
  bool has_ended = false;
  while (!has_ended) {
    int64_t left = deadline - now_milliseconds();
    if (left <= 0) break;
    struct pollfd waiting = {.fd = descriptor, .events = POLLIN};
    // Without a pidfd (Linux before 5.3): ask now and then.
    int got = descriptor >= 0 ? poll(&waiting, 1, (int)left) : (poll(NULL, 0, 5), 0);
    siginfo_t state = {0};
    has_ended = (got > 0 || descriptor < 0) && waitid(P_PID, (id_t)child, &state, WEXITED | WNOHANG | WNOWAIT) == 0 && state.si_pid == child;
    if (got < 0 && errno != EINTR) break;
  }
  if (!has_ended) kill(child, SIGKILL);
  if (descriptor >= 0) close(descriptor);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!has_ended) return -ETIMEDOUT;
  return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}
