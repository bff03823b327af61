// What a wait that is a cancellation point leaves to be done on every way out: cancellation, pthread_exit, longjmp.
//
// glibc has two kinds of cleanup for C. What <pthread.h> makes of pthread_cleanup_push is a jump buffer that the thread
// goes on pointing at when a handler leaves the frame by siglongjmp: the thread's end then jumps into a frame that is gone
// (nptl/unwind.c, unwind_stop). The older kind is a chain of which longjmp runs what it passes, newest first
// (nptl/cleanup.c, __pthread_cleanup_upto), and the unwinder of a cancellation as well. glibc's own waits use it, so a
// wait of the shim must too: what glibc puts back for a wait that is left (the mutex of a condition) is put back first, and
// then recorded.
#ifndef LOCKJAW_CLEANUP_H
#define LOCKJAW_CLEANUP_H

#include <pthread.h>

// Exported and versioned with glibc 2.34's merge of libpthread; no header declares them any more.
extern void _pthread_cleanup_push(struct _pthread_cleanup_buffer *buffer, void (*routine)(void *), void *argument);
extern void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *buffer, int execute);

#endif
