// System calls without libc: no errno, no cancellation point, no lock, no other interposer in between.
//
// Everything the shim asks of the kernel goes through here, so that it is safe in a signal handler, in the child
// of a fork and before libc is ready. Results are the kernel's: negative errno on failure. It is also the one gate
// that closes when the program enters a sandbox (quiet.h): from then on every call fails with ENOSYS, unmade.
#ifndef LOCKJAW_RAW_H
#define LOCKJAW_RAW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

// LJ_QUIET_*; not 0: the shim makes no system call any more.
extern uint32_t lj_quiet __attribute__((visibility("hidden")));

// Past the gate: for calls that are the program's own.
static inline long lj_raw_forward(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static inline long lj_raw6(long number, long a, long b, long c, long d, long e, long f) {
  if (__builtin_expect(__atomic_load_n(&lj_quiet, __ATOMIC_RELAXED) != 0, 0)) return -38; // ENOSYS
  return lj_raw_forward(number, a, b, c, d, e, f);
}

static inline long lj_raw4(long number, long a, long b, long c, long d) { return lj_raw6(number, a, b, c, d, 0, 0); }
static inline long lj_raw3(long number, long a, long b, long c) { return lj_raw6(number, a, b, c, 0, 0, 0); }
static inline long lj_raw2(long number, long a, long b) { return lj_raw6(number, a, b, 0, 0, 0, 0); }
static inline long lj_raw1(long number, long a) { return lj_raw6(number, a, 0, 0, 0, 0, 0); }
static inline long lj_raw0(long number) { return lj_raw6(number, 0, 0, 0, 0, 0, 0); }

static inline uint32_t lj_raw_getpid(void) { return (uint32_t)lj_raw0(SYS_getpid); }
static inline uint32_t lj_raw_gettid(void) { return (uint32_t)lj_raw0(SYS_gettid); }

static inline int lj_raw_openat(int directory, const char *path, int flags, int mode) {
  return (int)lj_raw4(SYS_openat, directory, (long)path, flags, mode);
}
static inline long lj_raw_read(int fd, void *buffer, size_t bytes) {
  return lj_raw3(SYS_read, fd, (long)buffer, (long)bytes);
}
static inline void lj_raw_close(int fd) { (void)lj_raw1(SYS_close, fd); }

// Reads a whole small file (a /proc entry) into `buffer`, terminates it; returns its length or a negative errno.
static inline long lj_raw_read_file(const char *path, char *buffer, size_t capacity) {
  int fd = lj_raw_openat(-100 /* AT_FDCWD */, path, 02000000 /* O_RDONLY|O_CLOEXEC */, 0);
  if (fd < 0) return fd;
  size_t length = 0;
  while (length < capacity - 1) {
    long got = lj_raw_read(fd, buffer + length, capacity - 1 - length);
    if (got == -4 /* EINTR */) continue;
    if (got <= 0) break;
    length += (size_t)got;
  }
  lj_raw_close(fd);
  buffer[length] = 0;
  return (long)length;
}

#endif
