#include "lockjaw_arena.h"
