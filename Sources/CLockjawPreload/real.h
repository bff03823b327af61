// The functions the shim stands in front of: `lj_real.pthread_mutex_lock` and so on, one member per LJ_REAL line of
// interposed.def. Filled before any wrapper forwards; no member is ever NULL after lj_real_ready().
#ifndef LOCKJAW_REAL_H
#define LOCKJAW_REAL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <threads.h>
#include <time.h>

typedef struct lj_real_table {
#define LJ_REAL(name, result, parameters) result(*name) parameters;
#define LJ_OWN(name)
#include "interposed.def"
#undef LJ_REAL
#undef LJ_OWN
} lj_real_table;

extern lj_real_table lj_real;

// Fills the table; cheap once it is filled. Safe to call from any wrapper at any time, also before the constructor
// and inside the look-up itself.
void lj_real_ready(void);

// Points the assembly of syscall() and prctl() at the table.
void lj_futex_ready(void);
void lj_prctl_ready(void);

// Where syscall() forwards to.
typedef long (*lj_syscall_function)(long, long, long, long, long, long, long);
extern lj_syscall_function lj_syscall_next __attribute__((visibility("hidden")));

// Whether an entry of the table was found. Those of libc always are.
bool lj_real_is_there(const void *function);

// A function of libc itself, whatever else is preloaded; NULL where libc has none. Reads libc's symbol table in
// memory: no lock, no allocation.
void *lj_libc_symbol(const char *name);

#endif
