// Thin: the system call and its error number, nothing kept. Descriptors are made close-on-exec, so that the programs
// lockjaw starts do not inherit them.
#define _GNU_SOURCE
#include "lockjaw_descriptors.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

int lj_pidfd_open(pid_t pid) {
  long fd = syscall(SYS_pidfd_open, pid, 0);
  return fd < 0 ? -errno : (int)fd;
}

int lj_pidfd_send_signal(int pidfd, int signal) {
  return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

int lj_signalfd(const sigset_t *mask) {
  int fd = signalfd(-1, mask, SFD_CLOEXEC | SFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

int lj_signalfd_next(int fd, pid_t *sender) {
  struct signalfd_siginfo info;
  ssize_t got = read(fd, &info, sizeof info);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
  // The kernel hands out whole records; a shorter one would be something else than a signalfd.
  if (got != sizeof info) return 0;
  if (sender) *sender = (pid_t)info.ssi_pid;
  return (int)info.ssi_signo;
}

pid_t lj_gettid(void) { return (pid_t)syscall(SYS_gettid); }

bool lj_has_file_capabilities(const char *path) { return getxattr(path, "security.capability", NULL, 0) > 0; }
