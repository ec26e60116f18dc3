// worker/gunzip: ISA-L and zlib on the same bytes, cut by the second byte. What zlib accepts ISA-L accepts, with the same text; ISA-L
// may accept codes that leave a bit pattern unused, which zlib refuses.
#include "fuzz_lib.h"

#define gunzip isal_gunzip
#define gunzip_new isal_new
#define gunzip_free isal_free
#define gunzip_step isal_step
#include "worker/gunzip_isal.c"
#undef PLINTH_WORKER_GUNZIP_H
#undef gunzip
#undef gunzip_new
#undef gunzip_free
#undef gunzip_step
#include "worker/gunzip_zlib.c"

#include <string.h>

#define SIZE (1u << 20)
static uint8_t whole[2][SIZE];

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    size_t got[2] = {0, 0};
    bool taken[2], full[2];
    if (n < 2)
        return 0;
    size_t piece = p[0] ? p[0] : SIZE;
    for (int k = 0; k < 2; k++) {
        struct isal_gunzip *i = k ? NULL : isal_new();
        struct gunzip *z = k ? gunzip_new() : NULL;
        struct view in = view_of(p + 1, n - 1);
        bool ok = true, inside = true, moved = true;
        const char *fault;
        while (ok && (in.n || inside) && moved) {
            struct view now = view_first(in, piece), rest = now;
            size_t before = got[k];
            ok = k ? gunzip_step(z, &rest, whole[1], SIZE, &got[1], &inside, &fault)
                   : isal_step(i, &rest, whole[0], SIZE, &got[0], &inside, &fault);
            in = view_skip(in, now.n - rest.n);
            moved = rest.n != now.n || got[k] != before;
        }
        taken[k] = ok && !inside && in.n == 0;
        full[k] = got[k] == SIZE;
        isal_free(i);
        gunzip_free(z);
    }
    if (taken[1] && !full[0] && !full[1] && (!taken[0] || got[0] != got[1] || memcmp(whole[0], whole[1], got[0])))
        abort();
    return 0;
}
