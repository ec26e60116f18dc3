/* see gunzip.h */
#include "worker/gunzip.h"

#include <stdlib.h>
#include <zlib.h>

struct gunzip {
    z_stream z;
};

struct gunzip *gunzip_new(void) {
    struct gunzip *g = calloc(1, sizeof *g);
    if (g && inflateInit2(&g->z, 16 + MAX_WBITS) == Z_OK) return g; /* 16: gzip alone, not zlib */
    free(g);
    return NULL;
}

void gunzip_free(struct gunzip *g) {
    if (g) inflateEnd(&g->z);
    free(g);
}

bool gunzip_step(struct gunzip *g, struct view *in, uint8_t *out, size_t size, size_t *n, bool *inside,
                 const char **fault) {
    z_stream *z = &g->z;
    z->next_in = (Bytef *)(uintptr_t)in->p;
    z->avail_in = (uInt)in->n;
    z->next_out = out + *n;
    z->avail_out = (uInt)(size - *n);
    int r = inflate(z, Z_NO_FLUSH);
    *in = view_skip(*in, in->n - z->avail_in);
    *n = size - z->avail_out;
    *inside = r != Z_STREAM_END;
    if (r == Z_STREAM_END) inflateReset(z);
    *fault = r == Z_MEM_ERROR ? NULL : z->msg ? z->msg : "damaged";
    return r == Z_OK || r == Z_BUF_ERROR || r == Z_STREAM_END;
}
