// Streams of zstd and xz, in pieces of the caller's choosing: bounded memory, whatever the stream asks for.
#ifndef LOCKJAW_COMPRESSION_H
#define LOCKJAW_COMPRESSION_H

#include "lockjaw_nullability.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

LJ_NONNULL_BEGIN

enum {
  LJ_FORMAT_ZSTD = 0, // RFC 8878; frames may follow one another
  LJ_FORMAT_XZ = 1,   // one stream; what follows it is ignored
};

typedef struct lj_unpacker lj_unpacker;
// NULL: out of memory, or no such format.
lj_unpacker *_Nullable lj_unpacker_create(int format);
void lj_unpacker_destroy(lj_unpacker *unpacker);

enum {
  LJ_UNPACK_MORE = 0,      // it goes on: more input, or more room, is wanted
  LJ_UNPACK_COMPLETE = 1,  // a frame or stream ended here; the input may end here too
  LJ_UNPACK_DAMAGED = 2,   // no such stream, or a checksum that is wrong
  LJ_UNPACK_OVERSIZED = 3, // its dictionary is larger than lj_unpacker may hold
};
// Advances `in_used` and `out_used`; returns LJ_UNPACK_*.
int lj_unpacker_run(lj_unpacker *unpacker, const void *in, size_t in_bytes, size_t *in_used, void *out, size_t out_bytes,
                    size_t *out_used);

typedef struct lj_packer lj_packer;
// Zstd with a checksum, at the level `zstd` has by itself. The stream announces that it will unpack to `total_bytes`.
lj_packer *_Nullable lj_packer_create(uint64_t total_bytes);
void lj_packer_destroy(lj_packer *packer);
// Advances `in_used` and `out_used`. `is_last`: the stream ends with this input. Returns 0 when all of it has been
// written, 1 when there is more to write (call again), -1 on failure (another length than announced, no memory).
int lj_packer_run(lj_packer *packer, const void *in, size_t in_bytes, size_t *in_used, void *out, size_t out_bytes,
                  size_t *out_used, bool is_last);

// A file without a name, in memory, close-on-exec; or a negative errno.
int lj_memory_file(const char *name);

LJ_NONNULL_END
#endif
