#define _GNU_SOURCE
#include "lockjaw_compression.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zstd.h>
#include <zstd_errors.h>

// What `zstd -d` and `xz -d` take without being told to take more: a stream that wants more memory is not an ordinary one.
enum { LARGEST_WINDOW_LOG = 27 };
static const uint64_t most_xz_memory = 128u << 20;

struct lj_unpacker {
  int format;
  ZSTD_DCtx *zstd;
  lzma_stream xz;
  bool is_complete; // the xz stream has ended
};

lj_unpacker *lj_unpacker_create(int format) {
  lj_unpacker *u = calloc(1, sizeof *u);
  if (!u) return NULL;
  u->format = format;
  u->xz = (lzma_stream)LZMA_STREAM_INIT;
  bool is_ready = false;
  if (format == LJ_FORMAT_ZSTD) {
    u->zstd = ZSTD_createDCtx();
    is_ready = u->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, LARGEST_WINDOW_LOG));
  } else if (format == LJ_FORMAT_XZ) {
    is_ready = lzma_stream_decoder(&u->xz, most_xz_memory, 0) == LZMA_OK;
  }
  if (is_ready) return u;
  lj_unpacker_destroy(u);
  return NULL;
}

void lj_unpacker_destroy(lj_unpacker *u) {
  ZSTD_freeDCtx(u->zstd);
  lzma_end(&u->xz);
  free(u);
}

static int run_zstd(lj_unpacker *u, ZSTD_inBuffer *in, ZSTD_outBuffer *out) {
  size_t left = ZSTD_decompressStream(u->zstd, out, in);
  if (!ZSTD_isError(left)) return left == 0 ? LJ_UNPACK_COMPLETE : LJ_UNPACK_MORE;
  return ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge ? LJ_UNPACK_OVERSIZED : LJ_UNPACK_DAMAGED;
}

static int run_xz(lj_unpacker *u, ZSTD_inBuffer *in, ZSTD_outBuffer *out) {
  if (u->is_complete) { // what follows the stream
    in->pos = in->size;
    return LJ_UNPACK_COMPLETE;
  }
  u->xz.next_in = (const uint8_t *)in->src + in->pos;
  u->xz.avail_in = in->size - in->pos;
  u->xz.next_out = (uint8_t *)out->dst + out->pos;
  u->xz.avail_out = out->size - out->pos;
  lzma_ret result = lzma_code(&u->xz, LZMA_RUN);
  in->pos = in->size - u->xz.avail_in;
  out->pos = out->size - u->xz.avail_out;
  switch (result) {
  case LZMA_OK: return LJ_UNPACK_MORE;
  case LZMA_BUF_ERROR: return LJ_UNPACK_MORE; // neither input nor room: no progress was possible
  case LZMA_STREAM_END: u->is_complete = true; return LJ_UNPACK_COMPLETE;
  case LZMA_MEMLIMIT_ERROR: case LZMA_MEM_ERROR: return LJ_UNPACK_OVERSIZED;
  default: return LJ_UNPACK_DAMAGED;
  }
}

int lj_unpacker_run(lj_unpacker *u, const void *in, size_t in_bytes, size_t *in_used, void *out, size_t out_bytes,
                    size_t *out_used) {
  ZSTD_inBuffer input = {in, in_bytes, *in_used};
  ZSTD_outBuffer output = {out, out_bytes, *out_used};
  int status = u->format == LJ_FORMAT_ZSTD ? run_zstd(u, &input, &output) : run_xz(u, &input, &output);
  *in_used = input.pos;
  *out_used = output.pos;
  return status;
}

struct lj_packer {
  ZSTD_CCtx *context;
};

lj_packer *lj_packer_create(uint64_t total_bytes) {
  lj_packer *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  p->context = ZSTD_createCCtx();
  if (p->context && !ZSTD_isError(ZSTD_CCtx_setParameter(p->context, ZSTD_c_checksumFlag, 1)) &&
      !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(p->context, total_bytes)))
    return p;
  lj_packer_destroy(p);
  return NULL;
}

void lj_packer_destroy(lj_packer *p) {
  ZSTD_freeCCtx(p->context);
  free(p);
}

int lj_packer_run(lj_packer *p, const void *in, size_t in_bytes, size_t *in_used, void *out, size_t out_bytes,
                  size_t *out_used, bool is_last) {
  ZSTD_inBuffer input = {in, in_bytes, *in_used};
  ZSTD_outBuffer output = {out, out_bytes, *out_used};
  size_t left = ZSTD_compressStream2(p->context, &output, &input, is_last ? ZSTD_e_end : ZSTD_e_continue);
  *in_used = input.pos;
  *out_used = output.pos;
  if (ZSTD_isError(left)) return -1;
  return is_last ? left != 0 : input.pos < input.size;
}

int lj_memory_file(const char *name) {
  int fd = memfd_create(name, MFD_CLOEXEC);
  return fd < 0 ? -errno : fd;
}
