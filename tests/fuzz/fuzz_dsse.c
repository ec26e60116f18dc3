// dsse: an envelope as it lies in a blob.
#include "format/dsse.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct dsse_envelope d;
    const json *root;
    struct err e = {0};

    start(16 << 20);
    if (!json_parse(view_of(bytes, size), &arena, &root, &e) || !dsse_parse(root, &arena, &d, &e))
        return 0;
    if (d.signature_count == 0 || d.signature_count > SIGNATURES_MAX || d.payload.n > size)
        abort();
    touch(d.payload);
    for (size_t i = 0; i < d.signature_count; i++) {
        if (d.signatures[i].n == 0 || d.signatures[i].n > SIGNATURE_MAX)
            abort();
        touch(d.signatures[i]);
    }
    return 0;
}
