// Read-modify-writes that only this thread does, as one instruction each: a signal handler on this thread comes before or
// after, never in between. Without a lock prefix they cost what a plain store costs; other threads and the collector may
// read the word, nobody else may write it.
#ifndef LOCKJAW_LOCAL_H
#define LOCKJAW_LOCAL_H

#include "self.h"

LJ_INLINE void lj_local_add(uint64_t *word, uint64_t by) {
  __asm__ volatile("addq %1, %0" : "+m"(*word) : "er"(by) : "cc", "memory");
}

// Returns the value before.
LJ_INLINE uint64_t lj_local_fetch_add(uint64_t *word, uint64_t by) {
  __asm__ volatile("xaddq %0, %1" : "+r"(by), "+m"(*word) : : "cc", "memory");
  return by;
}

// Whether the word was `was` and is `to` now.
LJ_INLINE bool lj_local_swap16(uint16_t *word, uint16_t was, uint16_t to) {
  uint16_t found = was;
  __asm__ volatile("cmpxchgw %2, %1" : "+a"(found), "+m"(*word) : "r"(to) : "cc", "memory");
  return found == was;
}

// Whether the word was 0 and is `to` now.
LJ_INLINE bool lj_local_claim32(uint32_t *word, uint32_t to) {
  uint32_t found = 0;
  __asm__ volatile("cmpxchgl %2, %1" : "+a"(found), "+m"(*word) : "r"(to) : "cc", "memory");
  return found == 0;
}

#endif
