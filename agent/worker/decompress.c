/* see decompress.h */
#include "worker/decompress.h"

#include "base/limits.h"
#include "worker/gunzip.h"

#include <errno.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

bool decompress_open(struct decompress *d, enum layer_compression compression, int fd, uint64_t bytes_max,
                     struct err *e) {
    d->compression = compression;
    d->fd = fd;
    d->out = d->own;
    d->bytes_max = bytes_max;
    d->bytes = d->at = d->have = 0;
    d->input_ended = d->ended = false;
    d->inside = compression != LAYER_PLAIN;
    d->gzip = NULL;
    d->zstd = NULL;
    bool ok = true;
    if (compression == LAYER_GZIP) ok = (d->gzip = gunzip_new()) != NULL;
    if (compression == LAYER_ZSTD)
        ok = (d->zstd = ZSTD_createDCtx()) &&
             !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX));
    return ok || err_set(e, ERR_SYSTEM, "no memory to decompress with");
}

void decompress_close(struct decompress *d) {
    gunzip_free(d->gzip);
    ZSTD_freeDCtx(d->zstd);
    d->gzip = NULL;
    d->zstd = NULL;
}

static bool refill(struct decompress *d, struct err *e) {
    ssize_t n;
    do n = read(d->fd, d->in, sizeof d->in);
    while (n < 0 && errno == EINTR);
    if (n < 0) return err_sys(e, "cannot read the layer");
    d->input_ended = n == 0;
    d->at = 0;
    d->have = (size_t)n;
    return true;
}

static bool broken(uint64_t bytes, const char *format, const char *why, struct err *e) {
    if (bytes == 0) return err_set(e, ERR_FORMAT, "the media type says %s, the bytes are not: %s", format, why);
    return err_set(e, ERR_FORMAT, "broken %s after %llu bytes of tar: %s", format, (unsigned long long)bytes, why);
}

/* One step from in[at..have) to out[*n..]. Either may stand still; both do at a truncated end. */
static bool step_gzip(struct decompress *d, size_t *n, struct err *e) {
    struct view in = view_of(d->in + d->at, d->have - d->at);
    const char *fault;
    bool ok = gunzip_step(d->gzip, &in, d->out, DECOMPRESS_BLOCK, n, &d->inside, &fault);
    d->at = d->have - in.n;
    if (ok) return true;
    return fault ? broken(d->bytes + *n, "gzip", fault, e) : err_set(e, ERR_SYSTEM, "no memory to decompress with");
}

static bool step_zstd(struct decompress *d, size_t *n, struct err *e) {
    ZSTD_inBuffer in = {d->in, d->have, d->at};
    ZSTD_outBuffer out = {d->out, DECOMPRESS_BLOCK, *n};
    size_t r = ZSTD_decompressStream(d->zstd, &out, &in);
    d->at = in.pos;
    *n = out.pos;
    d->inside = r != 0;
    if (!ZSTD_isError(r)) return true;
    ZSTD_ErrorCode code = ZSTD_getErrorCode(r);
    if (code == ZSTD_error_memory_allocation) return err_set(e, ERR_SYSTEM, "no memory to decompress with");
    if (code == ZSTD_error_frameParameter_windowTooLarge)
        return err_set(e, ERR_FORMAT, "zstd wants a window above the limit of %d MiB", 1 << (ZSTD_WINDOW_LOG_MAX - 20));
    return broken(d->bytes + *n, "zstd", ZSTD_getErrorName(r), e);
}

static void step_plain(struct decompress *d, size_t *n) {
    struct view more = view_first(view_of(d->in + d->at, d->have - d->at), DECOMPRESS_BLOCK - *n);
    memcpy(d->out + *n, more.p, more.n);
    d->at += more.n;
    *n += more.n;
}

static bool step(struct decompress *d, size_t *n, struct err *e) {
    if (d->compression == LAYER_GZIP) return step_gzip(d, n, e);
    if (d->compression == LAYER_ZSTD) return step_zstd(d, n, e);
    step_plain(d, n);
    return true;
}

bool decompress_next(struct decompress *d, struct view *out, struct err *e) {
    size_t n = 0;
    while (n < DECOMPRESS_BLOCK && !d->ended) {
        if (d->at == d->have && !d->input_ended && !refill(d, e)) return false;
        size_t at = d->at, before = n;
        if (d->at == d->have && !d->inside) d->ended = true;
        else if (!step(d, &n, e)) return false;
        else if (d->input_ended && d->at == at && n == before)
            return err_set(e, ERR_FORMAT, "the layer is truncated: its compressed bytes end after %llu bytes of tar",
                           (unsigned long long)(d->bytes + n));
    }
    if (n > d->bytes_max - d->bytes) {
        err_set(e, ERR_POLICY, "the layer unpacks to more than the %llu bytes that are left of limits.bytes",
                (unsigned long long)d->bytes_max);
        return err_mend(e, "raise limits.bytes in the policy, if the image is meant to be so large");
    }
    d->bytes += n;
    *out = view_of(d->out, n);
    return true;
}
