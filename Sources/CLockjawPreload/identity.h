// Who this process is, from /proc.
#ifndef LOCKJAW_IDENTITY_H
#define LOCKJAW_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

// Field 22 of /proc/<pid>/stat in clock ticks since boot, 0 where it cannot be read. `pid` 0: this process.
uint64_t lj_start_ticks(uint32_t pid);

// The kernel's boot id as 16 bytes; zeros where it cannot be read.
void lj_read_boot_id(uint8_t boot_id[16]);

#endif
