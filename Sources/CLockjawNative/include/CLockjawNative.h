// The door of this room: one header per reason. A new one is added here, or Swift does not see it.
#include "lockjaw_arena_access.h"
#include "lockjaw_descriptors.h"
#include "lockjaw_dwarf.h"
#include "lockjaw_gnu.h"
#include "lockjaw_ptrace.h"
#include "lockjaw_socket.h"
#include "lockjaw_symbols.h"
#include "lockjaw_unwind.h"
