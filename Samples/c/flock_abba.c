// Two programs that each keep one file locked and want the other's: flock(2) knows no deadlock, unlike fcntl(2).
//
// lockjaw: verdict=deadlock certainty=inferred threads=2 bystanders=0 processes=2
#include "sample.h"

#include <sys/file.h>

static int journal, table;

static int open_file(const char *name) {
  char path[128];
  snprintf(path, sizeof path, "/tmp/lockjaw-sample-%d.%s", (int)getpid(), name);
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) exit(2);
  unlink(path);
  return file;
}

/// An open file of its own, as another program would have: a lock belongs to that, not to the process.
static int reopen(int file) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  return open(path, O_RDWR | O_CLOEXEC);
}

static void meet(int mine, int other) {
  char byte = 1;
  if (write(other, &byte, 1) != 1 || read(mine, &byte, 1) != 1) exit(2);
}

int main(void) {
  sample_begin();
  journal = open_file("journal");
  table = open_file("table");
  int to_writer[2], to_vacuum[2];
  if (pipe2(to_writer, O_CLOEXEC) != 0 || pipe2(to_vacuum, O_CLOEXEC) != 0) return 2;
  if (fork() == 0) {
    sample_child();
    pthread_setname_np(pthread_self(), "vacuum");
    int own_table = reopen(table), own_journal = reopen(journal);
    close(table);
    close(journal);
    flock(own_table, LOCK_EX);  // lockjaw: holds table thread=vacuum
    meet(to_vacuum[0], to_writer[1]);
    flock(own_journal, LOCK_EX);  // lockjaw: waits journal thread=vacuum
    return 0;
  }
  pthread_setname_np(pthread_self(), "writer");
  int own_journal = reopen(journal), own_table = reopen(table);
  close(table);
  close(journal);
  flock(own_journal, LOCK_EX);  // lockjaw: holds journal thread=writer
  meet(to_writer[0], to_vacuum[1]);
  flock(own_table, LOCK_EX);  // lockjaw: waits table thread=writer
  return 0;
}
