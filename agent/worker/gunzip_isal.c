/* see gunzip.h */
#include "worker/gunzip.h"

#include <igzip_lib.h>
#include <stdlib.h>

/* isal_inflate forgets the flags of a header that is cut between two calls; isal_read_gzip_header, with a struct that
 * stays, does not. */
struct gunzip {
    struct isal_gzip_header head; /* its buffers are NULL: names and comments are passed over */
    bool head_read;
    struct inflate_state state;
};

static void begin(struct gunzip *g) {
    isal_inflate_reset(&g->state);
    g->head = (struct isal_gzip_header){0};
    g->head_read = false;
}

struct gunzip *gunzip_new(void) {
    struct gunzip *g = malloc(sizeof *g);
    if (!g) return NULL;
    isal_inflate_init(&g->state);
    g->state.crc_flag = ISAL_GZIP_NO_HDR_VER; /* the trailer is checked, CRC-32 and size */
    begin(g);
    return g;
}

void gunzip_free(struct gunzip *g) { free(g); }

static const char *explain(int code) {
    switch (code) {
    case ISAL_INVALID_WRAPPER: return "incorrect header check";
    case ISAL_UNSUPPORTED_METHOD: return "unknown compression method";
    case ISAL_INCORRECT_CHECKSUM: return "incorrect checksum or length";
    case ISAL_INVALID_LOOKBACK: return "invalid distance too far back";
    case ISAL_INVALID_SYMBOL: return "invalid symbol";
    case ISAL_INVALID_BLOCK: return "invalid block";
    default: return "damaged";
    }
}

bool gunzip_step(struct gunzip *g, struct view *in, uint8_t *out, size_t size, size_t *n, bool *inside,
                 const char **fault) {
    struct inflate_state *s = &g->state;
    int r = ISAL_DECOMP_OK;
    s->next_in = (uint8_t *)(uintptr_t)in->p;
    s->avail_in = (uint32_t)in->n;
    s->next_out = out + *n;
    s->avail_out = (uint32_t)(size - *n);
    if (!g->head_read) {
        r = isal_read_gzip_header(s, &g->head);
        g->head_read = r == ISAL_DECOMP_OK;
    }
    if (g->head_read) r = isal_inflate(s);
    *in = view_skip(*in, in->n - s->avail_in);
    *n = size - s->avail_out;
    *fault = explain(r);
    if (r < 0) return false;
    if (g->head_read && g->head.flags & 0xe0) { /* reserved in section 2.3.1.2 */
        *fault = "unknown header flags set";
        return false;
    }
    *inside = s->block_state != ISAL_BLOCK_FINISH;
    if (!*inside) begin(g);
    return true;
}
