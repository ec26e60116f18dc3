// worker/decompress: the first byte chooses the format. What comes out is bounded.
#include "fuzz_lib.h"

#include "worker/decompress.h"

#include <sys/mman.h>
#include <unistd.h>

#define LIMIT (2u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct decompress d;
    static int file = -1;
    struct err e;
    struct view out;
    uint64_t total = 0;

    if (n == 0)
        return 0;
    if (file < 0)
        file = memfd_create("in", MFD_CLOEXEC);
    if (ftruncate(file, 0) || pwrite(file, p + 1, n - 1, 0) != (ssize_t)(n - 1) || lseek(file, 0, SEEK_SET))
        abort();
    bool ok = decompress_open(&d, (enum layer_compression)(p[0] % 3), file, LIMIT, &e);
    while (ok && (ok = decompress_next(&d, &out, &e)) && out.n) {
        touch(out);
        total += out.n;
    }
    decompress_close(&d);
    if (total > LIMIT || (p[0] % 3 == LAYER_PLAIN && ok != (total == n - 1)))
        abort();
    return 0;
}
