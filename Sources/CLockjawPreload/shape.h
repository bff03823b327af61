// A held entry's count, kind, mode, caller_count and flags as the one word they are in memory.
#ifndef LOCKJAW_SHAPE_H
#define LOCKJAW_SHAPE_H

#include "self.h"

typedef uint64_t lj_shape;
#define LJ_SHAPE(kind, mode, flags) \
  ((lj_shape)1 | (lj_shape)(kind) << 32 | (lj_shape)(mode) << 40 | (lj_shape)(flags) << 56)

LJ_INLINE uint8_t lj_kind_of(lj_shape shape) { return (uint8_t)(shape >> 32); }
LJ_INLINE uint8_t lj_mode_of(lj_shape shape) { return (uint8_t)(shape >> 40); }
LJ_INLINE uint8_t lj_flags_of(lj_shape shape) { return (uint8_t)(shape >> 56); }

LJ_INLINE void lj_held_set_shape(lj_held *entry, lj_shape shape) {
  __builtin_memcpy((char *)entry + offsetof(lj_held, count), &shape, sizeof shape); // one store
}

#endif
