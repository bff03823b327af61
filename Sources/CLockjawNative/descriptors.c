// Thin: the system call and its error number, nothing kept. Descriptors are made close-on-exec, so that the programs
// lockjaw starts do not inherit them.
#define _GNU_SOURCE
#include "lockjaw_descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
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

// Opening a device is not without effect (a tape winds, a watchdog starts): O_PATH opens nothing and says what it is.
int lj_open_regular(const char *path) {
  enum { FLAGS = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };
  int place = open(path, O_PATH | O_CLOEXEC);
  if (place < 0) return -errno;
  struct stat status;
  int fd;
  if (fstat(place, &status) != 0) fd = -errno;
  else if (!S_ISREG(status.st_mode)) fd = -ENODEV;
  else {
    char name[40];
    snprintf(name, sizeof name, "/proc/self/fd/%d", place);
    fd = open(name, FLAGS);
    if (fd < 0 && errno == ENOENT) fd = open(path, FLAGS); // no /proc here
    if (fd < 0) fd = -errno;
  }
  close(place);
  return fd;
}

pid_t lj_gettid(void) { return (pid_t)syscall(SYS_gettid); }

bool lj_has_file_capabilities(const char *path) { return getxattr(path, "security.capability", NULL, 0) > 0; }
