#ifndef LOCKJAW_THREAD_NAME_H
#define LOCKJAW_THREAD_NAME_H

// The calling thread has just given itself this name, which the kernel has read: up to 15 bytes and a zero. Where it has no
// slot yet, its slot will ask the kernel.
void lj_thread_is_named(const char *name);

#endif
