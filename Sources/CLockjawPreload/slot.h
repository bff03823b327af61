// A thread's slot: claimed at its first recorded operation, given back when the thread ends.
#ifndef LOCKJAW_SLOT_H
#define LOCKJAW_SLOT_H

#include "self.h"

// The destructor of the thread-exit key: `round` counts the rounds of key destructors from 1.
void lj_thread_exit(void *round);

// Registers the above; called once by the constructor.
void lj_watch_thread_exit(void);

// The live slot of a thread, NULL where it has none (or none was found among the first LJ_SCAN_LIMIT).
lj_slot *lj_slot_of_thread(uint32_t tid);
enum { LJ_SCAN_LIMIT = 4096 };

// Ends a slot whose thread is gone and that nobody else works on: FREE where it holds nothing, else kept as evidence.
void lj_slot_retire(lj_slot *slot);

// The tid field of a pthread_t that is still valid; 0 where the layout is not the expected one.
uint32_t lj_tid_of(uint64_t pthread);

// The calling thread's pthread_t.
LJ_INLINE uint64_t lj_self_pthread(void) {
  uint64_t self;
  __asm__("movq %%fs:16, %0" : "=r"(self));
  return self;
}

#endif
