/* decompress: a layer's compressed bytes from a descriptor, as blocks of its tar.
 *
 * gzip (RFC 1952): several members allowed; each needs its trailer, and nothing else may follow. zstd (RFC 8878):
 * several frames and skippable frames; the window is at most 2^ZSTD_WINDOW_LOG_MAX. */
#ifndef PLINTH_WORKER_DECOMPRESS_H
#define PLINTH_WORKER_DECOMPRESS_H

#include "base/err.h"
#include "base/view.h"
#include "oci/manifest.h"

/* A few of these and the decoders' tables lie in a core's cache together; with more, every byte comes from memory. */
#define DECOMPRESS_BLOCK (128u << 10)

struct decompress {
    enum layer_compression compression;
    int fd;
    uint64_t bytes_max, bytes; /* uncompressed: allowed, and given out so far */
    bool input_ended, ended;
    bool inside; /* a member or frame is not complete, or none was seen yet */
    struct gunzip *gzip;
    struct ZSTD_DCtx_s *zstd;
    size_t at, have; /* rest of `in` */
    uint8_t in[128 << 10];
    uint8_t *out; /* DECOMPRESS_BLOCK bytes for the next block: `own`, unless the caller sets another place */
    uint8_t own[DECOMPRESS_BLOCK];
};

/* ERR_SYSTEM when out of memory. The struct is large (it holds the buffers); it needs no zeroing. */
bool decompress_open(struct decompress *d, enum layer_compression compression, int fd, uint64_t bytes_max,
                     struct err *e);
/* The next block, full (a multiple of 512 bytes) but for the last; valid until the next call. Empty: the end.
 * ERR_FORMAT: broken, truncated or trailing bytes. ERR_POLICY: more than bytes_max. ERR_SYSTEM: reading failed, or out
 * of memory. */
bool decompress_next(struct decompress *d, struct view *out, struct err *e);
void decompress_close(struct decompress *d);

#endif
