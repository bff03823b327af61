// A preloaded library that says something when its program crashes, as libSegFault does: then the signal does what it does.
#include <signal.h>
#include <unistd.h>

static void on_crash(int signal) {
  static const char text[] = "crashed\n";
  (void)!write(1, text, sizeof text - 1);
  struct sigaction plain = {.sa_handler = SIG_DFL};
  sigaction(signal, &plain, 0); // and back to the instruction
}

__attribute__((constructor)) static void take_signal(void) {
  struct sigaction action = {.sa_handler = on_crash};
  sigaction(SIGSEGV, &action, 0);
}
