#ifndef LOCKJAW_WATCHDOG_H
#define LOCKJAW_WATCHDOG_H

// Installs the handler of LOCKJAW_SIGNAL where the program has none. Called once by the constructor.
void lj_watchdog_install(void);

// A forked child inherits the handler but not the helper that may be in flight.
void lj_watchdog_child(void);

#endif
