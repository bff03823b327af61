// A shell-like program that waits for its filter to end before it closes the pipe that the filter reads to the end.
//
// lockjaw: verdict=deadlock certainty=inferred threads=2 bystanders=0 processes=2
#include "sample.h"

#include <sys/wait.h>

static int filter(int input) {
  char line[256];
  ssize_t length;
  while ((length = read(input, line, sizeof line)) > 0) {  // lockjaw: awaits shell thread=filter
    if (write(STDOUT_FILENO, line, (size_t)length) < 0) return 1;
  }
  return 0;
}

int main(void) {
  sample_begin();
  pthread_setname_np(pthread_self(), "shell");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return 2;
  pid_t child = fork();
  if (child == 0) {
    sample_child();
    pthread_setname_np(pthread_self(), "filter");
    close(ends[1]);
    return filter(ends[0]);
  }
  close(ends[0]);
  if (write(ends[1], "one line\n", 9) != 9) return 2;
  int status;
  waitpid(child, &status, 0);  // lockjaw: awaits filter thread=shell
  close(ends[1]);              // The mistake: too late.
  return 0;
}
