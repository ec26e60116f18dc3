// ratls: an RA-TLS certificate of a stranger, and the extension's value alone.
#include "tools/appraise/ratls_cert.h"
#include "fuzz_lib.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct ratls_cert c = {0};
    struct view evidence;
    struct err e;

    start(4u << 20);
    if (ratls_cert_read(view_of(bytes, size), &arena, &c, &e)) {
        if (!c.der.n || c.evidence.n < 256) abort();
        touch(c.evidence);
    }
    if (ratls_cert_unwrap(view_of(bytes, size), &evidence, &e)) {
        if (evidence.n < 256 || evidence.p < bytes || evidence.p + evidence.n + 1 != bytes + size) abort();
        touch(evidence);
    }
    return 0;
}
