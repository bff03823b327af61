// A library with a handler for SIGQUIT of its own, in place whether its constructor runs before the shim's or after.
#include <signal.h>

static void on_quit(int signal) { (void)signal; }

__attribute__((constructor)) static void take_signal(void) { signal(SIGQUIT, on_quit); }
