// bundle: a sigstore bundle as it lies in a blob.
#include "format/bundle.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct bundle b;
    struct err e = {0};

    start(16 << 20);
    if (!bundle_parse(view_of(bytes, size), &arena, &b, &e))
        return 0;
    struct view signature = b.has_message ? b.message_signature : b.envelope.signatures[0];
    if ((!b.has_message && b.envelope.signature_count != 1) || signature.n == 0 || signature.n > SIGNATURE_MAX)
        abort();
    touch(signature);
    if (!b.has_message)
        touch(b.envelope.payload);
    return 0;
}
