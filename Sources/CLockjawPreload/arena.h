// The arena of this image: mapping, pages, extents.
#ifndef LOCKJAW_SHIM_ARENA_H
#define LOCKJAW_SHIM_ARENA_H

#include "self.h"

enum lj_arena_failure {
  LJ_ARENA_OK,
  LJ_ARENA_NO_DIRECTORY, // nothing can be written anywhere a collector looks
  LJ_ARENA_REFUSED,      // `reason` was filled in
};

// Creates and maps the file of this image, still under a name that no reader looks for. On LJ_ARENA_REFUSED `reason`
// holds a sentence.
enum lj_arena_failure lj_arena_create(int directory, char *reason, size_t reason_bytes);

// Gives the file its name: from now on readers see it. False: it could not, and the file is gone.
bool lj_arena_publish(int directory);

// Leaves a file of header only that says why nothing is recorded; does what it can.
void lj_arena_leave_reason(int directory, const char *reason);

// Fills the identity fields of a header: who, where, when.
void lj_arena_describe(lj_arena_header *header, uint32_t image_state);

// Gives back every mapping of this arena; `lj_process.header` is NULL afterwards.
void lj_arena_unmap(void);

// In a forked child: puts memory of its own in place of the parent's arena; `lj_process.header` is NULL afterwards.
void lj_arena_retire(void);

// A soft limit of this process (the one that raises signals); UINT64_MAX: none.
uint64_t lj_limit(int resource);

// Allocates the pages of [from, from + bytes) so that stores cannot fault. False: there is no memory for them.
bool lj_arena_populate(const void *from, uint64_t bytes);

// Publishes one more slot and returns its index, or LJ_NO_SLOT.
enum { LJ_NO_SLOT = 0xFFFFFFFF };
uint32_t lj_arena_grow_slots(void);

// Zeroed memory of the arena's history, and the number of its first unit, from 1. It is never given back. NULL: there is
// none to be had, counted.
void *lj_history_claim(uint64_t bytes, uint32_t *unit);

// An extent (index + 1) of cleared entries, or LJ_NO_EXTENT.
uint32_t lj_extent_claim(uint32_t owner_slot);
void lj_extent_release(uint32_t link);

// The lists of free slots and free extents: stacks of index + 1 with a tag against reuse in between (Treiber 1986).
uint32_t lj_stack_pop(uint64_t *head, uint32_t (*next_of)(uint32_t link));
void lj_stack_push(uint64_t *head, uint32_t link, void (*set_next)(uint32_t link, uint32_t next));

#endif
