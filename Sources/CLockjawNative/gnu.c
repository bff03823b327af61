#define _GNU_SOURCE
#include "lockjaw_gnu.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void lj_name_thread(pthread_t thread, const char *name) { pthread_setname_np(thread, name); }

const char *lj_signal_abbreviation(int number) { return sigabbrev_np(number); }

int64_t lj_next_data(int fd, int64_t offset) {
  off_t found = lseek(fd, offset, SEEK_DATA);
  return found < 0 ? -errno : found;
}

int64_t lj_next_hole(int fd, int64_t offset) {
  off_t found = lseek(fd, offset, SEEK_HOLE);
  return found < 0 ? -errno : found;
}
