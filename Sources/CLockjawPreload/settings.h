#ifndef LOCKJAW_SETTINGS_H
#define LOCKJAW_SETTINGS_H

// Fills lj_process.settings from the environment. Called once by the constructor.
void lj_read_settings(void);

// One line on standard error if LOCKJAW_LOG asks for it: the only thing the shim ever prints.
void lj_log(const char *message);

#endif
