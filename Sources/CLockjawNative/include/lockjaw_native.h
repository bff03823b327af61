#ifndef LOCKJAW_NATIVE_H
#define LOCKJAW_NATIVE_H
// Umbrella: one header per reason.
#include "lockjaw_arena_access.h"
#endif
