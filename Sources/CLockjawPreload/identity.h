// Who this process is, from /proc.
#ifndef LOCKJAW_IDENTITY_H
#define LOCKJAW_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

// A time namespace shifts CLOCK_MONOTONIC and what /proc says of starts (time_namespaces(7)). Who reads an arena may be in
// another, so everything recorded is in the machine's own time, as the first namespace has it. To be called before any of
// the functions that give times; leaves the shifts in `lj_process`.
void lj_find_time_namespace(void);

// A point on this process' CLOCK_MONOTONIC, as the program gives it, in the machine's time.
uint64_t lj_machine_time_ns(uint64_t monotonic_ns);

// Field 22 of /proc/<pid>/stat in clock ticks since the machine's boot, 0 where it cannot be read. `pid` 0: this process.
uint64_t lj_start_ticks(uint32_t pid);

// The kernel's boot id as 16 bytes; zeros where it cannot be read.
void lj_read_boot_id(uint8_t boot_id[16]);

#endif
